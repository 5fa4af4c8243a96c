//! Local reference pictures and masks: they must be there, be what the
//! provider takes, and are known by their content.

use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use image::{ImageFormat, ImageReader};
use sha2::{Digest, Sha256};

use crate::job::{ContentHash, Reference};

use super::alpha::{Alpha, look_at};
use super::lines::open_file;
use super::whole::fault;

/// The largest file that the provider takes.
const BYTES: u64 = 50_000_000;
/// The most pixels and the longest side of a reference.
const PIXELS: u64 = 178_956_970;
const SIDE: u32 = 23_170;
/// Pictures remembered within one pass.
const REMEMBERED: usize = 4_096;

/// What matters of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) sha256: ContentHash,
    pub(super) size: (u32, u32),
    pub(super) png: bool,
    /// It has an alpha channel.
    pub(super) alpha: bool,
}

/// Looks at local pictures, at each one once.
#[derive(Debug, Default)]
pub(super) struct Files {
    seen: HashMap<PathBuf, Result<Picture, String>>,
    masks: HashMap<PathBuf, Result<Alpha, String>>,
}

impl Files {
    /// A link as it is; a file with the hash of its content.
    pub(super) fn reference(
        &mut self,
        text: &str,
        path: PathBuf,
    ) -> Result<(Reference, Option<Picture>), String> {
        if text.contains("://") || text.starts_with("data:") {
            return Ok((Reference::Url(text.to_owned()), None));
        }
        if text.trim().is_empty() {
            return Err("the path of the picture is empty".into());
        }
        let picture = self.picture(&path).map_err(|reason| format!("{text}: {reason}"))?;
        Ok((Reference::File { path, sha256: picture.sha256, scaled_to: None }, Some(picture)))
    }

    fn picture(&mut self, path: &Path) -> Result<Picture, String> {
        if let Some(known) = self.seen.get(path) {
            return known.clone();
        }
        if self.seen.len() >= REMEMBERED {
            self.seen.clear();
        }
        let picture = look(path);
        self.seen.insert(path.to_owned(), picture.clone());
        picture
    }
}

impl Files {
    /// What the transparency of a mask says; decodes all of it.
    pub(super) fn alpha(&mut self, path: &Path) -> Result<Alpha, String> {
        if let Some(known) = self.masks.get(path) {
            return known.clone();
        }
        if self.masks.len() >= REMEMBERED {
            self.masks.clear();
        }
        let alpha = look_at(path).map_err(|reason| format!("{}: {reason}", path.display()));
        self.masks.insert(path.to_owned(), alpha.clone());
        alpha
    }
}

fn look(path: &Path) -> Result<Picture, String> {
    let file = open_file(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    })?;
    let bytes = file.metadata().map_err(|error| error.to_string())?.len();
    if bytes > BYTES {
        return Err(format!("it has {bytes} bytes; at most 50 MB are allowed"));
    }
    let sha256 = hash(file)?;
    // The content decides, not the name.
    let file = open_file(path).map_err(|error| error.to_string())?;
    let reader =
        ImageReader::new(BufReader::new(file)).with_guessed_format().map_err(|error| error.to_string())?;
    let format = reader
        .format()
        .filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP));
    let format = format.ok_or("it is not a PNG, JPEG or WebP picture")?;
    let size = reader.into_dimensions().map_err(|_| "its header can't be read as a picture".to_owned())?;
    if u64::from(size.0) * u64::from(size.1) > PIXELS || size.0.max(size.1) > SIDE {
        return Err(format!(
            "it is {}x{}; at most {PIXELS} pixels and {SIDE} a side are allowed",
            size.0, size.1
        ));
    }
    let file = open_file(path).map_err(|error| error.to_string())?;
    if let Some(fault) = fault(BufReader::new(file), format) {
        return Err(fault);
    }
    let png = format == ImageFormat::Png;
    Ok(Picture { sha256, size, png, alpha: png && has_alpha(path) })
}

fn hash(file: impl Read) -> Result<ContentHash, String> {
    let mut hasher = Sha256::new();
    let mut reader = file.take(BYTES + 1);
    let mut chunk = vec![0; 64 << 10];
    loop {
        match reader.read(&mut chunk).map_err(|error| error.to_string())? {
            0 => return Ok(ContentHash::finish(hasher)),
            count => hasher.update(&chunk[..count]),
        }
    }
}

fn has_alpha(path: &Path) -> bool {
    let Ok(file) = open_file(path) else { return false };
    let reader = png::Decoder::new(BufReader::new(file)).read_info();
    reader.is_ok_and(|reader| {
        matches!(reader.info().color_type, png::ColorType::Rgba | png::ColorType::GrayscaleAlpha)
    })
}
