//! Strict checks of JPEGs: decoders fill what is missing with grey and say
//! nothing, so the structure is walked to its end mark first.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::decode::{broken, check_pixels};
use super::policy::MAX_EDGE;
use super::verify::{Damage, Format};

/// Width and height, after everything was decoded.
pub(super) fn decode(bytes: &[u8], max_pixels: u64) -> Result<(u32, u32), Damage> {
    let bad = |why: &dyn ToString| broken(Format::Jpeg, why);
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(MAX_EDGE as usize)
        .set_max_height(MAX_EDGE as usize);
    if let Some((width, height)) = frame_size(bytes) {
        check_pixels(width, height, max_pixels)?;
    }
    walk(bytes).map_err(|why| bad(&why))?;
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| bad(&error))?;
    let (width, height) = decoder.dimensions().ok_or_else(|| bad(&"it has no dimensions"))?;
    let (width, height) = (width as u32, height as u32);
    check_pixels(width, height, max_pixels)?;
    decoder.decode().map_err(|error| bad(&error))?;
    Ok((width, height))
}

const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;

/// Walks from marker to marker; `Ok` at the end mark after at least one scan.
fn walk(bytes: &[u8]) -> Result<(), &'static str> {
    let (mut at, mut scans) = (2, 0);
    loop {
        let (marker, next) = marker(bytes, at).ok_or("it stops before its end mark")?;
        match marker {
            END_OF_IMAGE if scans > 0 => return Ok(()),
            END_OF_IMAGE => return Err("it ends before its first scan"),
            START_OF_IMAGE => return Err("a second picture begins within it"),
            _ => at = segment(bytes, next).ok_or("it stops within a segment")?,
        }
        if marker == START_OF_SCAN {
            scans += 1;
            at = scan(bytes, at).ok_or("it stops within its pixels")?;
        }
    }
}

/// The marker at `at` and the place after it; fill bytes are skipped.
fn marker(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    if *bytes.get(at)? != 0xff {
        return None;
    }
    while *bytes.get(at)? == 0xff {
        at += 1;
    }
    Some((*bytes.get(at)?, at + 1))
}

/// The place after the segment whose length stands at `at`.
fn segment(bytes: &[u8], at: usize) -> Option<usize> {
    let length = usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    let end = at + length;
    (length >= 2 && end <= bytes.len()).then_some(end)
}

/// The place of the first marker after entropy-coded bytes.
fn scan(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match (*bytes.get(at)?, *bytes.get(at + 1)?) {
            (0xff, 0x00 | 0xd0..=0xd7) => at += 2,
            (0xff, 0xff) => at += 1,
            (0xff, _) => return Some(at),
            _ => at += 1,
        }
    }
}

/// Width and height from the first frame header.
fn frame_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        let (marker, next) = marker(bytes, at)?;
        match marker {
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let [height_high, height_low, width_high, width_low] =
                    *bytes.get(next + 3..next + 7)?.first_chunk()?;
                let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
                return Some((side(width_high, width_low), side(height_high, height_low)));
            }
            START_OF_SCAN | END_OF_IMAGE => return None,
            _ => at = segment(bytes, next)?,
        }
    }
}
