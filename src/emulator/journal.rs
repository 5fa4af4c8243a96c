//! The append-only file behind a state folder: one JSON document a line.
//!
//! A line is handed to the system before the request that caused it is
//! answered, so that a killed emulator knows every task that it billed. It is
//! not synced: a power cut is not part of the show.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::callback::Outcome;
use super::task::{Inputs, Task};
use super::uploads::Upload;

/// What the journal remembers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// A task was created and billed.
    Task(Box<Task>),
    /// A task's references were fetched, or could not be.
    Inputs { task: String, inputs: Inputs },
    /// A task's callback was delivered, or never will be.
    Called { task: String, outcome: Outcome },
    /// A file was uploaded.
    Upload(Upload),
}

#[derive(Debug)]
pub(super) struct Journal {
    file: File,
}

/// The journal can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum JournalError {
    #[error("cannot use the journal `{path}`")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{path}` line {line} is not a journal entry; move the folder away to start afresh")]
    Entry {
        path: PathBuf,
        line: usize,
        #[source]
        source: serde_json::Error,
    },
}

impl Journal {
    /// Opens or creates the journal and reads what it holds. A last line
    /// without its end was being written when the process died: it was never
    /// answered for, and is cut off.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Entry>), JournalError> {
        let io = |source| JournalError::Io { path: path.to_owned(), source };
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(io)?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            file.set_len(whole as u64).map_err(io)?;
            file.seek(SeekFrom::End(0)).map_err(io)?;
        }
        let entries = text[..whole].split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let entries = entries.enumerate().map(|(index, line)| {
            serde_json::from_slice(line).map_err(|source| JournalError::Entry {
                path: path.to_owned(),
                line: index + 1,
                source,
            })
        });
        Ok((Self { file }, entries.collect::<Result<_, _>>()?))
    }

    /// Appends one entry in one write.
    pub(super) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(task: &str) -> Entry {
        Entry::Inputs { task: task.to_owned(), inputs: Inputs::Waiting }
    }

    #[test]
    fn a_torn_last_line_is_cut_off_and_the_next_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.append(&inputs("one")).unwrap();
        journal.file.write_all(b"{\"inputs\":{\"task\":\"tw").unwrap();
        drop(journal);
        let (mut journal, entries) = Journal::open(&path).unwrap();
        assert_eq!(entries.len(), 1);
        journal.append(&inputs("three")).unwrap();
        assert_eq!(Journal::open(&path).unwrap().1.len(), 2);
    }

    #[test]
    fn a_broken_line_in_the_middle_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        std::fs::write(&path, "nonsense\n").unwrap();
        assert!(Journal::open(&path).unwrap_err().to_string().contains("line 1"));
    }
}
