//! A text file line by line, without ever holding more than one line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The longest line: far more than the longest prompt.
const LINE: u64 = 1 << 20;
const BOM: &str = "\u{feff}";

/// A mistake in one line of a data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LineError {
    /// Counted from 1.
    pub(super) line: u64,
    pub(super) message: String,
}

/// Lines with their numbers, without line ends; blank ones are left out.
#[derive(Debug)]
pub(super) struct Lines {
    reader: BufReader<File>,
    line: u64,
    broken: bool,
}

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { reader: BufReader::with_capacity(64 << 10, open_file(path)?), line: 0, broken: false })
    }

    fn read(&mut self) -> Result<Option<String>, String> {
        let mut bytes = vec![];
        let count = self
            .reader
            .by_ref()
            .take(LINE)
            .read_until(b'\n', &mut bytes)
            .map_err(|error| error.to_string())?;
        self.line += 1;
        match count as u64 {
            0 => return Ok(None),
            LINE if !bytes.ends_with(b"\n") => return Err("the line is longer than 1 MiB".into()),
            _ => {}
        }
        for end in [b'\n', b'\r'] {
            bytes.pop_if(|last| *last == end);
        }
        if self.line == 1 && bytes.starts_with(BOM.as_bytes()) {
            bytes.drain(..BOM.len());
        }
        String::from_utf8(bytes).map(Some).map_err(|_| "the line is not UTF-8".into())
    }
}

impl Iterator for Lines {
    type Item = Result<(u64, String), LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.broken {
            match self.read() {
                Ok(None) => return None,
                Ok(Some(line)) if line.trim().is_empty() => {}
                Ok(Some(line)) => return Some(Ok((self.line, line))),
                Err(message) => {
                    self.broken = true;
                    return Some(Err(LineError { line: self.line, message }));
                }
            }
        }
        None
    }
}

/// Opens a regular file: a folder or a pipe would fail later and oddly.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    let meta = std::fs::metadata(path)?;
    if meta.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    File::open(path)
}

/// Reads a whole small file.
pub(super) fn read_small(path: &Path) -> Result<String, String> {
    let mut bytes = vec![];
    let file = open_file(path).map_err(|error| error.to_string())?;
    file.take(LINE + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LINE {
        return Err("it is larger than 1 MiB".into());
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    Ok(text.strip_prefix(BOM).map_or(text.clone(), str::to_owned))
}
