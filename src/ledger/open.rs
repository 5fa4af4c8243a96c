//! Opening an output folder: the lock, the file's identity, its version.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::LedgerError;

/// The database's name in an output folder.
pub const FILE_NAME: &str = "ledger.db";

/// "imgb", in the SQLite header's application id.
const APPLICATION_ID: i32 = 0x696d_6762;

/// One entry a version, applied in order; a ledger of version k has had the first k.
const MIGRATIONS: [&str; 6] = [
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
];

const KNOWN_VERSION: i32 = MIGRATIONS.len() as i32;

/// Statements the hot paths prepare, all kept.
const STATEMENTS: usize = 64;

/// Held by the one process that may change an output folder.
#[derive(Debug)]
pub struct FolderLock {
    folder: PathBuf,
    _file: File,
}

impl FolderLock {
    /// Makes the folder where needed (readable by its owner only) and locks
    /// it. With `wait`, blocks until the other run leaves.
    pub fn acquire(folder: &Path, wait: bool) -> Result<Self, LedgerError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(LedgerError::file(folder))?;
        let path = folder.join("ledger.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(LedgerError::file(&path))?;
        if wait {
            file.lock().map_err(LedgerError::file(&path))?;
        } else {
            lock_now(&file).map_err(|error| match error {
                TryLockError::WouldBlock => LedgerError::Locked(folder.to_owned()),
                TryLockError::Error(source) => LedgerError::File { path, source },
            })?;
        }
        Ok(Self { folder: folder.to_owned(), _file: file })
    }

    /// Whether a process holds the folder. Finding out takes the lock for a
    /// moment where nobody has it, which [`FolderLock::acquire`] forgives.
    pub fn is_held(folder: &Path) -> Result<bool, LedgerError> {
        let path = folder.join("ledger.lock");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(LedgerError::File { path, source }),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(LedgerError::File { path, source }),
        }
    }

    /// The locked folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Locks without waiting for a run; who only asks whether one is going is waited for.
fn lock_now(file: &File) -> Result<(), TryLockError> {
    const TRIES: u32 = 5;
    for _ in 1..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            result => return result,
        }
    }
    file.try_lock()
}

/// Opens or makes the database for writing.
pub(super) fn for_writing(folder: &Path) -> Result<Connection, LedgerError> {
    let path = folder.join(FILE_NAME);
    check_header(&path)?;
    create_private(&path)?;
    let mut db = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare(&db)?;
    check_content(&db, &path)?;
    if on_network(folder) {
        tracing::warn!(folder = %folder.display(), "this looks like a network file system: the ledger is locked exclusively, and nothing can read it during a run");
        db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    }
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    let synchronous = if sabotaged!("normal-ledger-sync") { "NORMAL" } else { "FULL" };
    db.pragma_update(None, "synchronous", synchronous)?;
    // Keeps what has to be replayed after a kill small.
    db.pragma_update(None, "wal_autocheckpoint", 4000)?;
    db.pragma_update(None, "journal_size_limit", 64 << 20)?;
    migrate(&mut db)?;
    Ok(db)
}

/// Opens the database for reading, also beside a run.
pub(super) fn for_reading(folder: &Path) -> Result<Connection, LedgerError> {
    let path = folder.join(FILE_NAME);
    if !path.exists() {
        return Err(LedgerError::Missing(folder.to_owned()));
    }
    check_header(&path)?;
    let db = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .or_else(|_| connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY))?;
    prepare(&db)?;
    db.pragma_update(None, "query_only", true)?;
    let version: i32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        return Err(LedgerError::Missing(folder.to_owned()));
    }
    if version < KNOWN_VERSION {
        drop(db);
        let _lock = FolderLock::acquire(folder, false)?;
        drop(for_writing(folder)?);
        return for_reading(folder);
    }
    Ok(db)
}

/// A connection is never in two threads at once, so SQLite needs no lock around
/// each of its calls.
fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

fn prepare(db: &Connection) -> Result<(), LedgerError> {
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // Plans don't depend on bound values; otherwise every binding of a value
    // that a partial index might be about compiles its statement anew.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.busy_timeout(Duration::from_secs(10))?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    db.pragma_update(None, "temp_store", "FILE")?;
    Ok(())
}

/// Reads identity and version from the file's first page, so that a foreign
/// or newer file is not even opened by SQLite.
fn check_header(path: &Path) -> Result<(), LedgerError> {
    let mut header = [0; 108];
    match File::open(path).and_then(|mut file| file.read_exact(&mut header)) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            let empty = fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0);
            return if empty { Ok(()) } else { Err(LedgerError::NotALedger(path.to_owned())) };
        }
        Err(source) => return Err(LedgerError::File { path: path.to_owned(), source }),
    }
    let number = |at: usize| i32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let sqlite = header.starts_with(b"SQLite format 3\0");
    // Killed while it was made: a first page without a table; the rest may be in the log beside it.
    let unfinished = number(68) == 0 && header[100] == 0x0d && header[103..105] == [0, 0];
    if !sqlite || !(number(68) == APPLICATION_ID || unfinished) {
        return Err(LedgerError::NotALedger(path.to_owned()));
    }
    let found = number(60);
    if found > KNOWN_VERSION {
        return Err(LedgerError::Newer { path: path.to_owned(), found, known: KNOWN_VERSION });
    }
    Ok(())
}

/// What the header left open: a log beside it may hold a stranger's tables.
fn check_content(db: &Connection, path: &Path) -> Result<(), LedgerError> {
    let ours: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if ours == APPLICATION_ID || tables == 0 { Ok(()) } else { Err(LedgerError::NotALedger(path.to_owned())) }
}

/// SQLite gives -wal and -shm the permissions of the database.
fn create_private(path: &Path) -> Result<(), LedgerError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .and_then(|file| file.set_permissions(fs::Permissions::from_mode(0o600)))
        .map_err(LedgerError::file(path))
}

fn migrate(db: &mut Connection) -> Result<(), LedgerError> {
    let version: i32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let missing = MIGRATIONS.iter().skip(version.max(0) as usize);
    if missing.len() == 0 {
        return Ok(());
    }
    let transaction = db.transaction()?;
    for migration in missing {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", KNOWN_VERSION)?;
    transaction.commit()?;
    // Into the main file at once, where `check_header` reads it.
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

/// File systems whose shared memory and locks don't hold between machines.
#[cfg(target_os = "linux")]
fn on_network(folder: &Path) -> bool {
    const NETWORK: [i64; 6] = [0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x0102_1997, 0x00c3_6400];
    rustix::fs::statfs(folder).is_ok_and(|fs| NETWORK.contains(&(fs.f_type & 0xFFFF_FFFF)))
}

#[cfg(not(target_os = "linux"))]
fn on_network(_folder: &Path) -> bool {
    false
}
