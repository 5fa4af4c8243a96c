//! Chips of stone in plaster, none touching another.

use std::f32::consts::TAU;

use super::super::canvas::{Canvas, smooth};

/// Sizes of chips, as parts of the unit, and how many of each are tried.
const CLASSES: [(f32, usize); 4] = [(0.085, 60), (0.048, 160), (0.024, 360), (0.009, 700)];

pub(super) fn draw(canvas: &mut Canvas) {
    let palette = canvas.palette.clone();
    canvas.backdrop(&[(0.0, palette.ground.lighter(0.015)), (1.0, palette.ground.mix(palette.glow, 0.3))]);
    let mut taken: Vec<(f32, f32, f32)> = Vec::new();
    for (size, tries) in CLASSES {
        for _ in 0..tries {
            let radius = canvas.between(0.7, 1.2) * size * canvas.unit;
            let at = (canvas.rng.f32() * canvas.width, canvas.rng.f32() * canvas.height);
            let tone = canvas.rng.usize(0..7);
            let shape = canvas.rng.u64(..);
            let gap = canvas.unit * 0.008;
            let free = taken.iter().all(|(x, y, r)| (x - at.0).hypot(y - at.1) > r + radius + gap);
            if free {
                taken.push((at.0, at.1, radius));
                chip(canvas, at, radius, tone, shape);
            }
        }
    }
}

fn chip(canvas: &mut Canvas, (x, y): (f32, f32), radius: f32, tone: usize, shape: u64) {
    let mut rng = fastrand::Rng::with_seed(shape);
    let corners = rng.usize(4..7);
    let turn = rng.f32() * TAU;
    let flat = 0.6 + rng.f32() * 0.4;
    let points: Vec<_> = (0..corners)
        .flat_map(|corner| {
            let angle = TAU * (corner as f32 + rng.f32() * 0.5) / corners as f32;
            let far = radius * (0.78 + rng.f32() * 0.3);
            let (px, py) = (far * angle.cos(), far * flat * angle.sin());
            // Three points close together make a corner that is only just round.
            [0.93, 1.0, 0.93].map(|near| {
                let (px, py) = (px * near, py * near);
                (x + px * turn.cos() - py * turn.sin(), y + px * turn.sin() + py * turn.cos())
            })
        })
        .collect();
    let Some(path) = smooth(&points) else { return };
    let palette = &canvas.palette;
    let tone = if tone < 5 { palette.accent(tone) } else { palette.accent(tone).mix(palette.deep, 0.6) };
    let tone = tone.lighter(rng.f32() * 0.08 - 0.04);
    if radius > canvas.unit * 0.012 {
        canvas.shadow(&path, radius * 0.07, 0.14);
    }
    canvas.fill_tone(&path, tone, 1.0);
    vein(canvas, (x, y), radius, tone, &mut rng);
}

/// A lighter streak through large chips.
fn vein(
    canvas: &mut Canvas,
    (x, y): (f32, f32),
    radius: f32,
    tone: super::super::tone::Tone,
    rng: &mut fastrand::Rng,
) {
    if canvas.detail == 0 || radius < canvas.unit * 0.04 {
        return;
    }
    let angle = rng.f32() * TAU;
    let (dx, dy) = (angle.cos() * radius * 0.42, angle.sin() * radius * 0.42);
    let mut path = tiny_skia::PathBuilder::new();
    path.move_to(x - dx, y - dy);
    path.quad_to(x + dy * 0.3, y - dx * 0.3, x + dx, y + dy);
    if let Some(path) = path.finish() {
        canvas.stroke(&path, radius * 0.035, tone.lighter(0.1), 0.6);
    }
}
