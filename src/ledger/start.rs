//! The first and the last thing a run does with its ledger.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, params};

use super::enrol::json;
use super::{FolderLock, LedgerError, Rescue, Select, Store, Totals, open, read};
use crate::job::{ContentHash, Credits, State, Tally};

/// What a folder belongs to. Another name or base URL is another run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The manifest's name.
    pub name: String,
    /// Where the pictures are bought; `emulator` for the one in the process.
    pub base_url: String,
}

/// What was found when the ledger was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The last run did not close the ledger: files may be ahead of it.
    pub unclean: bool,
    /// Task ids that had been saved beside a failing ledger and are in it now.
    pub rescued: usize,
    /// Submissions whose outcome nobody knows since the last run ended.
    pub held: usize,
}

impl Store {
    /// Opens the ledger of a locked folder, or makes it, for a run of
    /// `identity`; without one, the ledger must exist. Whatever a crash left
    /// half-told is settled here: rescued task ids first, then every open
    /// attempt becomes unknown.
    pub fn open(lock: FolderLock, identity: Option<&Identity>) -> Result<(Self, Start), LedgerError> {
        if identity.is_none() && !lock.folder().join(open::FILE_NAME).exists() {
            return Err(LedgerError::Missing(lock.folder().to_owned()));
        }
        let db = open::for_writing(lock.folder())?;
        let mut store = Self { db, lock, changes_at_open: 0 };
        if let Some(identity) = identity {
            store.transaction(|store| store.check_identity(identity))?;
        }
        let unclean = store.meta("open")?.is_some();
        let rescued = Rescue::replay(&store)?;
        let held = store.transaction(|store| {
            store.set_meta("open", "1")?;
            if identity.is_some() {
                store.set_meta(read::BEGAN, &now_ms().to_string())?;
                store.forget(read::SAVED)?;
            }
            if unclean {
                store.forget_figures()?;
            }
            store.hold_open_attempts()
        })?;
        if rescued == 0 && held == 0 {
            store.changes_at_open = store.db.total_changes();
        }
        Ok((store, Start { unclean, rescued, held }))
    }

    /// The figures of the whole ledger. Those of the last run are given where
    /// nothing was written since: summing up a million jobs takes a second.
    pub fn totals(&self) -> Result<Totals, LedgerError> {
        if self.is_as_opened()
            && let Some(totals) = read::kept_totals(&self.db)?
        {
            return Ok(totals);
        }
        self.view().totals()
    }

    /// Jobs by state, with the same thrift.
    pub fn tally(&self) -> Result<Tally, LedgerError> {
        let kept = if self.is_as_opened() { read::kept_totals(&self.db)? } else { None };
        kept.map_or_else(|| self.view().tally(), |totals| Ok(totals.jobs))
    }

    /// What the pictures of the jobs that are done and that `select` lets
    /// through have cost: buying them again would cost the same.
    pub fn owned(&self, select: &Select) -> Result<Credits, LedgerError> {
        if *select == Select::default()
            && self.is_as_opened()
            && let Some(micro) = self.meta(read::OWNED)?.and_then(|micro| micro.parse().ok())
        {
            return Ok(Credits::from_micro(micro));
        }
        self.view().owned(select)
    }

    fn forget_figures(&self) -> Result<(), LedgerError> {
        self.forget(read::TOTALS)?;
        self.forget(read::OWNED)
    }

    fn is_as_opened(&self) -> bool {
        self.db.total_changes() == self.changes_at_open
    }

    /// Marks the end of the run, keeps its figures where they are given (`saved`: what it
    /// found done and had not to buy), and
    /// folds the log into `ledger.db`, so that copying that one file is enough.
    pub fn close(self, totals: Option<&Totals>, saved: Option<Credits>) -> Result<(), LedgerError> {
        let as_opened = self.is_as_opened();
        let owned = totals.map(|_| self.owned(&Select::default())).transpose()?;
        self.transaction(|store| {
            match totals.zip(owned) {
                Some((totals, owned)) => {
                    store.set_meta(read::TOTALS, &json(totals)?)?;
                    store.set_meta(read::OWNED, &owned.micro().to_string())?;
                }
                None if as_opened => {}
                None => store.forget_figures()?,
            }
            if let Some(saved) = saved {
                store.set_meta(read::SAVED, &saved.micro().to_string())?;
            }
            store.forget("open")
        })?;
        // The sum of the folder is right without it; a reader may hold the log.
        let _ = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        self.db.close().map_err(|(_, error)| error.into())
    }

    /// Closes the ledger after a command that did not look at the files: if
    /// they may be ahead of it, the next run is still told so.
    pub fn put_back(self, start: Start) -> Result<(), LedgerError> {
        if start.unclean {
            return self.db.close().map_err(|(_, error)| error.into());
        }
        self.close(None, None)
    }

