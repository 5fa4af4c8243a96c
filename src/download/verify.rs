//! What a file on disk is: its hash, and whether it is a whole picture.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::decode::{self, Row, See};
use super::policy::MAX_PIXELS;
use crate::job::ContentHash;

/// The formats of pictures; the magic bytes decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    WebP,
}

impl Format {
    /// The extension of its files: `png`, `jpg`, `webp`.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
        }
    }

    /// Its name: `png`, `jpeg`, `webp`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::WebP => "webp",
        }
    }

    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => None,
        }
    }
}

/// A verified picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Hash of the file.
    pub sha256: ContentHash,
    /// Length of the file.
    pub bytes: u64,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// By the magic bytes.
    pub format: Format,
}

/// Why a file is not a whole picture.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// The file can't be read.
    #[error("it can't be read")]
    Unreadable(#[source] io::Error),
    /// Nothing is in it.
    #[error("it is empty")]
    Empty,
    /// A web page, most likely an error.
    #[error("it is an HTML page")]
    Html,
    /// None of PNG, JPEG and WebP.
    #[error("it is neither PNG, JPEG nor WebP")]
    NoPicture,
    /// It stops early or its content is broken.
    #[error("it does not decode as {format:?}: {why}")]
    Broken {
        /// By its magic bytes.
        format: Format,
        /// The decoder's words.
        why: String,
    },
    /// More pixels than allowed, by its header.
    #[error("it claims {width}x{height} pixels, more than allowed")]
    TooManyPixels {
        /// By its header.
        width: u32,
        /// By its header.
        height: u32,
    },
    /// More bytes than allowed.
    #[error("it has more than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: u64,
    },
}

/// Hashes the file at `path` and goes through all of it as a picture; blocking.
/// A symbolic link is not followed.
pub fn verify(path: &Path) -> Result<Facts, Damage> {
    facts(path, None)
}

/// As [`verify`]; `see` gets the rows of a PNG that is not interlaced. What it
/// saw counts only if the picture turns out whole.
pub fn verify_seeing(path: &Path, see: &mut dyn FnMut(Row<'_>)) -> Result<Facts, Damage> {
    facts(path, Some(see))
}

fn facts(path: &Path, see: Option<See<'_>>) -> Result<Facts, Damage> {
    let (sha256, bytes) = digest(path).map_err(Damage::Unreadable)?;
    let (format, width, height) = decode::decode(path, MAX_PIXELS, see)?;
    Ok(Facts { sha256, bytes, width, height, format })
}

/// Hashes the file at `path`; blocking. A symbolic link is not followed.
pub fn hash(path: &Path) -> io::Result<ContentHash> {
    digest(path).map(|(hash, _)| hash)
}

fn digest(path: &Path) -> io::Result<(ContentHash, u64)> {
    let mut file = open(path)?;
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((ContentHash::finish(hasher), bytes)),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                bytes += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Opens a regular file for reading; neither a symbolic link nor a pipe.
pub(super) fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// The first bytes of a file, for its magic.
pub(super) fn head(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(512);
    file.take(512).read_to_end(&mut head)?;
    Ok(head)
}
