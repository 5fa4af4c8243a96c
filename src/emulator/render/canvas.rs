//! The surface that scenes draw on: shapes with flat or graded fills, soft
//! shadows and glows. Coordinates are pixels; `unit` makes them scale.

use fastrand::Rng;
use tiny_skia::{
    Color, FillRule, GradientStop, LinearGradient, Paint, Path, PathBuilder, Pixmap, Point, Shader,
    SpreadMode, Stroke, Transform,
};

use super::palette::Palette;
use super::ramp::{Ramp, between};
use super::scenes::Thing;
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
    /// What the prompt names, for a still life.
    pub(super) thing: Option<Thing>,
    /// Landscapes without trees.
    pub(super) barren: bool,
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
        if !self.transparent {
            self.band(0.0, self.height, tones);
        }
    }

    /// Covers the whole width from `top` to `bottom`, row by row: faster than
    /// a shader, and the steps between tones look even.
    pub(super) fn band(&mut self, top: f32, bottom: f32, tones: &[(f32, Tone)]) {
        let width = self.pixels.width() as usize;
        let rows = top.max(0.0) as usize..(bottom.ceil() as usize).min(self.pixels.height() as usize);
        for row in rows {
            let part = (row as f32 - top) / (bottom - top).max(1.0);
            let color = between(tones, part).color(1.0).premultiply().to_color_u8();
            self.pixels.pixels_mut()[row * width..(row + 1) * width].fill(color);
        }
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
        let ink = tone.color(1.0).to_color_u8();
        let ink = [ink.red(), ink.green(), ink.blue(), 255].map(u32::from);
        let (width, height) = (self.pixels.width() as usize, self.pixels.height() as usize);
        let columns = span(x - rx, x + rx, width);
        for row in span(y - ry, y + ry, height) {
            let dy = (row as f32 + 0.5 - y) / ry;
            let line = &mut self.pixels.data_mut()[row * width * 4..][..width * 4];
            for (column, pixel) in columns.clone().zip(line[columns.start * 4..].chunks_exact_mut(4)) {
                let dx = (column as f32 + 0.5 - x) / rx;
                let inside = (1.0 - dx * dx - dy * dy).max(0.0);
                let cover = (inside * inside * alpha * 256.0) as u32;
                blend(pixel, ink, cover);
            }
        }
    }

    /// A shadow that rises from a height in each column, over `depth` pixels.
    pub(super) fn shade(&mut self, heights: impl Fn(f32) -> f32, depth: f32, strength: f32) {
        let ink = self.palette.deep.color(1.0).to_color_u8();
        let ink = [ink.red(), ink.green(), ink.blue(), 255].map(u32::from);
        let (width, height) = (self.pixels.width() as usize, self.pixels.height() as usize);
        for column in 0..width {
            let edge = heights(column as f32 + 0.5);
            for row in span(edge - depth, edge + 1.0, height) {
                let near = 1.0 - ((edge - row as f32) / depth).clamp(0.0, 1.0);
                let pixel = &mut self.pixels.data_mut()[(row * width + column) * 4..][..4];
                blend(pixel, ink, (near * near * strength * 256.0) as u32);
            }
        }
    }

    /// Fills everything below a height for each column, with a gradient.
    pub(super) fn relief(&mut self, heights: impl Fn(f32) -> f32, ramp: &Ramp) {
        let (width, height) = (self.pixels.width() as usize, self.pixels.height() as usize);
        let heights: Vec<f32> = (0..width).map(|column| heights(column as f32 + 0.5)).collect();
        let top = heights.iter().copied().fold(height as f32, f32::min);
        for row in top.max(0.0) as usize..height {
            let line = &mut self.pixels.data_mut()[row * width * 4..][..width * 4];
            for ((column, pixel), top) in line.chunks_exact_mut(4).enumerate().zip(&heights) {
                let cover = (row as f32 + 1.0 - top).min(1.0);
                if cover > 0.0 {
                    blend(pixel, ramp.at(column as f32, row as f32), (cover * 256.0) as u32);
                }
            }
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

/// The pixels between two coordinates.
fn span(from: f32, to: f32, length: usize) -> std::ops::Range<usize> {
    let start = (from.max(0.0) as usize).min(length);
    start..(to.max(0.0).ceil() as usize).clamp(start, length)
}

/// Lays an opaque ink over a premultiplied pixel; `cover` is of 256.
fn blend(pixel: &mut [u8], ink: [u32; 4], cover: u32) {
    for (part, ink) in pixel.iter_mut().zip(ink) {
        *part = ((u32::from(*part) * (256 - cover) + ink * cover + 128) >> 8) as u8;
    }
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
