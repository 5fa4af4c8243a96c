//! What the provider's own figures proved about estimates: see `job::Raise`.

use rusqlite::{Connection, params};

use super::{LedgerError, Origin, Store, View};
use crate::job::{Credits, Raise, Raises, kind_of};

impl Store {
    /// What a job's next submission reserves: its estimate, as often as the
    /// dearest of its kind has proven. `None` without a price.
    pub(super) fn reservation(&self, job: i64) -> Result<Option<Credits>, LedgerError> {
        let Some(estimate) = self.estimate(job)? else { return Ok(None) };
        let raises = raises(&self.db)?;
        // Most folders never see one, and a kind is read from the whole request.
        let raise = if raises.is_empty() { None } else { raises.of_kind(&self.kind(job)?) };
        Ok(Some(raise.map_or(estimate, |raise| raise.of(estimate))))
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
        let found = Raise { kind: self.kind(job)?, estimate: Credits::from_micro(estimate), proven: figure };
        let known = raises(&self.db)?.of_kind(&found.kind).cloned();
        if known.as_ref().is_some_and(|known| !found.exceeds(known)) {
            return Ok(None);
        }
        self.adopt_raise(&found)?;
        Ok(is_news(&found, known.as_ref()).then_some(found))
    }

    /// Reserves by what another folder has seen as well.
    pub fn adopt_raises(&self, others: &Raises) -> Result<(), LedgerError> {
        let mut known = raises(&self.db)?;
        for raise in others.iter() {
            if known.add(raise.clone()) {
                self.adopt_raise(raise)?;
            }
        }
        Ok(())
    }

    fn adopt_raise(&self, raise: &Raise) -> Result<(), LedgerError> {
        let Raise { kind, estimate, proven } = raise;
        self.db.prepare_cached("INSERT OR REPLACE INTO proof VALUES (?1, ?2, ?3)")?.execute(params![
            kind,
            estimate.micro(),
            proven.micro()
        ])?;
        Ok(())
    }

    /// What the estimate of a job says of its next submission.
    fn estimate(&self, job: i64) -> Result<Option<Credits>, LedgerError> {
        let mut query =
            self.db.prepare_cached("SELECT estimate, n, origin, attempt FROM job WHERE seq = ?1")?;
        let (estimate, n, origin, attempt): (Option<i64>, u32, i64, Option<i64>) =
            query.query_row([job], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        let earlier = attempt.filter(|_| origin == Origin::Short.number());
        let missing = n - earlier.map_or(Ok(0), |earlier| self.kept_by(earlier))?;
        Ok(estimate.map(|estimate| Credits::from_micro(estimate).share(missing, n)))
    }

    fn kind(&self, job: i64) -> Result<String, LedgerError> {
        Ok(kind_of(&self.view().request(job)?))
    }
}

impl View<'_> {
    /// What was proven in this folder.
    pub fn raises(self) -> Result<Raises, LedgerError> {
        raises(self.db)
    }
}

fn raises(db: &Connection) -> Result<Raises, LedgerError> {
    let mut query = db.prepare_cached("SELECT kind, estimate, proven FROM proof")?;
    let raises = query.query_map([], |row| {
        let (estimate, proven) = (Credits::from_micro(row.get(1)?), Credits::from_micro(row.get(2)?));
        Ok(Raise { kind: row.get(0)?, estimate, proven })
    })?;
    Ok(raises.collect::<Result<_, _>>()?)
}

/// Whether a user should hear of it: prompts of many lengths make many small
/// steps, and providers round.
fn is_news(found: &Raise, known: Option<&Raise>) -> bool {
    let within = |raise: &Raise, part: i64| {
        let proven = raise.proven.micro().saturating_add(raise.proven.micro() / part);
        Raise { proven: Credits::from_micro(proven), ..raise.clone() }
    };
    match known {
        None => found.exceeds(&within(&Raise { proven: found.estimate, ..found.clone() }, 100)),
        Some(known) => found.exceeds(&within(known, 10)),
    }
}
