//! Drawing a picture from a prompt: a real PNG of the exact size, the same for
//! the same words, take and size.
//!
//! The prompt's hash and words choose a kind of picture and a palette, the take
//! varies the layout, the quality only the detail.

mod canvas;
mod caption;
mod edit;
mod encode;
mod finish;
mod palette;
mod ramp;
mod regrade;
mod scenes;
mod tone;
mod words;

use std::io;

use bytes::Bytes;
use fastrand::Rng;
use fontdue::{Font, FontSettings};
use sha2::{Digest, Sha256};
use tiny_skia::Pixmap;

use super::price::Quality;
use canvas::Canvas;
use caption::Corner;
use palette::Palette;
use scenes::Family;
use words::Hints;

/// What to draw.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) prompt: String,
    /// Pictures of one prompt differ by it.
    pub(super) take: u64,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) quality: Quality,
    pub(super) transparent: bool,
    /// Encoded pictures to start from; the first one is the ground.
    pub(super) references: Vec<Bytes>,
    /// A PNG; only where it is not opaque may the ground change.
    pub(super) mask: Option<Bytes>,
}

/// A picture could not be drawn.
#[derive(Debug, thiserror::Error)]
pub(super) enum RenderError {
    #[error("{width}x{height} pixels cannot be held")]
    Size { width: u32, height: u32 },
    #[error("a reference cannot be read")]
    Read(#[from] io::Error),
    #[error("a reference cannot be decoded")]
    Decode(#[from] image::ImageError),
    #[error("the PNG cannot be written")]
    Encode(#[from] png::EncodingError),
}

/// The typeface of captions. Reading it takes some milliseconds: once is enough.
pub(super) fn typeface() -> Result<Font, &'static str> {
    Font::from_bytes(epaint_default_fonts::UBUNTU_LIGHT, FontSettings::default())
}

/// Draws and encodes; `padded` is a wanted length in bytes.
pub(super) fn png(picture: &Picture, font: &Font, padded: Option<usize>) -> Result<Vec<u8>, RenderError> {
    let base = edit::base(picture)?;
    let mut canvas = blank(picture)?;
    match (&base, &picture.mask) {
        (Some(base), None) => regrade::regrade(&mut canvas, base),
        _ => compose(&mut canvas, picture),
    }
    edit::prints(&mut canvas.pixels, picture)?;
    let footer =
        format!("emulated  ·  {}  ·  {} × {}", picture.quality.name(), picture.width, picture.height);
    let corner = if base.is_some() { Corner::Right } else { Corner::Left };
    caption::draw(&mut canvas, font, corner, &picture.prompt, &footer);
    let mut rgba = canvas.pixels.take_demultiplied();
    if let (Some(base), Some(mask)) = (&base, &picture.mask) {
        rgba = edit::masked(rgba, base, mask)?;
    }
    encode::png(&rgba, (picture.width, picture.height), padded)
}

/// A canvas that knows its colours.
fn blank(picture: &Picture) -> Result<Canvas, RenderError> {
    let hints = Hints::of(&picture.prompt);
    let (width, height) = (picture.width, picture.height);
    Ok(Canvas {
        pixels: Pixmap::new(width, height).ok_or(RenderError::Size { width, height })?,
        width: width as f32,
        height: height as f32,
        unit: (width as f32 * height as f32).sqrt(),
        palette: Palette::new(&hints, &mut Rng::with_seed(hash(&picture.prompt, 0))),
        rng: Rng::with_seed(layout(picture)),
        thing: hints.thing,
        barren: hints.barren,
        detail: match picture.quality {
            Quality::Low => 0,
            Quality::Medium => 1,
            Quality::High => 2,
        },
        transparent: picture.transparent,
    })
}

/// The composition, without words.
fn compose(canvas: &mut Canvas, picture: &Picture) {
    let family = Hints::of(&picture.prompt).family;
    family.unwrap_or_else(|| Family::by_hash(hash(&picture.prompt, 0))).draw(canvas);
    finish::finish(canvas, layout(picture));
}

/// Takes differ in it.
fn layout(picture: &Picture) -> u64 {
    hash(&picture.prompt, picture.take + 1)
}

fn hash(prompt: &str, salt: u64) -> u64 {
    let digest = Sha256::new().chain_update(salt.to_le_bytes()).chain_update(prompt).finalize();
    digest[..8].iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {

    use super::*;

    fn picture(prompt: &str, width: u32, height: u32) -> Picture {
        Picture {
            prompt: prompt.to_owned(),
            take: 0,
            width,
            height,
            quality: Quality::Medium,
            transparent: false,
            references: Vec::new(),
            mask: None,
        }
    }

    fn draw(picture: &Picture) -> image::RgbaImage {
        let bytes = png(picture, &typeface().unwrap(), None).unwrap();
        image::load_from_memory(&bytes).unwrap().to_rgba8()
    }

    #[test]
    fn the_same_words_take_and_size_give_the_same_bytes() {
        let font = typeface().unwrap();
        let one = picture("a red fox", 320, 320);
        let bytes = png(&one, &font, None).unwrap();
        assert_eq!(bytes, png(&one, &font, None).unwrap());
        assert_ne!(bytes, png(&Picture { take: 1, ..one.clone() }, &font, None).unwrap());
        assert_ne!(bytes, png(&picture("a blue fox", 320, 320), &font, None).unwrap());
    }

    #[test]
    fn a_transparent_background_shows_through() {
        let opaque = draw(&picture("terrazzo pattern", 320, 320));
        assert!(opaque.pixels().all(|pixel| pixel.0[3] == 255));
        let cut = draw(&Picture { transparent: true, ..picture("terrazzo pattern", 320, 320) });
        assert!(cut.pixels().any(|pixel| pixel.0[3] == 0));
    }

    #[test]
    fn colour_words_steer_the_palette() {
        let hue = |prompt: &str| Palette::new(&Hints::of(prompt), &mut Rng::with_seed(1)).accents[0].h;
        assert!((hue("a cobalt vase") - 264.0).abs() < 1.0);
        assert!((hue("red mugs") - 27.0).abs() < 1.0);
    }
}
