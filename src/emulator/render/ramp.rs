//! Gradients: several tones along a line.

use super::tone::Tone;

/// A gradient along a line, in 256 steps.
#[derive(Debug)]
pub(super) struct Ramp {
    steps: Vec<[u32; 4]>,
    along: (f32, f32),
    start: f32,
}

impl Ramp {
    /// From one point to another; beyond them the end tones go on.
    pub(super) fn new(from: (f32, f32), to: (f32, f32), tones: &[(f32, Tone)]) -> Self {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let scale = 255.0 / (dx * dx + dy * dy).max(1.0);
        let along = (dx * scale, dy * scale);
        let color = |step: u8| {
            let color = between(tones, f32::from(step) / 255.0).color(1.0).to_color_u8();
            [color.red(), color.green(), color.blue(), 255].map(u32::from)
        };
        Self { steps: (0..=255).map(color).collect(), along, start: from.0 * along.0 + from.1 * along.1 }
    }

    /// The colour at a pixel.
    pub(super) fn at(&self, x: f32, y: f32) -> [u32; 4] {
        let step = (x * self.along.0 + y * self.along.1 - self.start).clamp(0.0, 255.0);
        self.steps[step as usize]
    }
}

/// The tone at a part of the way.
pub(super) fn between(tones: &[(f32, Tone)], part: f32) -> Tone {
    let next = tones.iter().position(|(at, _)| *at >= part).unwrap_or(tones.len());
    match (next.checked_sub(1).and_then(|last| tones.get(last)), tones.get(next)) {
        (Some((from, first)), Some((to, second))) => first.mix(*second, (part - from) / (to - from)),
        (Some((_, tone)), None) | (None, Some((_, tone))) => *tone,
        (None, None) => Tone::new(0.5, 0.0, 0.0),
    }
}
