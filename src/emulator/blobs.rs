//! Bytes by their hash: uploads and fetched references, in memory or in the
//! state folder.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use sha2::{Digest, Sha256};

#[derive(Debug)]
pub(super) enum Blobs {
    Memory(Mutex<HashMap<String, Bytes>>),
    Folder(PathBuf),
}

impl Blobs {
    /// In the folder, which is created, or in memory.
    pub(super) fn open(folder: Option<PathBuf>) -> io::Result<Self> {
        match folder {
            Some(folder) => {
                std::fs::create_dir_all(&folder)?;
                Ok(Self::Folder(folder))
            }
            None => Ok(Self::Memory(Mutex::default())),
        }
    }

    /// Keeps the bytes and gives their name.
    pub(super) fn put(&self, bytes: &Bytes) -> io::Result<String> {
        let name = hex_hash(bytes);
        match self {
            Self::Memory(map) => {
                let mut map = map.lock().unwrap_or_else(PoisonError::into_inner);
                map.insert(name.clone(), bytes.clone());
            }
            Self::Folder(folder) => {
                let mut file = tempfile::NamedTempFile::new_in(folder)?;
                io::Write::write_all(&mut file, bytes)?;
                file.persist(folder.join(&name)).map_err(|error| error.error)?;
            }
        }
        Ok(name)
    }

    pub(super) fn get(&self, name: &str) -> io::Result<Bytes> {
        match self {
            Self::Memory(map) => {
                let map = map.lock().unwrap_or_else(PoisonError::into_inner);
                map.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
            }
            Self::Folder(folder) => std::fs::read(folder.join(name)).map(Bytes::from),
        }
    }
}

/// SHA-256 in lowercase hex.
pub(super) fn hex_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
