//! A copy of a mask in another size.

use std::io::BufWriter;
use std::path::Path;

use image::imageops::{self, FilterType};
use image::{ImageFormat, ImageReader, Limits};
use tempfile::NamedTempFile;

/// Room for the decoded mask: 128 million pixels.
const ROOM: u64 = 512 << 20;

/// A PNG with the pixels of `path` scaled to `size`; the file itself stays as
/// it is. Smooth, so that no transparent line is lost where the copy is smaller.
pub(super) fn scaled(path: &Path, (width, height): (u32, u32)) -> Result<NamedTempFile, String> {
    let text = |error: &dyn std::fmt::Display| format!("no copy of {width}x{height} could be made: {error}");
    let mut reader = ImageReader::open(path).map_err(|error| text(&error))?;
    reader.set_format(ImageFormat::Png);
    let mut limits = Limits::default();
    limits.max_alloc = Some(ROOM);
    reader.limits(limits);
    let mask = reader.decode().map_err(|error| text(&error))?.into_rgba8();
    let copy = imageops::resize(&mask, width, height, FilterType::Triangle);
    let mut file = NamedTempFile::new().map_err(|error| text(&error))?;
    copy.write_to(&mut BufWriter::new(file.as_file_mut()), ImageFormat::Png).map_err(|error| text(&error))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use image::{Rgba, RgbaImage};

    use super::*;

    fn transparent(image: &RgbaImage) -> Vec<(u32, u32)> {
        image.enumerate_pixels().filter(|(.., pixel)| pixel[3] < 255).map(|(x, y, _)| (x, y)).collect()
    }

    #[test]
    fn the_transparent_part_keeps_its_place_and_thin_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        // A transparent column, one pixel wide, in the middle.
        let column = |x: u32| Rgba([0, 0, 0, if x == 60 { 0 } else { 255 }]);
        RgbaImage::from_fn(120, 80, |x, _| column(x)).save(&path).unwrap();
        let before = std::fs::read(&path).unwrap();
        for (size, around) in [((30, 20), 14..=16), ((240, 160), 118..=123)] {
            let file = scaled(&path, size).unwrap();
            let mut reader = ImageReader::open(file.path()).unwrap();
            reader.set_format(ImageFormat::Png);
            let copy = reader.decode().unwrap().into_rgba8();
            assert_eq!(copy.dimensions(), size);
            let found = transparent(&copy);
            assert!(!found.is_empty() && found.iter().all(|(x, _)| around.contains(x)), "{size:?} {found:?}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_damaged_mask_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        std::fs::write(&path, b"\x89PNG\r\n\x1a\n").unwrap();
        assert!(scaled(&path, (8, 8)).unwrap_err().contains("8x8"));
    }
}
