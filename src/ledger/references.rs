//! Where the content of local references was uploaded to.

use rusqlite::{OptionalExtension, params};

use super::{LedgerError, Store};
use crate::job::ContentHash;

impl Store {
    /// An upload of this content that is still alive at `until`.
    pub fn uploaded(&self, sha256: &ContentHash, until: i64) -> Result<Option<String>, LedgerError> {
        Ok(self
            .db
            .prepare_cached("SELECT url FROM upload WHERE sha256 = ?1 AND expires_at > ?2")?
            .query_row(params![sha256.as_bytes(), until], |row| row.get(0))
            .optional()?)
    }

    /// Remembers where content was uploaded to.
    pub fn add_upload(&self, sha256: &ContentHash, url: &str, expires_at: i64) -> Result<(), LedgerError> {
        self.db.prepare_cached("INSERT OR REPLACE INTO upload VALUES (?1, ?2, ?3)")?.execute(params![
            sha256.as_bytes(),
            url,
            expires_at
        ])?;
        Ok(())
    }

    /// The next job that needs it uploads it again.
    pub(super) fn forget_upload(&self, sha256: &ContentHash) -> Result<(), LedgerError> {
        self.db.prepare_cached("DELETE FROM upload WHERE sha256 = ?1")?.execute([sha256.as_bytes()])?;
        Ok(())
    }
}
