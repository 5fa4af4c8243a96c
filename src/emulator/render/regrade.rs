//! An edit without a mask: the reference in the colours of the words. What it
//! shows stays, shadows and lights take the palette's tones.

use image::RgbaImage;

use super::canvas::Canvas;
use super::edit::pixmap;
use super::ramp::between;
use super::words::Light;

/// How much of a pixel is replaced, in 256ths.
const STRENGTH: u32 = 176;

/// Puts the reference, toned anew, onto the canvas. Takes differ in which of
/// the accents they use, and in how far these are turned.
pub(super) fn regrade(canvas: &mut Canvas, base: &RgbaImage) {
    let tones = tones(canvas);
    let mut picture = base.clone();
    for pixel in picture.pixels_mut() {
        let [red, green, blue, _] = pixel.0.map(u32::from);
        let light = (red * 54 + green * 183 + blue * 19) >> 8;
        for (part, toned) in pixel.0.iter_mut().zip(tones[light as usize]) {
            *part = ((u32::from(*part) * (256 - STRENGTH) + u32::from(toned) * STRENGTH) >> 8) as u8;
        }
    }
    if let Some(pixels) = pixmap(&picture) {
        canvas.pixels = pixels;
    }
}

/// The colour of each lightness: deep shadows, two accents, a light ground.
fn tones(canvas: &mut Canvas) -> [[u8; 3]; 256] {
    let palette = &canvas.palette;
    let bright = match palette.light {
        Light::Day => 1.0,
        Light::Dusk => 0.86,
        Light::Night => 0.62,
    };
    let first = palette.accent(0).turned(canvas.rng.f32() * 16.0 - 8.0);
    let second = palette.accent(1 + canvas.rng.usize(..3)).turned(canvas.rng.f32() * 24.0 - 12.0);
    let stops = [
        (0.0, palette.deep.at(0.14)),
        (0.42, first.at(0.46 * bright)),
        (0.74, second.at(0.74 * bright)),
        (1.0, palette.ground.at(0.97 * bright)),
    ];
    std::array::from_fn(|light| {
        let color = between(&stops, light as f32 / 255.0).color(1.0).to_color_u8();
        [color.red(), color.green(), color.blue()]
    })
}
