//! One colour in OKLCH, where equal steps look equal.

use tiny_skia::Color;

/// Lightness 0 to 1, chroma 0 to about 0.3, hue in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tone {
    pub(super) l: f32,
    pub(super) c: f32,
    pub(super) h: f32,
}

impl Tone {
    pub(super) const fn new(l: f32, c: f32, h: f32) -> Self {
        Self { l, c, h }
    }

    /// The same hue and chroma, lighter or darker.
    pub(super) fn lighter(self, by: f32) -> Self {
        Self { l: (self.l + by).clamp(0.04, 0.985), ..self }
    }

    pub(super) fn at(self, l: f32) -> Self {
        Self { l, ..self }
    }

    pub(super) fn turned(self, degrees: f32) -> Self {
        Self { h: (self.h + degrees).rem_euclid(360.0), ..self }
    }

    pub(super) fn muted(self, factor: f32) -> Self {
        Self { c: self.c * factor, ..self }
    }

    /// Part of the way to another tone, straight through `OKLab`.
    pub(super) fn mix(self, other: Self, part: f32) -> Self {
        let ([l, a, b], [ol, oa, ob]) = (self.lab(), other.lab());
        let (a, b) = (a + (oa - a) * part, b + (ob - b) * part);
        Self { l: l + (ol - l) * part, c: a.hypot(b), h: b.atan2(a).to_degrees().rem_euclid(360.0) }
    }

    /// As sRGB. Chroma is reduced until the tone is displayable.
    pub(super) fn color(self, alpha: f32) -> Color {
        let [r, g, b] = self.displayable().linear().map(gamma);
        Color::from_rgba(r, g, b, alpha.clamp(0.0, 1.0)).unwrap_or(Color::BLACK)
    }

    /// With as much of its chroma as sRGB can show. The search is fine enough
    /// that gradients along the edge of sRGB show no seams.
    fn displayable(self) -> Self {
        let fits = |tone: Self| tone.linear().iter().all(|part| (-0.001..=1.001).contains(part));
        if fits(self) {
            return self;
        }
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..10 {
            let middle = f32::midpoint(low, high);
            if fits(self.muted(middle)) { low = middle } else { high = middle }
        }
        self.muted(low)
    }

    fn lab(self) -> [f32; 3] {
        let (sin, cos) = self.h.to_radians().sin_cos();
        [self.l, self.c * cos, self.c * sin]
    }

    /// Linear sRGB, perhaps outside 0 to 1 (Ottosson's matrices).
    fn linear(self) -> [f32; 3] {
        let [light, a, b] = self.lab();
        let long = (light + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
        let mid = (light - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
        let short = (light - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
        [
            4.076_741_7 * long - 3.307_711_6 * mid + 0.230_969_94 * short,
            -1.268_438 * long + 2.609_757_4 * mid - 0.341_319_4 * short,
            -0.004_196_086_3 * long - 0.703_418_6 * mid + 1.707_614_7 * short,
        ]
    }
}

fn gamma(part: f32) -> f32 {
    let part = part.clamp(0.0, 1.0);
    if part <= 0.003_130_8 { part * 12.92 } else { 1.055 * part.powf(1.0 / 2.4) - 0.055 }
}
