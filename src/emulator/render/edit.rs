//! Pictures made from pictures: the reference stays recognisable, and a mask
//! keeps its opaque part untouched to the last bit.

use std::io::Cursor;

use image::imageops::{self, FilterType};
use image::{ImageReader, Limits, RgbaImage};
use tiny_skia::{IntSize, Pixmap, PixmapPaint, Transform};

use super::{Picture, RenderError};

/// References may have 178,956,970 pixels of four bytes.
const MOST_MEMORY: u64 = 1 << 30;

/// The first reference, scaled to cover the picture, the surplus cut evenly.
pub(super) fn base(picture: &Picture) -> Result<Option<RgbaImage>, RenderError> {
    let Some(bytes) = picture.references.first() else { return Ok(None) };
    let reference = decode(bytes)?;
    Ok(Some(cover(reference, picture.width, picture.height, FilterType::Triangle)))
}

fn decode(bytes: &[u8]) -> Result<RgbaImage, RenderError> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    Ok(reader.decode()?.to_rgba8())
}

fn cover(image: RgbaImage, width: u32, height: u32, filter: FilterType) -> RgbaImage {
    let (w, h) = image.dimensions();
    if (w, h) == (width, height) {
        return image;
    }
    let scale = (f64::from(width) / f64::from(w)).max(f64::from(height) / f64::from(h));
    let (cw, ch) = ((f64::from(width) / scale).round() as u32, (f64::from(height) / scale).round() as u32);
    let (cw, ch) = (cw.clamp(1, w), ch.clamp(1, h));
    let part = imageops::crop_imm(&image, (w - cw) / 2, (h - ch) / 2, cw, ch);
    imageops::resize(&*part, width, height, filter)
}

/// Further references as small prints along the upper edge.
pub(super) fn prints(pixels: &mut Pixmap, picture: &Picture) -> Result<(), RenderError> {
    let side = (picture.width.min(picture.height) / 8).max(8);
    let gap = side / 4;
    let mut left = gap;
    for bytes in picture.references.iter().skip(1) {
        if left + side > picture.width {
            break;
        }
        let small = cover(decode(bytes)?, side, side, FilterType::Triangle);
        if let Some(small) = pixmap(&small) {
            let paint = PixmapPaint::default();
            pixels.draw_pixmap(
                left.cast_signed(),
                gap.cast_signed(),
                small.as_ref(),
                &paint,
                Transform::identity(),
                None,
            );
        }
        left += side + gap;
    }
    Ok(())
}

/// Straight RGBA of the composition where the mask gives way, of the reference
/// where it is opaque, and a blend in between.
pub(super) fn masked(drawn: Vec<u8>, base: &RgbaImage, mask: &[u8]) -> Result<Vec<u8>, RenderError> {
    let mask = cover(decode(mask)?, base.width(), base.height(), FilterType::Nearest);
    let mut result = drawn;
    let pixels = result.chunks_exact_mut(4).zip(base.pixels()).zip(mask.pixels());
    for ((new, old), mask) in pixels {
        match mask.0[3] {
            0 => {}
            255 => new.copy_from_slice(&old.0),
            keep => {
                for (new, old) in new.iter_mut().zip(old.0) {
                    let sum = u32::from(*new) * u32::from(255 - keep) + u32::from(old) * u32::from(keep);
                    *new = (sum / 255) as u8;
                }
            }
        }
    }
    Ok(result)
}

/// Straight to premultiplied.
pub(super) fn pixmap(image: &RgbaImage) -> Option<Pixmap> {
    let mut data = image.as_raw().clone();
    for pixel in data.chunks_exact_mut(4).filter(|pixel| pixel[3] < 255) {
        let alpha = u16::from(pixel[3]);
        pixel[..3].iter_mut().for_each(|part| *part = (u16::from(*part) * alpha / 255) as u8);
    }
    Pixmap::from_vec(data, IntSize::from_wh(image.width(), image.height())?)
}
