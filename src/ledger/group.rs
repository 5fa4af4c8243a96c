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
    /// `meta` comes before an axis of the same name.
    pub fn groups(self, column: &str) -> Result<Vec<Group>, LedgerError> {
        let mut query = self.db().prepare(
            "WITH spent AS (
                SELECT job, sum(cost - doubt) FILTER (WHERE outcome = 'accepted') AS reserved,
                       sum(cost - doubt) FILTER (WHERE outcome NOT IN ('accepted', 'open', 'unknown')) AS used,
                       sum(CASE WHEN outcome IN ('open', 'unknown') THEN cost ELSE doubt END) AS at_risk
                FROM attempt GROUP BY job),
             named AS (
                SELECT seq, state, estimate, attempt,
                       CAST(coalesce((SELECT value FROM json_each(job.meta) WHERE key = ?1),
                                     (SELECT value FROM json_each(job.axes) WHERE key = ?1)) AS TEXT) AS value,
                       (SELECT count(*) FROM image WHERE image.attempt = job.attempt AND saved_at IS NOT NULL
                        AND path LIKE 'images/%') AS pictures
                FROM job WHERE want = 0)
             SELECT value, count(*), sum(state = 6), sum(pictures), ifnull(sum(estimate), 0), ifnull(sum(reserved), 0),
                    ifnull(sum(used), 0), ifnull(sum(at_risk), 0)
             FROM named LEFT JOIN spent ON spent.job = named.seq GROUP BY value ORDER BY value IS NULL, value",
        )?;
        let groups = query.query_map([column], |row| {
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
            })
        })?;
        Ok(groups.collect::<Result<_, _>>()?)
    }

    pub(super) fn owned(self, select: &Select) -> Result<Credits, LedgerError> {
        let micro = self.db().query_row(
            "SELECT ifnull(sum(attempt.cost - attempt.doubt), 0) FROM job INDEXED BY job_done JOIN attempt ON attempt.id = job.attempt
             WHERE job.state = 6 AND want = 0 AND (?1 IS NULL OR job.id GLOB ?1)
             AND (?2 IS NULL OR job.id IN (SELECT value FROM json_each(?2)))",
            (select.glob(), select.ids()),
            |row| row.get(0),
        )?;
        Ok(Credits::from_micro(micro))
    }
}
