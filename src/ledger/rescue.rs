//! Where a task id goes when the ledger can't take it.
//!
//! A disk that fills between the intent and the answer would lose the one
//! name under which a paid picture can be collected. So a small file is
//! allocated and synced before anything is bought; writing into it needs no
//! new block. The next start replays it into the ledger and empties it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::outcome::{Outcome, Taken};
use super::{LedgerError, Store};

const FILE_NAME: &str = "ledger.rescue";

/// Room for some 500 task ids; at most `posts` of them can be on the wire.
const BYTES: u64 = 64 << 10;

/// The open rescue file of a run.
#[derive(Debug)]
pub struct Rescue {
    file: Mutex<File>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    attempt: i64,
    job: i64,
    taken: Taken,
}

impl Rescue {
    /// Allocates the file; called before the first submission.
    pub fn prepare(folder: &Path) -> Result<Self, LedgerError> {
        let path = folder.join(FILE_NAME);
        Self::allocate(&path).map(|file| Self { file: Mutex::new(file) }).map_err(LedgerError::file(path))
    }

    fn allocate(path: &Path) -> io::Result<File> {
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
        // Written zeros, not a hole: the blocks must be there when the disk is full.
        file.write_all(&vec![0; BYTES as usize])?;
        file.sync_all()?;
        file.rewind()?;
        Ok(file)
    }

    /// Keeps a task id that could not be recorded; durable on return.
    pub fn keep(&self, job: i64, attempt: i64, taken: &Taken) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Entry { attempt, job, taken: taken.clone() })?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line)?;
        file.sync_data()?;
        crash_point!("answer-rescued");
        Ok(())
    }

    /// Brings rescued ids into the ledger; returns how many.
    pub(super) fn replay(store: &Store) -> Result<usize, LedgerError> {
        let path = store.folder().join(FILE_NAME);
        let mut text = Vec::new();
        match File::open(&path).and_then(|file| file.take(BYTES).read_to_end(&mut text)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(source) => return Err(LedgerError::File { path, source }),
        }
        let entries: Vec<Entry> =
            text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        let mut rescued = 0;
        for entry in entries {
            rescued += usize::from(store.transaction(|store| store.replay_rescued(&entry))?);
        }
        OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(0))?;
                file.write_all(&vec![0; text.len()])?;
                file.sync_all()
            })
            .map_err(LedgerError::file(path))?;
        Ok(rescued)
    }
}

impl Store {
    /// False where the ledger already knows: a replay may itself be cut short.
    fn replay_rescued(&self, entry: &Entry) -> Result<bool, LedgerError> {
        if !self.attempt_is_undecided(entry.attempt)? {
            return Ok(false);
        }
        self.record(entry.job, entry.attempt, Outcome::Accepted(entry.taken.clone()))?;
        Ok(true)
    }
}
