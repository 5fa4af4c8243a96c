//! Jobs by their ids, the same in SQL and beside it.

use std::sync::Arc;

use rusqlite::Connection;

use super::{LedgerError, View};
use crate::job::Chosen;

/// Which ids are meant: all of them, or those that match a glob, or those that
/// a list names; with both, those that are in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Select {
    glob: Option<String>,
    chosen: Option<Arc<Chosen>>,
    /// The list as a query takes it.
    ids: Option<Arc<str>>,
}

impl Select {
    /// Ids that match `glob` (`*` any text, `?` one character) and are among
    /// the chosen.
    #[must_use]
    pub fn new(glob: Option<String>, chosen: Option<Chosen>) -> Self {
        let ids = chosen.as_ref().map(|chosen| {
            let ids: Vec<_> = chosen.ids().map(serde_json::Value::from).collect();
            serde_json::Value::Array(ids).to_string().into()
        });
        Self { glob, chosen: chosen.map(Arc::new), ids }
    }

    pub(super) fn glob(&self) -> Option<&str> {
        self.glob.as_deref()
    }

    /// A JSON list.
    pub(super) fn ids(&self) -> Option<&str> {
        self.ids.as_deref()
    }
}

/// Asks a selection for one id after another.
#[derive(Debug)]
pub struct Matcher<'a> {
    select: &'a Select,
    /// Globs mean here what they mean in the ledger's queries.
    db: Option<Connection>,
}

impl<'a> Matcher<'a> {
    /// For one selection.
    pub fn new(select: &'a Select) -> Result<Self, LedgerError> {
        let db = select.glob.as_ref().map(|_| Connection::open_in_memory()).transpose()?;
        Ok(Self { select, db })
    }

    /// Whether this id is meant.
    pub fn matches(&self, id: &str) -> Result<bool, LedgerError> {
        if self.select.chosen.as_ref().is_some_and(|chosen| !chosen.has(id)) {
            return Ok(false);
        }
        let Some(db) = &self.db else { return Ok(true) };
        let mut query = db.prepare_cached("SELECT ?1 GLOB ?2")?;
        Ok(query.query_row((id, &self.select.glob), |row| row.get(0))?)
    }
}

impl View<'_> {
    /// How many of the listed ids are no jobs of the manifest, and the first
    /// of them.
    pub fn strangers(self, select: &Select) -> Result<(u64, Option<String>), LedgerError> {
        let Some(ids) = select.ids() else { return Ok((0, None)) };
        Ok(self.db().query_row(
            "SELECT count(*), min(value) FROM json_each(?1) AS listed
             WHERE NOT EXISTS (SELECT 1 FROM job WHERE id = listed.value AND want <> 2)",
            [ids],
            |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)),
        )?)
    }
}
