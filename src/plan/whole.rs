//! Whether a picture file is complete, without decoding its pixels: what was
//! cut short on its way, or damaged, would be refused after the submission.

use std::io::{Read, Seek, SeekFrom};

use image::ImageFormat;

/// Looked for the end of a JPEG: some programs append a little to it.
const TAIL: u64 = 64 << 10;

/// What is wrong with it.
pub(super) fn fault(mut file: impl Read + Seek, format: ImageFormat) -> Option<String> {
    let broken = match format {
        ImageFormat::Png => png(&mut file),
        ImageFormat::Jpeg => jpeg(&mut file),
        ImageFormat::WebP => webp(&mut file),
        _ => Ok(()),
    };
    broken.err()
}

type Whole = Result<(), String>;

fn cut(_: std::io::Error) -> String {
    "it is cut short".into()
}

/// Every chunk with its checksum, up to the last.
fn png(file: &mut impl Read) -> Whole {
    let mut signature = [0; 8];
    file.read_exact(&mut signature).map_err(cut)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let mut head = [0; 8];
        file.read_exact(&mut head).map_err(cut)?;
        let kind = [head[4], head[5], head[6], head[7]];
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&kind);
        let mut left = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        while left > 0 {
            let part = left.min(buffer.len());
            file.read_exact(&mut buffer[..part]).map_err(cut)?;
            hasher.update(&buffer[..part]);
            left -= part;
        }
        let mut sum = [0; 4];
        file.read_exact(&mut sum).map_err(cut)?;
        if u32::from_be_bytes(sum) != hasher.finalize() {
            let name = String::from_utf8_lossy(&kind).into_owned();
            return Err(format!("it is damaged: the checksum of a part ({name}) does not match"));
        }
        if kind == *b"IEND" {
            return Ok(());
        }
    }
}

fn jpeg(file: &mut (impl Read + Seek)) -> Whole {
    let length = file.seek(SeekFrom::End(0)).map_err(cut)?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).map_err(cut)?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).map_err(cut)?;
    let ends = tail.windows(2).any(|pair| pair == [0xff, 0xd9]);
    if ends { Ok(()) } else { Err("it is cut short: the end of its picture is missing".into()) }
}

fn webp(file: &mut (impl Read + Seek)) -> Whole {
    let mut head = [0; 8];
    file.read_exact(&mut head).map_err(cut)?;
    let promised = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]])) + 8;
    let length = file.seek(SeekFrom::End(0)).map_err(cut)?;
    if length >= promised { Ok(()) } else { Err("it is cut short".into()) }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, RgbImage};

    use super::*;

    #[test]
    fn every_cut_and_damage_is_found_and_a_whole_picture_is_not() {
        let picture = DynamicImage::from(RgbImage::from_fn(60, 40, |x, y| image::Rgb([x as u8, y as u8, 7])));
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let mut bytes = Vec::new();
            picture.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
            let fault = |bytes: &[u8]| fault(Cursor::new(bytes), format);
            assert_eq!(fault(&bytes), None, "{format:?}");
            for part in [bytes.len() / 3, bytes.len() - 3] {
                assert!(fault(&bytes[..part]).is_some(), "{format:?} cut at {part}");
            }
            if format == ImageFormat::Png {
                let at = bytes.len() / 2;
                bytes[at] ^= 1;
                assert!(fault(&bytes).is_some_and(|fault| fault.contains("checksum")));
            }
        }
    }
}
