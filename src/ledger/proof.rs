//! Estimates that the provider's own figures proved too low: from then on the
//! same kind of submission reserves as many times its estimate.

use rusqlite::{OptionalExtension, params};

use super::{LedgerError, Origin, Store};
use crate::job::Credits;

/// What submissions of one price have in common: model, size, quality, number
/// of pictures and of references. For people to read as well.
const KIND: &str = "json_extract(request, '$.model') || ' ' || json_extract(request, '$.size')
    || ifnull(' ' || json_extract(request, '$.resolution'), '') || ' ' || json_extract(request, '$.quality')
    || ' n=' || n || ' references=' || ifnull(json_array_length(request, '$.images'), 0)";

/// An estimate that was too low, for the first time or by far more than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raise {
    /// The kind of submission.
    pub kind: String,
    /// What was estimated.
    pub estimate: Credits,
    /// What the provider reserved or used.
    pub proven: Credits,
}

/// A proven price over its estimate.
#[derive(Clone, Copy, Debug)]
struct Factor {
    estimate: i64,
    proven: i64,
}

impl Factor {
    /// This many times `estimate`, rounded up.
    fn of(self, estimate: i64) -> i64 {
        let product = i128::from(estimate) * i128::from(self.proven);
        let (whole, rest) = (product / i128::from(self.estimate), product % i128::from(self.estimate));
        i64::try_from(whole + i128::from(rest > 0)).unwrap_or(i64::MAX)
    }

    fn exceeds(self, other: Self) -> bool {
        i128::from(self.proven) * i128::from(other.estimate)
            > i128::from(other.proven) * i128::from(self.estimate)
    }
}

impl Store {
    /// What a job's next submission reserves: its estimate, as often as the
    /// dearest of its kind has proven. `None` without a price.
    pub(super) fn reservation(&self, job: i64) -> Result<Option<Credits>, LedgerError> {
        let Some(estimate) = self.estimate(job)? else { return Ok(None) };
        let nothing_proven: bool = self
            .db
            .prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM proof)")?
            .query_row([], |row| row.get(0))?;
        // Most folders never see one, and a kind is read from the whole request.
        let factor = if nothing_proven { None } else { self.factor(&self.kind(job)?)? };
        Ok(Some(Credits::from_micro(factor.map_or(estimate, |factor| factor.of(estimate)))))
    }

    /// Compares a figure of the provider with the job's estimate. Says where
    /// that raises what its kind reserves.
    pub(super) fn learn(
        &self,
        job: i64,
        attempt: i64,
        figure: Credits,
    ) -> Result<Option<Raise>, LedgerError> {
        // An attempt that adds pictures is about fewer than the job.
        let estimate: Option<i64> = self
            .db
            .prepare_cached(
                "SELECT (job.estimate * attempt.n + job.n - 1) / job.n FROM job JOIN attempt
                 WHERE job.seq = ?1 AND attempt.id = ?2",
            )?
            .query_row([job, attempt], |row| row.get(0))?;
        let Some(estimate) = estimate.filter(|estimate| *estimate > 0 && figure.micro() > *estimate) else {
            return Ok(None);
        };
        let found = Factor { estimate, proven: figure.micro() };
        let kind = self.kind(job)?;
        let known = self.factor(&kind)?;
        if known.is_some_and(|known| !found.exceeds(known)) {
            return Ok(None);
        }
        self.db.execute(
            "INSERT OR REPLACE INTO proof VALUES (?1, ?2, ?3)",
            params![kind, found.estimate, found.proven],
        )?;
        // Prompts of many lengths make many small steps; one in ten is news.
        let is_news = known.is_none_or(|known| {
            let tenth_more = Factor { proven: known.proven.saturating_add(known.proven / 10), ..known };
            found.exceeds(tenth_more)
        });
        let (estimate, proven) = (Credits::from_micro(estimate), figure);
        Ok(is_news.then_some(Raise { kind, estimate, proven }))
    }

    /// What the estimate of a job says of its next submission.
    fn estimate(&self, job: i64) -> Result<Option<i64>, LedgerError> {
        let mut query =
            self.db.prepare_cached("SELECT estimate, n, origin, attempt FROM job WHERE seq = ?1")?;
        let (estimate, n, origin, attempt): (Option<i64>, u32, i64, Option<i64>) =
            query.query_row([job], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        let earlier = attempt.filter(|_| origin == Origin::Short.number());
        let missing = n - earlier.map_or(Ok(0), |earlier| self.kept_by(earlier))?;
        Ok(estimate.map(|estimate| Credits::from_micro(estimate).share(missing, n).micro()))
    }

    fn kind(&self, job: i64) -> Result<String, LedgerError> {
        let sql = format!("SELECT {KIND} FROM job WHERE seq = ?1");
        Ok(self.db.prepare_cached(&sql)?.query_row([job], |row| row.get(0))?)
    }

    fn factor(&self, kind: &str) -> Result<Option<Factor>, LedgerError> {
        let mut query = self.db.prepare_cached("SELECT estimate, proven FROM proof WHERE kind = ?1")?;
        let found = query.query_row([kind], |row| Ok(Factor { estimate: row.get(0)?, proven: row.get(1)? }));
        Ok(found.optional()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_rounds_up_and_is_compared_exactly() {
        let third = Factor { estimate: 3, proven: 4 };
        for (estimate, raised) in [(0, 0), (1, 2), (3, 4), (10, 14), (i64::MAX, i64::MAX)] {
            assert_eq!(third.of(estimate), raised, "{estimate}");
        }
        assert!(Factor { estimate: 30, proven: 41 }.exceeds(third));
        assert!(!Factor { estimate: 30, proven: 40 }.exceeds(third));
    }
}
