//! Goes through a whole picture to know that it is whole; the pixels are thrown
//! away, or seen on the way.

use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use image::codecs::webp::WebPDecoder;
use image::{DynamicImage, ImageDecoder, Limits};

use super::jpeg;
use super::policy::MAX_EDGE;
use super::scanlines;
use super::verify::{Damage, Format, head, open};

/// Bytes that are read from a file at once.
const BUFFER: usize = 128 * 1024;

/// Room for what a PNG says beside its pixels.
pub(super) const PNG_CHUNKS: usize = 32 * 1024 * 1024;

/// A row of pixels, seen while a picture is verified.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Counted from 0.
    pub y: u32,
    /// Of the picture, in pixels.
    pub width: u32,
    /// Of the picture, in pixels.
    pub height: u32,
    /// Grey, grey and alpha, RGB, or RGBA: 1 to 4.
    pub channels: usize,
    /// One byte a channel.
    pub pixels: &'a [u8],
}

/// Sees the rows of a picture.
pub(super) type See<'a> = &'a mut dyn FnMut(Row<'_>);

/// The format, width and height of the picture at `path`, if all of it is there
/// and makes pixels. Blocking. `see` gets the rows of a PNG that is not
/// interlaced; of other pictures, none.
pub(super) fn decode(
    path: &Path,
    max_pixels: u64,
    see: Option<See<'_>>,
) -> Result<(Format, u32, u32), Damage> {
    let file = open(path).map_err(Damage::Unreadable)?;
    decode_from(BufReader::with_capacity(BUFFER, file), max_pixels, see)
}

/// As [`decode`], of a picture that begins where `source` stands.
pub(super) fn decode_from(
    mut source: impl BufRead + Seek,
    max_pixels: u64,
    see: Option<See<'_>>,
) -> Result<(Format, u32, u32), Damage> {
    let head = head(&mut source).map_err(Damage::Unreadable)?;
    let format = Format::of(&head).ok_or_else(|| no_format(&head))?;
    source.rewind().map_err(Damage::Unreadable)?;
    let (width, height) = match format {
        Format::Png => match see {
            Some(see) => png(source, max_pixels, see),
            None => scanlines::check(source, max_pixels),
        },
        Format::Jpeg => jpeg::decode(&whole(source)?, max_pixels),
        Format::WebP => webp(&whole(source)?, max_pixels),
    }?;
    Ok((format, width, height))
}

/// Names what came instead of a picture.
pub(super) fn no_format(head: &[u8]) -> Damage {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if head.is_empty() {
        Damage::Empty
    } else if text.starts_with('<') && (text.contains("<html") || text.contains("<!doctype html")) {
        Damage::Html
    } else {
        Damage::NoPicture
    }
}

/// Refuses by the header, before anything is allocated for the pixels.
pub(super) fn check_pixels(width: u32, height: u32, max_pixels: u64) -> Result<(), Damage> {
    let fits = width <= MAX_EDGE && height <= MAX_EDGE && u64::from(width) * u64::from(height) <= max_pixels;
    if fits { Ok(()) } else { Err(Damage::TooManyPixels { width, height }) }
}

pub(super) fn broken(format: Format, why: &(impl ToString + ?Sized)) -> Damage {
    Damage::Broken { format, why: why.to_string() }
}

fn whole(mut file: impl Read) -> Result<Vec<u8>, Damage> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(Damage::Unreadable)?;
    Ok(bytes)
}

/// The checksums of what makes the pixels count; texts and colour profiles are
/// not looked at.
pub(super) fn strictly() -> png::DecodeOptions {
    let mut options = png::DecodeOptions::default();
    options.set_ignore_checksums(false);
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    options
}

/// Row by row, so that a large picture needs two rows of memory; with both
/// checksums, up to the end mark.
fn png(source: impl BufRead + Seek, max_pixels: u64, see: See<'_>) -> Result<(u32, u32), Damage> {
    let bad = |error: png::DecodingError| broken(Format::Png, &error);
    let mut decoder = png::Decoder::new_with_options(source, strictly());
    decoder.set_limits(png::Limits { bytes: PNG_CHUNKS });
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let header = decoder.read_header_info().map_err(bad)?;
    let (width, height) = (header.width, header.height);
    check_pixels(width, height, max_pixels)?;
    let mut reader = decoder.read_info().map_err(bad)?;
    let channels = reader.output_color_type().0.samples();
    let mut y = 0;
    while let Some(row) = reader.next_interlaced_row().map_err(bad)? {
        if let png::InterlaceInfo::Null(_) = row.interlace() {
            see(Row { y, width, height, channels, pixels: row.data() });
            y += 1;
        }
    }
    reader.finish().map_err(bad)?;
    Ok((width, height))
}

fn webp(bytes: &[u8], max_pixels: u64) -> Result<(u32, u32), Damage> {
    let bad = |error: image::ImageError| broken(Format::WebP, &error);
    let declared = bytes.get(4..8).and_then(|size| Some(u32::from_le_bytes(size.try_into().ok()?)));
    if declared.is_none_or(|size| u64::from(size) + 8 > bytes.len() as u64) {
        return Err(broken(Format::WebP, "it is shorter than its header says"));
    }
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(bad)?;
    let (width, height) = decoder.dimensions();
    check_pixels(width, height, max_pixels)?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_EDGE), Some(MAX_EDGE));
    limits.max_alloc = Some(max_pixels.saturating_mul(4));
    decoder.set_limits(limits).map_err(bad)?;
    DynamicImage::from_decoder(decoder).map_err(bad)?;
    Ok((width, height))
}
