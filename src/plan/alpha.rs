//! What the transparency of a mask says: something, everything or nothing.

use std::io::BufReader;
use std::path::Path;

use png::Transformations;

use super::lines::open_file;

/// The transparency of a whole picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alpha {
    /// No pixel is transparent.
    Opaque,
    /// Every pixel is fully transparent.
    Clear,
    /// Some are, or all are in part.
    Mixed,
}

/// Room for what a PNG says beside its pixels.
const CHUNKS: usize = 32 << 20;

/// Decodes a PNG with an alpha channel row by row, up to the first pixel that
/// settles it.
pub(super) fn look_at(path: &Path) -> Result<Alpha, String> {
    let broken = |error: png::DecodingError| format!("it is damaged ({error})");
    let file = open_file(path).map_err(|error| error.to_string())?;
    let mut decoder = png::Decoder::new(BufReader::with_capacity(128 << 10, file));
    decoder.set_limits(png::Limits { bytes: CHUNKS });
    decoder.set_transformations(Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(broken)?;
    let channels = reader.output_color_type().0.samples();
    let (mut opaque, mut clear) = (true, true);
    while let Some(row) = reader.next_row().map_err(broken)? {
        let alphas = || row.data().chunks_exact(channels).filter_map(|pixel| pixel.last());
        opaque = opaque && alphas().all(|alpha| *alpha == 255);
        clear = clear && alphas().all(|alpha| *alpha == 0);
        if !opaque && !clear {
            return Ok(Alpha::Mixed);
        }
    }
    Ok(if opaque { Alpha::Opaque } else { Alpha::Clear })
}

#[cfg(test)]
mod tests {
    use image::{Luma, LumaA, Rgba, RgbaImage};

    use super::*;

    #[test]
    fn everything_nothing_and_something() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        let of = |alpha: fn(u32) -> u8| {
            RgbaImage::from_fn(9, 7, |x, y| Rgba([1, 2, 3, alpha(x + 9 * y)])).save(&path).unwrap();
            look_at(&path)
        };
        assert_eq!(of(|_| 255), Ok(Alpha::Opaque));
        assert_eq!(of(|_| 0), Ok(Alpha::Clear));
        assert_eq!(of(|_| 128), Ok(Alpha::Mixed));
        assert_eq!(of(|at| if at == 62 { 0 } else { 255 }), Ok(Alpha::Mixed));
        image::ImageBuffer::from_fn(4, 4, |_, _| LumaA([9_u16, 0])).save(&path).unwrap();
        assert_eq!(look_at(&path), Ok(Alpha::Clear));
    }

    #[test]
    fn a_cut_file_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        RgbaImage::new(64, 64).save(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 40]).unwrap();
        assert!(look_at(&path).unwrap_err().contains("damaged"));
        image::ImageBuffer::from_fn(4, 4, |_, _| Luma([9_u8])).save(&path).unwrap();
        assert!(look_at(&path).is_ok(), "without alpha it is asked elsewhere");
    }
}
