//! Broad bands that flow across the picture, one over the other.

use std::f32::consts::TAU;

use tiny_skia::{Path, PathBuilder};

use super::super::canvas::Canvas;
use super::super::ramp::Ramp;

const BANDS: usize = 7;
const STEPS: u16 = 96;

/// Edges run on beyond the picture by this part of the unit.
const OVERHANG: f32 = 0.1;

/// The run of one edge: its height, and two waves.
#[derive(Clone, Copy)]
struct Edge {
    base: f32,
    slope: f32,
    waves: [(f32, f32, f32); 2],
}

impl Edge {
    fn at(&self, part: f32, unit: f32) -> f32 {
        let wave = |(size, pitch, phase): &(f32, f32, f32)| size * (part * pitch + phase).sin();
        self.base + unit * (self.slope * (part - 0.5) + self.waves.iter().map(wave).sum::<f32>())
    }
}

pub(super) fn draw(canvas: &mut Canvas) {
    let palette = canvas.palette.clone();
    canvas.backdrop(&[
        (0.0, palette.ground),
        (0.5, palette.glow),
        (1.0, palette.ground.mix(palette.accent(1), 0.3)),
    ]);
    let (phase, slope) = (canvas.between(0.0, TAU), canvas.between(-0.22, 0.22));
    let stretch = (canvas.width / canvas.height).sqrt().clamp(0.7, 1.5);
    for band in 0..BANDS {
        let part = band as f32 / (BANDS - 1) as f32;
        let edge = Edge {
            base: canvas.height * (0.16 + 0.78 * part),
            slope,
            waves: [
                (canvas.between(0.05, 0.085), canvas.between(3.2, 4.2) * stretch, phase + part * 1.5),
                (canvas.between(0.012, 0.03), canvas.between(6.0, 8.5) * stretch, phase * 2.0 + part * 3.1),
            ],
        };
        flow(canvas, band, edge);
    }
}

fn flow(canvas: &mut Canvas, band: usize, edge: Edge) {
    let palette = canvas.palette.clone();
    let sink = 0.1 * band as f32 / BANDS as f32;
    let (first, second) = (palette.accent(band).lighter(-sink), palette.accent(band + 1).lighter(-sink));
    let (unit, width) = (canvas.unit, canvas.width);
    let ramp = Ramp::new(
        (0.0, edge.base - unit * 0.1),
        (width, edge.base + unit * 0.25),
        &[
            (0.0, first.lighter(0.05)),
            (0.45, first.mix(second, 0.25)),
            (0.75, first.mix(second, 0.6)),
            (1.0, first),
        ],
    );
    let out = unit * OVERHANG;
    let heights = |x: f32| edge.at((x + out) / (width + 2.0 * out), unit);
    canvas.shade(heights, unit * 0.03, 0.42);
    canvas.relief(heights, &ramp);
    lines(canvas, edge, band);
}

/// The edge itself.
fn line(canvas: &Canvas, edge: Edge) -> Option<Path> {
    let mut path = PathBuilder::new();
    let out = canvas.unit * OVERHANG;
    path.move_to(-out, edge.at(0.0, canvas.unit));
    for step in 1..=STEPS {
        let part = f32::from(step) / f32::from(STEPS);
        path.line_to(part * (canvas.width + 2.0 * out) - out, edge.at(part, canvas.unit));
    }
    path.finish()
}

/// Fine lines along a band, as of brushed silk.
fn lines(canvas: &mut Canvas, edge: Edge, band: usize) {
    let tone = canvas.palette.accent(band).lighter(0.13);
    for line in 1..=3 + 2 * canvas.detail {
        let away = canvas.unit * (0.004 + 0.012 * line as f32);
        let edge = Edge { base: edge.base + away, ..edge };
        if let Some(path) = self::line(canvas, edge) {
            canvas.stroke(&path, canvas.unit * 0.0013, tone, 0.4 / (1.0 + 0.4 * line as f32));
        }
    }
}
