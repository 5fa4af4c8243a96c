//! One thumbnail: from a picture on disk to a few kilobytes.

use std::fs::{self, File};
use std::io::{BufReader, Cursor};
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ImageError, ImageReader, Limits};

/// The longer edge: a tile of 190 points on a screen with two pixels a point.
pub(super) const EDGE: u32 = 384;

const JPEG_QUALITY: u8 = 82;

/// What decoding one picture may take; the largest that is downloaded takes half.
const MEMORY: u64 = 256 * 1024 * 1024;

/// The format of a thumbnail's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Without transparency.
    Jpeg,
    /// With transparency; lossless.
    WebP,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Jpeg, Self::WebP];

    pub(super) const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
        }
    }

    pub(super) const fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
        }
    }
}

/// The thumbnail of the picture at `path`; blocking. A symbolic link is not
/// followed.
pub(super) fn thumbnail(path: &Path) -> Result<(Kind, Vec<u8>), ImageError> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a regular file").into());
    }
    let mut reader = ImageReader::new(BufReader::new(File::open(path)?)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits);
    encode(&shrunk(reader.decode()?))
}

fn shrunk(image: DynamicImage) -> DynamicImage {
    if image.width().max(image.height()) <= EDGE { image } else { image.thumbnail(EDGE, EDGE) }
}

fn encode(small: &DynamicImage) -> Result<(Kind, Vec<u8>), ImageError> {
    let mut bytes = Cursor::new(Vec::with_capacity(32 * 1024));
    let kind = if is_transparent(small) { Kind::WebP } else { Kind::Jpeg };
    match kind {
        Kind::WebP => small.to_rgba8().write_with_encoder(WebPEncoder::new_lossless(&mut bytes))?,
        Kind::Jpeg => {
            small.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY))?;
        }
    }
    Ok((kind, bytes.into_inner()))
}

/// Some of it can be seen through.
fn is_transparent(image: &DynamicImage) -> bool {
    image.color().has_alpha() && image.to_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(image: &DynamicImage) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.png");
        image.save(&path).unwrap();
        (folder, path)
    }

    #[test]
    fn a_large_picture_shrinks_and_keeps_its_shape() {
        let (_folder, path) = saved(&DynamicImage::new_rgb8(1600, 900));
        let (kind, bytes) = thumbnail(&path).unwrap();
        let small = image::load_from_memory(&bytes).unwrap();
        assert_eq!((kind, small.width(), small.height()), (Kind::Jpeg, 384, 216));
    }

    #[test]
    fn only_what_can_be_seen_through_stays_transparent() {
        let opaque = DynamicImage::from(image::RgbaImage::from_pixel(9, 9, image::Rgba([1, 2, 3, 255])));
        let (_folder, path) = saved(&opaque);
        assert_eq!(thumbnail(&path).unwrap().0, Kind::Jpeg);
        let (_folder, path) = saved(&DynamicImage::new_rgba8(9, 9));
        let (kind, bytes) = thumbnail(&path).unwrap();
        assert_eq!(kind, Kind::WebP);
        assert!(image::load_from_memory(&bytes).unwrap().to_rgba8().pixels().all(|pixel| pixel.0[3] == 0));
    }

    #[test]
    fn what_is_no_picture_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.png");
        fs::write(&path, "<html>").unwrap();
        assert!(thumbnail(&path).is_err());
        std::os::unix::fs::symlink(&path, folder.path().join("link.png")).unwrap();
        assert!(thumbnail(&folder.path().join("link.png")).unwrap_err().to_string().contains("regular file"));
    }
}