    /// A folder in which nothing was ever bought belongs to whoever comes: a
    /// mistyped address must not bind it.
    fn check_identity(&self, identity: &Identity) -> Result<(), LedgerError> {
        let bought: bool = self.db.query_row(
            "SELECT EXISTS (SELECT 1 FROM attempt WHERE outcome <> 'released')",
            [],
            |row| row.get(0),
        )?;
        for (key, what, ours) in
            [("name", "name", &identity.name), ("base_url", "base URL", &identity.base_url)]
        {
            match self.meta(key)? {
                None => self.set_meta(key, ours)?,
                Some(theirs) if theirs == *ours => {}
                Some(_) if !bought => self.set_meta(key, ours)?,
                Some(theirs) => {
                    let (path, ours) = (self.folder().to_owned(), ours.clone());
                    return Err(LedgerError::Foreign { path, what, theirs, ours });
                }
            }
        }
        Ok(())
    }

    /// Nobody knows what became of them: held, never sent again by themselves.
    pub(super) fn hold_open_attempts(&self) -> Result<usize, LedgerError> {
        let (state, outcome) =
            if sabotaged!("resubmit") { (State::Pending, "released") } else { (State::Unknown, "unknown") };
        self.db.execute(
            "UPDATE job SET state = ?1 WHERE state = 1 AND EXISTS
                (SELECT 1 FROM attempt WHERE attempt.id = job.attempt AND outcome = 'open')",
            [state.number()],
        )?;
        Ok(self.db.execute(
            "UPDATE attempt SET outcome = ?1, why = 'the run ended before the answer was recorded'
             WHERE outcome = 'open'",
            [outcome],
        )?)
    }

    /// Whose folder this is.
    pub fn identity(&self) -> Result<Identity, LedgerError> {
        let value =
            |key| self.meta(key)?.ok_or_else(|| LedgerError::Contradiction(format!("no {key} is recorded")));
        Ok(Identity { name: value("name")?, base_url: value("base_url")? })
    }

    /// Remembers what this run shares with the others of its schedule; the
    /// first word holds.
    pub fn set_series(&self, series: &str) -> Result<(), LedgerError> {
        if self.view().series()?.is_none() {
            self.set_meta("series", series)?;
        }
        Ok(())
    }

    /// Remembers the command that goes on with this run.
    pub fn set_resume(&self, command: &str) -> Result<(), LedgerError> {
        if self.view().resume()?.as_deref() == Some(command) {
            Ok(())
        } else {
            self.set_meta("resume", command)
        }
    }

    /// Remembers the provider as opaque text; it must not hold a key.
    pub fn set_provider(&self, provider: &str) -> Result<(), LedgerError> {
        self.set_meta("provider", provider)
    }

    /// The provider as it was remembered.
    pub fn provider(&self) -> Result<Option<String>, LedgerError> {
        self.view().provider()
    }

    /// The manifest that was enrolled last, if nothing was left out of it.
    pub fn enrolled_digest(&self) -> Result<Option<ContentHash>, LedgerError> {
        Ok(self.meta("manifest")?.and_then(|digest| digest.parse().ok()))
    }

    /// Remembers that exactly this manifest is enrolled, or that none is.
    pub fn set_enrolled_digest(&self, digest: Option<ContentHash>) -> Result<(), LedgerError> {
        match digest {
            Some(digest) => self.set_meta("manifest", &digest.to_string()),
            None => self.forget("manifest"),
        }
    }

    /// How long ago the latest submissions left, for the pacer.
    pub fn send_ages(&self, window: Duration) -> Result<Vec<Duration>, LedgerError> {
        let now = now_ms();
        let since = now - i64::try_from(window.as_millis()).unwrap_or(i64::MAX / 2) * 2;
        let mut query = self.db.prepare("SELECT at FROM send WHERE at > ?1")?;
        let ages = query.query_map([since], |row| row.get::<_, i64>(0))?;
        // A clock that was set back makes a send look like the future: count it as now.
        ages.map(|at| Ok(Duration::from_millis((now - at?).max(0) as u64))).collect()
    }

    /// Remembers what the last refusal came to, as opaque text.
    pub fn set_pace(&self, pace: &str) -> Result<(), LedgerError> {
        self.set_meta("pace", pace)
    }

    /// What the last refusal came to, as it was remembered.
    pub fn pace(&self) -> Result<Option<String>, LedgerError> {
        self.view().pace()
    }

    fn meta(&self, key: &str) -> Result<Option<String>, LedgerError> {
        meta(&self.db, key)
    }

    pub(super) fn set_meta(&self, key: &str, value: &str) -> Result<(), LedgerError> {
        self.db.execute(
            "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
            params![key, value],
        )?;
        Ok(())
    }

    pub(super) fn forget(&self, key: &str) -> Result<(), LedgerError> {
        Ok(self.db.execute("DELETE FROM meta WHERE key = ?1", [key]).map(drop)?)
    }
}

pub(super) fn meta(db: &Connection, key: &str) -> Result<Option<String>, LedgerError> {
    Ok(db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()?)
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as i64)
}
