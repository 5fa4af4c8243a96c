//! The figures of a run, told apart by a column of its jobs.

use super::{LedgerError, Select, View};
use crate::job::Credits;

/// The jobs that have one value in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The value; `None` for jobs without the column.
    pub value: Option<String>,
    /// Jobs of the manifest.
    pub jobs: u64,
    /// Of these, done.
    pub succeeded: u64,
    /// Their pictures on disk.
    pub pictures: u64,
    /// Upper estimate of one submission of each.
    pub estimated: Credits,
    /// Held for tasks under way, by all attempts.
    pub reserved: Credits,
    /// Settled, of all attempts.
    pub used: Credits,
    /// Held for submissions whose outcome is unknown.
    pub at_risk: Credits,
    /// Of what is settled, what the last run found done and had not to buy.
    pub saved: Credits,
}

impl View<'_> {
    /// The columns that jobs of the manifest have: of `meta`, and axes.
    pub fn columns(self) -> Result<Vec<String>, LedgerError> {
        let mut query = self.db().prepare(
            "SELECT DISTINCT column.key FROM job, json_each(job.meta) AS column WHERE want = 0
             UNION SELECT DISTINCT column.key FROM job, json_each(job.axes) AS column WHERE want = 0",
        )?;
        Ok(query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// The jobs of the manifest by the value of a column, in its order; one of
    /// `meta` comes before an axis of the same name, and `id` is each job alone.
    pub fn groups(self, column: &str) -> Result<Vec<Group>, LedgerError> {
        let value = if column == "id" {
            "iif(?1 = 'id', job.id, NULL)"
        } else {
            "CAST(coalesce((SELECT value FROM json_each(job.meta) WHERE key = ?1),
                           (SELECT value FROM json_each(job.axes) WHERE key = ?1)) AS TEXT)"
        };
        let sql = format!(
            "WITH spent AS (
                SELECT job, sum(cost - doubt) FILTER (WHERE outcome = 'accepted') AS reserved,
                       sum(cost - doubt) FILTER (WHERE outcome NOT IN ('accepted', 'open', 'unknown')) AS used,
                       sum(CASE WHEN outcome IN ('open', 'unknown') THEN cost ELSE doubt END) AS at_risk,
                       sum(cost - doubt) FILTER (WHERE outcome = 'completed' AND intent_at < ?2) AS earlier
                FROM attempt GROUP BY job),
             named AS (
                SELECT seq, state, estimate, attempt, {value} AS value,
                       (SELECT count(*) FROM image WHERE image.attempt = job.attempt AND saved_at IS NOT NULL
                        AND path LIKE 'images/%') AS pictures
                FROM job WHERE want = 0)
             SELECT value, count(*), sum(state = 6), sum(pictures), ifnull(sum(estimate), 0), ifnull(sum(reserved), 0),
                    ifnull(sum(used), 0), ifnull(sum(at_risk), 0), ifnull(sum(earlier) FILTER (WHERE state = 6), 0)
             FROM named LEFT JOIN spent ON spent.job = named.seq GROUP BY value ORDER BY value IS NULL, value"
        );
        let mut query = self.db().prepare(&sql)?;
        let began = self.began()?;
        let groups = query.query_map((column, began), |row| {
            let count = |at| row.get::<_, i64>(at).map(|count| count as u64);
            let credits = |at| row.get(at).map(Credits::from_micro);
            Ok(Group {
                value: row.get(0)?,
                jobs: count(1)?,
                succeeded: count(2)?,
                pictures: count(3)?,
                estimated: credits(4)?,
                reserved: credits(5)?,
                used: credits(6)?,
                at_risk: credits(7)?,
                saved: credits(8)?,
            })
        })?;
        Ok(groups.collect::<Result<_, _>>()?)
    }

    /// What the done jobs that `select` lets through have cost: with the
    /// pictures that topped them up, and without earlier versions.
    pub(super) fn owned(self, select: &Select) -> Result<Credits, LedgerError> {
        let sum = |sql: &str| -> Result<i64, LedgerError> {
            Ok(self.db().query_row(sql, (select.glob(), select.ids()), |row| row.get(0))?)
        };
        let latest = sum(
            "SELECT ifnull(sum(attempt.cost - attempt.doubt), 0) FROM job INDEXED BY job_done JOIN attempt ON attempt.id = job.attempt
             WHERE job.state = 6 AND want = 0 AND (?1 IS NULL OR job.id GLOB ?1)
             AND (?2 IS NULL OR job.id IN (SELECT value FROM json_each(?2)))",
        )?;
        let added_to = sum("SELECT ifnull(sum(maker.cost - maker.doubt), 0)
             FROM (SELECT DISTINCT source, attempt FROM image WHERE source IS NOT NULL) AS kept
             JOIN job ON job.attempt = kept.attempt JOIN attempt maker ON maker.id = kept.source
             WHERE job.state = 6 AND want = 0 AND (?1 IS NULL OR job.id GLOB ?1)
             AND (?2 IS NULL OR job.id IN (SELECT value FROM json_each(?2)))")?;
        Ok(Credits::from_micro(latest + added_to))
    }
}
