//! A sky with a sun, and ridges that get paler with distance.

use std::f32::consts::TAU;

use tiny_skia::{Path, PathBuilder};

use super::super::canvas::Canvas;
use super::super::ramp::Ramp;
use super::super::tone::Tone;
use super::super::words::Light;

const RIDGES: usize = 6;

pub(super) fn draw(canvas: &mut Canvas) {
    let palette = canvas.palette.clone();
    let horizon = palette.glow.lighter(0.06);
    canvas.backdrop(&[
        (0.0, palette.ground.mix(palette.accent(1), if palette.is_dark() { 0.1 } else { 0.35 })),
        (0.42, palette.glow),
        (0.68, horizon),
        (1.0, horizon),
    ]);
    stars(canvas);
    sun(canvas, palette.accent(0));
    for ridge in 0..RIDGES {
        let near = ridge as f32 / (RIDGES - 1) as f32;
        let body = palette.accent(ridge % 2 * 2).mix(palette.deep, 0.25 + 0.55 * near);
        let tone = horizon.mix(body, 0.22 + 0.78 * near.powf(0.9));
        draw_ridge(canvas, near, tone, horizon);
    }
}

fn stars(canvas: &mut Canvas) {
    if canvas.palette.light != Light::Night {
        return;
    }
    let (width, height, unit) = (canvas.width, canvas.height, canvas.unit);
    for _ in 0..140 {
        let (x, y) = (canvas.rng.f32() * width, canvas.rng.f32() * height * 0.55);
        let size = canvas.between(0.0006, 0.0022) * unit;
        let alpha = canvas.between(0.3, 0.9);
        if let Some(star) = PathBuilder::from_circle(x, y, size.max(0.6)) {
            canvas.fill_tone(&star, Tone::new(0.96, 0.02, 90.0), alpha);
        }
    }
}

fn sun(canvas: &mut Canvas, tone: Tone) {
    let x = canvas.between(0.22, 0.8) * canvas.width;
    let y = canvas.between(0.2, 0.36) * canvas.height;
    let radius = canvas.between(0.075, 0.12) * canvas.unit;
    let warm = match canvas.palette.light {
        Light::Night => Tone::new(0.93, 0.03, 95.0),
        Light::Day | Light::Dusk => tone.mix(Tone::new(0.93, 0.08, 85.0), 0.45).lighter(0.06),
    };
    canvas.glow((x, y), (radius * 4.5, radius * 4.5), warm, 0.45);
    if let Some(disc) = PathBuilder::from_circle(x, y, radius) {
        canvas.fill_tone(&disc, warm, 1.0);
    }
}

fn draw_ridge(canvas: &mut Canvas, near: f32, tone: Tone, mist: Tone) {
    let base = canvas.height * (0.5 + 0.40 * near);
    let swing = canvas.unit * (0.05 + 0.035 * (1.0 - near)).min(canvas.height / canvas.unit * 0.1);
    let waves: [(f32, f32, f32); 4] = std::array::from_fn(|octave| {
        let pitch = f32::from(1_u8 << octave);
        (canvas.between(0.75, 1.5) * pitch, canvas.between(0.0, TAU), swing / pitch.powf(1.15))
    });
    let unit = canvas.unit;
    let height_at = move |x: f32| {
        let wave = |(pitch, phase, size): &(f32, f32, f32)| (x / unit * pitch * 4.0 + phase).sin() * size;
        base + waves.iter().map(wave).sum::<f32>()
    };
    let mist = tone.mix(mist, 0.5 * (1.0 - near) + 0.08);
    let (top, bottom) = (base - swing * 1.6, base + canvas.height * 0.26);
    let ramp = Ramp::new((0.0, top), (0.0, bottom), &[(0.0, tone), (0.35, tone), (1.0, mist)]);
    canvas.relief(height_at, &ramp);
    if near > 0.55 && !canvas.barren {
        trees(canvas, &height_at, near, tone);
    }
}

/// Firs in loose groups along a near ridge.
fn trees(canvas: &mut Canvas, height_at: &impl Fn(f32) -> f32, near: f32, tone: Tone) {
    let groups = canvas.rng.usize(3..6);
    for _ in 0..groups {
        let centre = canvas.rng.f32() * canvas.width;
        for _ in 0..9 {
            let x = centre + canvas.between(-0.11, 0.11) * canvas.unit;
            let tall = canvas.between(0.018, 0.05) * canvas.unit * (0.5 + near * 0.7);
            if let Some(fir) = fir(x, height_at(x) + tall * 0.1, tall) {
                canvas.fill_tone(&fir, tone.lighter(-0.035), 1.0);
            }
        }
    }
}

fn fir(x: f32, foot: f32, tall: f32) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(x, foot - tall);
    path.quad_to(x + tall * 0.06, foot - tall * 0.35, x + tall * 0.2, foot);
    path.line_to(x - tall * 0.2, foot);
    path.quad_to(x - tall * 0.06, foot - tall * 0.35, x, foot - tall);
    path.close();
    path.finish()
}
