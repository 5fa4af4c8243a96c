//! The colours of one picture: harmonies by chance, steered by words.

use fastrand::Rng;

use super::tone::Tone;
use super::words::{Hints, Light};

/// Colours that go together.
#[derive(Clone, Debug)]
pub(super) struct Palette {
    /// The ground that everything stands on.
    pub(super) ground: Tone,
    /// The far end of gradients over the ground.
    pub(super) glow: Tone,
    /// The darkest tone, for near things and shadows.
    pub(super) deep: Tone,
    pub(super) accents: [Tone; 5],
    /// What things stand on: the second colour that was named, else a quiet
    /// neighbour of the key.
    pub(super) table: Tone,
    pub(super) light: Light,
}

impl Palette {
    pub(super) fn new(hints: &Hints, rng: &mut Rng) -> Self {
        let light = hints.light.unwrap_or_else(|| if rng.f32() < 0.18 { Light::Dusk } else { Light::Day });
        let chance = Tone::new(0.66, 0.12, rng.f32() * 360.0);
        let key = hints.tones.iter().copied().find(|tone| tone.c > 0.03).unwrap_or(chance);
        let accents = accents(&hints.tones, key, rng);
        let tint = hints.tones.last().map_or(key.turned(150.0 + rng.f32() * 60.0), |last| *last);
        let (ground, glow, deep) = match light {
            Light::Day => {
                let ground = Tone::new(0.94, (tint.c * 0.3).clamp(0.012, 0.035), tint.h);
                (ground, key.muted(0.35).at(0.87), Tone::new(0.30, key.c.clamp(0.02, 0.07), key.h))
            }
            Light::Dusk => {
                let ground = Tone::new(0.62, 0.09, key.turned(-70.0).h);
                (ground, Tone::new(0.86, 0.10, key.h), Tone::new(0.25, 0.06, key.turned(-50.0).h))
            }
            Light::Night => {
                let hue = if key.c > 0.03 { key.h } else { 268.0 };
                (Tone::new(0.20, 0.045, hue), Tone::new(0.38, 0.08, hue), Tone::new(0.12, 0.03, hue))
            }
        };
        let table = hints.tones.get(1).copied().unwrap_or(Tone::new(0.72, 0.035, key.turned(35.0).h));
        let table = match light {
            Light::Day => table.at(table.l.clamp(0.55, 0.88)).muted(0.8),
            Light::Dusk => table.at(0.42).muted(0.8),
            Light::Night => table.at(0.24).muted(0.6),
        };
        Self { ground, glow, deep, accents, table, light }
    }

    pub(super) fn is_dark(&self) -> bool {
        self.ground.l < 0.5
    }

    /// One of the accents.
    pub(super) fn accent(&self, index: usize) -> Tone {
        self.accents[index % self.accents.len()]
    }
}

/// The named tones first, then a harmony around the key: neighbours, a
/// complement, and one light rest for the eye.
fn accents(named: &[Tone], key: Tone, rng: &mut Rng) -> [Tone; 5] {
    let spread = 24.0 + rng.f32() * 26.0;
    let side = if rng.bool() { 1.0 } else { -1.0 };
    let chroma = key.c.clamp(0.06, 0.115);
    let harmony = [
        key,
        Tone::new(0.78, chroma * 0.8, key.turned(side * spread).h),
        Tone::new(0.50, chroma, key.turned(-side * spread * 0.7).h),
        Tone::new(0.74, chroma, key.turned(180.0 + side * spread * 0.5).h),
        Tone::new(0.91, chroma * 0.35, key.turned(side * spread * 1.6).h),
    ];
    let mut tones = named.iter().copied().chain(harmony.into_iter().filter(|tone| !named.contains(tone)));
    std::array::from_fn(|_| tones.next().unwrap_or(key))
}
