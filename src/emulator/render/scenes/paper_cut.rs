//! Sheets of paper with wavy holes, one behind the other, down to a light.

use std::f32::consts::TAU;

use tiny_skia::{Path, PathBuilder};

use super::super::canvas::Canvas;

const SHEETS: usize = 7;
const POINTS: usize = 14;

pub(super) fn draw(canvas: &mut Canvas) {
    let palette = canvas.palette.clone();
    canvas.backdrop(&[(0.0, palette.ground), (1.0, palette.ground.mix(palette.glow, 0.6))]);
    let focus = (canvas.between(0.42, 0.62) * canvas.width, canvas.between(0.36, 0.5) * canvas.height);
    let (far, near) =
        (palette.accent(1).mix(palette.accent(3), 0.3).lighter(0.1), palette.accent(0).lighter(-0.12));
    let phases: [f32; 3] = std::array::from_fn(|_| canvas.between(0.0, TAU));
    for sheet in 0..SHEETS {
        let inward = sheet as f32 / (SHEETS - 1) as f32;
        let tone =
            near.mix(palette.accent(2), (inward * 2.0).min(1.0)).mix(far, (inward * 1.6 - 0.6).max(0.0));
        let Some(hole) = hole(canvas, focus, inward, phases) else { continue };
        // What lies behind this sheet is darkened along the rim by it.
        canvas.fill_tone(&hole, tone.lighter(-0.02), 1.0);
        rim(canvas, &hole, inward);
    }
    light(canvas, focus);
}

/// An uneven ring around the focus; inner ones turn a little.
fn hole(canvas: &mut Canvas, (x, y): (f32, f32), inward: f32, phases: [f32; 3]) -> Option<Path> {
    let reach = 1.0 - 0.8 * inward;
    let (rx, ry) = (canvas.width * 0.52 * reach, canvas.height * 0.52 * reach);
    let wobble = canvas.between(0.9, 1.15);
    let points: Vec<_> = (0..POINTS)
        .map(|index| {
            let angle = TAU * index as f32 / POINTS as f32;
            let swing = 0.13 * (angle * 2.0 + phases[0] + inward * 1.4).sin()
                + 0.09 * (angle * 3.0 + phases[1] - inward * 2.2).sin()
                + 0.05 * (angle * 5.0 + phases[2] + inward * 3.0).sin();
            let far = 1.0 + swing * wobble;
            (x + rx * far * angle.cos(), y + ry * far * angle.sin())
        })
        .collect();
    super::super::canvas::smooth(&points)
}

/// The shadow that the sheet above throws into its hole, drawn as rings that
/// are clipped by growing from the rim inwards.
fn rim(canvas: &mut Canvas, hole: &Path, inward: f32) {
    let deep = canvas.palette.deep;
    let depth = canvas.unit * (0.02 - 0.008 * inward);
    let Some(mut mask) = tiny_skia::Mask::new(canvas.pixels.width(), canvas.pixels.height()) else { return };
    mask.fill_path(hole, tiny_skia::FillRule::Winding, true, tiny_skia::Transform::identity());
    for layer in 1..=5u8 {
        let width = depth * f32::from(layer) * 0.5;
        let stroke = tiny_skia::Stroke { width, ..tiny_skia::Stroke::default() };
        let paint = tiny_skia::Paint {
            shader: tiny_skia::Shader::SolidColor(deep.color(0.09)),
            anti_alias: true,
            ..tiny_skia::Paint::default()
        };
        let shift = tiny_skia::Transform::from_translate(depth * 0.22, depth * 0.42);
        canvas.pixels.stroke_path(hole, &paint, &stroke, shift, Some(&mask));
    }
}

fn light(canvas: &mut Canvas, (x, y): (f32, f32)) {
    let tone = canvas.palette.accent(4).at(0.96);
    let radius = canvas.unit.min(canvas.height).min(canvas.width) * 0.05;
    canvas.glow((x, y), (radius * 4.0, radius * 4.0), tone, 0.5);
    if let Some(disc) = PathBuilder::from_circle(x, y, radius) {
        canvas.fill_tone(&disc, tone, 0.95);
    }
}
