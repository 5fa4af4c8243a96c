//! Where the database is, and how it is opened.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::AccountError;

const FILE_NAME: &str = "account.db";
/// How long other processes are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// One entry a version, applied in order.
const MIGRATIONS: [&str; 3] =
    [include_str!("schema.sql"), include_str!("schema_2.sql"), include_str!("schema_3.sql")];

/// The open database.
#[derive(Debug)]
pub struct Account {
    pub(super) db: Connection,
}

/// The user's folder for what runs share: `IMGBATCH_STATE_DIR`, else
/// `imgbatch` below `XDG_STATE_HOME`, else `~/.local/state/imgbatch`.
#[must_use]
pub fn state_folder(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    path("IMGBATCH_STATE_DIR")
        .or_else(|| {
            path("XDG_STATE_HOME").filter(|path| path.is_absolute()).map(|path| path.join("imgbatch"))
        })
        .or_else(|| path("HOME").map(|home| home.join(".local/state/imgbatch")))
}

impl Account {
    /// Opens the database of a state folder, or makes both, readable by their
    /// owner only.
    pub fn open(folder: &Path) -> Result<Self, AccountError> {
        let path = folder.join(FILE_NAME);
        let file = |path: &Path| {
            let path = path.to_owned();
            move |source| AccountError::File { path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(file(folder))?;
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(file(&path))?;
        let tries_end = Instant::now() + PATIENCE;
        loop {
            match connect(&path) {
                Err(AccountError::Sql(error)) if is_busy(&error) && Instant::now() < tries_end => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                opened => return Ok(Self { db: opened? }),
            }
        }
    }

    /// The same where it exists already; asking must not make a folder.
    pub fn open_existing(folder: &Path) -> Result<Option<Self>, AccountError> {
        if folder.join(FILE_NAME).exists() { Self::open(folder).map(Some) } else { Ok(None) }
    }
}

fn connect(path: &Path) -> Result<Connection, AccountError> {
    let mut db = Connection::open(path)?;
    db.busy_timeout(PATIENCE)?;
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "FULL")?;
    migrate(&mut db, path)?;
    Ok(db)
}

/// SQLite itself does not wait where another process turns the log on for the
/// first time, or clears it away as the last to leave.
fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
}

fn migrate(db: &mut Connection, path: &Path) -> Result<(), AccountError> {
    let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version as usize > MIGRATIONS.len() {
        return Err(AccountError::Newer(path.to_owned()));
    }
    for migration in MIGRATIONS.iter().skip(version as usize) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_variable_names_the_folder() {
        let found = |variables: &[(&str, &str)]| {
            state_folder(|name| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
            })
        };
        let home = ("HOME", "/home/ada");
        assert_eq!(found(&[home]), Some("/home/ada/.local/state/imgbatch".into()));
        assert_eq!(found(&[home, ("XDG_STATE_HOME", "/s")]), Some("/s/imgbatch".into()));
        assert_eq!(found(&[home, ("XDG_STATE_HOME", "s")]), Some("/home/ada/.local/state/imgbatch".into()));
        assert_eq!(found(&[home, ("IMGBATCH_STATE_DIR", "/x")]), Some("/x".into()));
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn many_that_come_first_at_once_all_get_in() {
        for _ in 0..30 {
            let folder = tempfile::tempdir().unwrap();
            let together = std::sync::Barrier::new(8);
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        together.wait();
                        drop(Account::open(folder.path()).unwrap());
                    });
                }
            });
        }
    }

    #[test]
    fn asking_makes_nothing_and_a_newer_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        assert!(Account::open_existing(&state).unwrap().is_none());
        assert!(!state.exists());
        let account = Account::open(&state).unwrap();
        account.db.pragma_update(None, "user_version", 99).unwrap();
        drop(account);
        assert!(matches!(Account::open(&state), Err(AccountError::Newer(_))));
    }
}
