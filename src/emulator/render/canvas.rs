//! The surface that scenes draw on: shapes with flat or graded fills, soft
//! shadows and glows. Coordinates are pixels; `unit` makes them scale.

use fastrand::Rng;
use tiny_skia::{
    Color, FillRule, GradientStop, LinearGradient, Paint, Path, PathBuilder, Pixmap, Point, RadialGradient,
    Rect, Shader, SpreadMode, Stroke, Transform,
};

use super::palette::Palette;
use super::tone::Tone;

/// A picture being drawn.
#[derive(Debug)]
pub(super) struct Canvas {
    pub(super) pixels: Pixmap,
    pub(super) width: f32,
    pub(super) height: f32,
    /// Side of a square with the picture's area: lengths are parts of it.
    pub(super) unit: f32,
    pub(super) palette: Palette,
    /// Decides the layout; never asked about detail.
    pub(super) rng: Rng,
    /// 0, 1 or 2 by quality.
    pub(super) detail: usize,
    /// Backdrops are left out.
    pub(super) transparent: bool,
}

impl Canvas {
    /// From `low` to `high`, by the layout's chance.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + self.rng.f32() * (high - low)
    }

    /// Fills everything from top to bottom, unless the background is
    /// transparent.
    pub(super) fn backdrop(&mut self, tones: &[(f32, Tone)]) {
        if self.transparent {
            return;
        }
        let shader = self.vertical(0.0, self.height, tones);
        let height = self.height;
        self.band(0.0, height, shader);
    }

    /// A rectangle over the whole width.
    pub(super) fn band(&mut self, top: f32, bottom: f32, shader: Shader<'static>) {
        if let Some(rect) = Rect::from_ltrb(0.0, top, self.width, bottom.max(top + 0.01)) {
            self.pixels.fill_rect(rect, &paint(shader), Transform::identity(), None);
        }
    }

    /// A gradient from one height to another.
    pub(super) fn vertical(&self, top: f32, bottom: f32, tones: &[(f32, Tone)]) -> Shader<'static> {
        linear((0.0, top), (0.0, bottom), tones)
    }

    pub(super) fn fill(&mut self, path: &Path, shader: Shader<'static>) {
        self.pixels.fill_path(path, &paint(shader), FillRule::Winding, Transform::identity(), None);
    }

    pub(super) fn fill_tone(&mut self, path: &Path, tone: Tone, alpha: f32) {
        self.fill(path, Shader::SolidColor(tone.color(alpha)));
    }

    pub(super) fn stroke(&mut self, path: &Path, width: f32, tone: Tone, alpha: f32) {
        let stroke = Stroke { width, line_cap: tiny_skia::LineCap::Round, ..Stroke::default() };
        let paint = paint(Shader::SolidColor(tone.color(alpha)));
        self.pixels.stroke_path(path, &paint, &stroke, Transform::identity(), None);
    }

    /// A disc that fades to nothing at its rim, stretched to `rx` by `ry`.
    pub(super) fn glow(&mut self, (x, y): (f32, f32), (rx, ry): (f32, f32), tone: Tone, alpha: f32) {
        let stops = [(0.0, 1.0), (0.3, 0.74), (0.6, 0.3), (0.82, 0.08), (1.0, 0.0)];
        let stops = stops.map(|(at, part)| GradientStop::new(at, tone.color(alpha * part)));
        let zero = Point::from_xy(0.0, 0.0);
        let shader = RadialGradient::new(
            zero,
            0.0,
            zero,
            1.0,
            stops.to_vec(),
            SpreadMode::Pad,
            Transform::from_row(rx, 0.0, 0.0, ry, x, y),
        );
        let rect = Rect::from_ltrb(x - rx, y - ry, x + rx, y + ry);
        if let (Some(shader), Some(rect)) = (shader, rect) {
            self.pixels.fill_rect(rect, &paint(shader), Transform::identity(), None);
        }
    }

    /// A soft shadow of a shape, thrown down and to the right.
    pub(super) fn shadow(&mut self, path: &Path, distance: f32, strength: f32) {
        const LAYERS: u8 = 7;
        let tone = self.palette.deep;
        let paint = paint(Shader::SolidColor(tone.color(strength / f32::from(LAYERS) * 1.6)));
        for layer in 0..LAYERS {
            let away = distance * (0.15 + 0.85 * f32::from(layer) / f32::from(LAYERS));
            let shift = Transform::from_translate(away * 0.45, away);
            self.pixels.fill_path(path, &paint, FillRule::Winding, shift, None);
        }
    }
}

pub(super) fn linear(from: (f32, f32), to: (f32, f32), tones: &[(f32, Tone)]) -> Shader<'static> {
    let stops = tones.iter().map(|(at, tone)| GradientStop::new(*at, tone.color(1.0))).collect();
    let (from, to) = (Point::from_xy(from.0, from.1), Point::from_xy(to.0, to.1));
    LinearGradient::new(from, to, stops, SpreadMode::Pad, Transform::identity())
        .unwrap_or(Shader::SolidColor(Color::TRANSPARENT))
}

fn paint(shader: Shader<'static>) -> Paint<'static> {
    Paint { shader, anti_alias: true, ..Paint::default() }
}

/// A smooth closed curve through the points.
pub(super) fn smooth(points: &[(f32, f32)]) -> Option<Path> {
    let count = points.len();
    let middle = |index: usize| {
        let ((ax, ay), (bx, by)) = (points[index % count], points[(index + 1) % count]);
        (f32::midpoint(ax, bx), f32::midpoint(ay, by))
    };
    let mut path = PathBuilder::new();
    let (x, y) = middle(0);
    path.move_to(x, y);
    for index in 1..=count {
        let ((cx, cy), (x, y)) = (points[index % count], middle(index));
        path.quad_to(cx, cy, x, y);
    }
    path.close();
    path.finish()
}

/// A rectangle with round corners.
pub(super) fn rounded((left, top): (f32, f32), (width, height): (f32, f32), radius: f32) -> Option<Path> {
    let r = radius.min(width / 2.0).min(height / 2.0);
    let (right, bottom) = (left + width, top + height);
    let mut path = PathBuilder::new();
    path.move_to(left + r, top);
    path.line_to(right - r, top);
    path.quad_to(right, top, right, top + r);
    path.line_to(right, bottom - r);
    path.quad_to(right, bottom, right - r, bottom);
    path.line_to(left + r, bottom);
    path.quad_to(left, bottom, left, bottom - r);
    path.line_to(left, top + r);
    path.quad_to(left, top, left + r, top);
    path.close();
    path.finish()
}
