//! Pixels to PNG, fast, and to a wanted length.

use png::chunk::ChunkType;

use super::RenderError;

/// An ancillary, private chunk that nobody reads.
const PADDING: ChunkType = ChunkType(*b"emPd");

/// A chunk's length, type and checksum.
const CHUNK_FRAME: usize = 12;

/// Straight RGBA as PNG; without alpha where every pixel is opaque. A larger
/// `padded` length is reached exactly when it leaves room for a chunk.
pub(super) fn png(
    rgba: &[u8],
    (width, height): (u32, u32),
    padded: Option<usize>,
) -> Result<Vec<u8>, RenderError> {
    let plain = write(rgba, (width, height), 0)?;
    let missing = padded.map_or(0, |wanted| wanted.saturating_sub(plain.len()));
    if missing < CHUNK_FRAME {
        return Ok(plain);
    }
    write(rgba, (width, height), missing)
}

fn write(rgba: &[u8], (width, height): (u32, u32), padding: usize) -> Result<Vec<u8>, RenderError> {
    let opaque = rgba.chunks_exact(4).all(|pixel| pixel[3] == 255);
    let mut bytes = Vec::with_capacity(rgba.len() / 3 + padding);
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_color(if opaque { png::ColorType::Rgb } else { png::ColorType::Rgba });
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    if padding >= CHUNK_FRAME {
        writer.write_chunk(PADDING, &vec![0x5a; padding - CHUNK_FRAME])?;
    }
    if opaque {
        let rgb: Vec<u8> = rgba.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        writer.write_image_data(&rgb)?;
    } else {
        writer.write_image_data(rgba)?;
    }
    writer.finish()?;
    Ok(bytes)
}
