//! An attempt that adds pictures to those of an earlier one: it takes them
//! over when it is intended, and gives them back where it brings none. The
//! pictures of a job always stand under one attempt, its latest.

use rusqlite::{OptionalExtension, params};

use super::{LedgerError, Store};

impl Store {
    /// How many pictures stand under an attempt.
    pub(super) fn kept_by(&self, attempt: i64) -> Result<u32, LedgerError> {
        Ok(self
            .db
            .prepare_cached("SELECT count(*) FROM image WHERE attempt = ?1 AND saved_at IS NOT NULL")?
            .query_row([attempt], |row| row.get(0))?)
    }

    /// The pictures of `earlier` stand under `attempt` from now on. One that
    /// was released added none: what it continued is continued.
    pub(super) fn take_over(&self, attempt: i64, earlier: i64) -> Result<(), LedgerError> {
        self.db
            .prepare_cached(
                "UPDATE attempt SET continues =
                    (SELECT CASE outcome WHEN 'released' THEN continues ELSE id END FROM attempt WHERE id = ?2)
                 WHERE id = ?1",
            )?
            .execute([attempt, earlier])?;
        self.db
            .prepare_cached(
                "UPDATE image SET attempt = ?1, source = ifnull(source, attempt) WHERE attempt = ?2 AND saved_at IS NOT NULL",
            )?
            .execute([attempt, earlier])?;
        Ok(())
    }

    /// The other way round: `attempt` is history, and the job is as it was.
    pub(super) fn give_back(&self, job: i64, attempt: i64, earlier: i64) -> Result<(), LedgerError> {
        self.db
            .prepare_cached(
                "UPDATE image SET attempt = ?2, source = nullif(ifnull(source, attempt), ?2)
                 WHERE attempt = ?1 AND saved_at IS NOT NULL",
            )?
            .execute([attempt, earlier])?;
        self.db.prepare_cached("UPDATE job SET attempt = ?2 WHERE seq = ?1")?.execute([job, earlier])?;
        Ok(())
    }

    /// The earlier attempt that a task belongs to; `None` for the attempt's own.
    pub(super) fn source_of(&self, job: i64, attempt: i64, task: &str) -> Result<Option<i64>, LedgerError> {
        Ok(self
            .db
            .prepare_cached("SELECT id FROM attempt WHERE task = ?1 AND job = ?2 AND id <> ?3")?
            .query_row(params![task, job, attempt], |row| row.get(0))
            .optional()?)
    }

    /// Pictures that an earlier attempt bought are gone and asked for.
    pub(super) fn reads_earlier(&self, attempt: i64) -> Result<bool, LedgerError> {
        Ok(self
            .db
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM image WHERE attempt = ?1 AND saved_at IS NULL AND source IS NOT NULL)",
            )?
            .query_row([attempt], |row| row.get(0))?)
    }

    /// Links belong to the pictures that their task made, in order. What a
    /// task no longer names is lost.
    pub(super) fn add_links(
        &self,
        attempt: i64,
        source: Option<i64>,
        links: &[String],
        expires_at: i64,
    ) -> Result<(), LedgerError> {
        let mut insert = self.db.prepare_cached(
            "INSERT INTO image (attempt, number, link, expires_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (attempt, number)
             DO UPDATE SET link = excluded.link, expires_at = excluded.expires_at WHERE saved_at IS NULL",
        )?;
        for (number, link) in self.numbers(attempt, source, links.len())?.iter().zip(links) {
            insert.execute(params![attempt, number, link, expires_at])?;
        }
        self.db
            .prepare_cached(
                "UPDATE image SET expires_at = ?2 WHERE attempt = ?1 AND source IS ?3 AND saved_at IS NULL AND expires_at IS NULL",
            )?
            .execute(params![attempt, expires_at, source])?;
        Ok(())
    }

    /// The numbers of the pictures of one task under an attempt that took
    /// others over: of an earlier task those that it brought, of its own those
    /// that are free.
    fn numbers(&self, attempt: i64, source: Option<i64>, count: usize) -> Result<Vec<u32>, LedgerError> {
        let mut query = self.db.prepare_cached(
            "SELECT number FROM image WHERE attempt = ?1 AND (?2 IS NULL) = (source IS NULL)
             AND ifnull(source = ?2, 1) ORDER BY number",
        )?;
        let theirs = query.query_map(params![attempt, source], |row| row.get(0))?;
        let mut numbers: Vec<u32> = theirs.collect::<Result<_, _>>()?;
        if source.is_none() {
            let mut query = self.db.prepare_cached("SELECT number FROM image WHERE attempt = ?1")?;
            let taken: Vec<u32> = query.query_map([attempt], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let free = (1..).filter(|number| !taken.contains(number));
            let more = count.saturating_sub(numbers.len());
            numbers.extend(free.take(more));
        }
        Ok(numbers)
    }
}
