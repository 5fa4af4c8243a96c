//! The step that reads the provider's list of tasks for those that a
//! submission of unknown outcome may have made.
//!
//! The list carries no prompt, so a wrong guess would be a wrong picture in a
//! dataset: only where nothing else submits with the key, and exactly one task
//! fits exactly one attempt, is it adopted. Otherwise it is shown. An empty
//! list proves nothing.

use std::collections::BTreeMap;

use super::shared::Shared;
use crate::api::{Filter, LookError, Row};
use crate::ledger::{Candidate, LedgerError, Nameless, Outcome, Recorded, Taken, Via};

/// How far the provider's clock and its seconds may be off.
const SKEW_MS: i64 = 10_000;

/// How long a submission may take where a crash hid its end: the patience with
/// one POST.
const LONGEST_POST_MS: i64 = 120_000;

/// Pages that are read at most: ten thousand tasks.
const PAGES: u32 = 200;

/// What a list said.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Attempts that have their task now.
    pub(super) adopted: Vec<(i64, Recorded, Taken)>,
    /// A replayed key made a second task: it is not honoured.
    pub(super) betrayed: Option<String>,
}

/// Why there is no listing.
#[derive(Debug)]
pub(super) enum NoListing {
    Look(LookError),
    Ledger(LedgerError),
}

/// Which tasks which attempts can have made. Pure.
#[derive(Debug, Default, PartialEq, Eq)]
struct Matches {
    /// Attempts with the one task that only they can have made.
    certain: Vec<(i64, String)>,
    /// Every task that an attempt can have made.
    candidates: Vec<(i64, Candidate)>,
}

impl Shared {
    /// Reads the list and records what it decides; `unknown` are the attempts
    /// in doubt with their jobs, `exclusive` whether the key is ours alone.
    pub(super) async fn list(
        &self,
        unknown: BTreeMap<i64, i64>,
        since: i64,
        exclusive: bool,
    ) -> Result<Listing, NoListing> {
        let rows = self.rows_since(since.saturating_sub(SKEW_MS)).await.map_err(NoListing::Look)?;
        let recorded = self.ledger.write(move |store| {
            // An attempt that began earlier may have been on the wire that long.
            let nameless = store.nameless(since.saturating_sub(LONGEST_POST_MS + 2 * SKEW_MS))?;
            let mut strangers = Vec::new();
            for row in rows {
                if store.owner_of(&row.id)?.is_none() {
                    strangers.push(row);
                }
            }
            let matches = Matches::of(&nameless, &strangers);
            let mut listing = Listing::default();
            for (attempt, task) in matches.certain.iter().filter(|_| exclusive) {
                let Some(job) = unknown.get(attempt) else {
                    if store.is_doubted(*attempt)? {
                        let why = format!("one key made two tasks; the list shows {task} as well");
                        store.withdraw_keys(&why)?;
                        listing.betrayed = Some(why);
                    }
                    continue;
                };
                let taken = Taken {
                    task: task.clone(),
                    estimated: None,
                    reserved: None,
                    request_id: None,
                    via: Via::List,
                };
                let recorded = store.record(*job, *attempt, Outcome::Accepted(taken.clone()))?;
                listing.adopted.push((*attempt, recorded, taken));
            }
            store.set_candidates(&matches.candidates)?;
            Ok(listing)
        });
        recorded.await.map_err(NoListing::Ledger)
    }

    /// Image tasks that were made since `since` (milliseconds since 1970).
    async fn rows_since(&self, since: i64) -> Result<Vec<Row>, LookError> {
        let mut found = Vec::new();
        for page in 1..=PAGES {
            let filter = Filter { page, ..Filter::default() };
            let rows = self.client.list(&filter).await?.rows;
            let last = rows.len() < filter.page_size as usize;
            let (young, old): (Vec<Row>, Vec<Row>) =
                rows.into_iter().partition(|row| created_ms(row).is_none_or(|at| at >= since));
            found.extend(young);
            // Newest first: what follows is older still.
            if last || !old.is_empty() {
                break;
            }
        }
        Ok(found)
    }
}

impl Matches {
    fn of(nameless: &[Nameless], rows: &[Row]) -> Self {
        let mut matches = Self::default();
        let mut takers: BTreeMap<&str, usize> = BTreeMap::new();
        for attempt in nameless {
            for row in rows.iter().filter(|row| can_have_made(attempt, row)) {
                *takers.entry(&row.id).or_default() += 1;
                matches.candidates.push((attempt.attempt, candidate(row)));
            }
        }
        for attempt in nameless {
            let mut own = matches.candidates.iter().filter(|(owner, _)| *owner == attempt.attempt);
            if let (Some((_, only)), None) = (own.next(), own.next())
                && takers.get(only.task.as_str()) == Some(&1)
            {
                matches.certain.push((attempt.attempt, only.task.clone()));
            }
        }
        matches
    }
}

fn candidate(row: &Row) -> Candidate {
    Candidate { task: row.id.clone(), status: row.status.clone(), created_at: created_ms(row) }
}

/// An attempt can have made a task of its model that began while the attempt
/// was on the wire. What the list does not say could be anything.
fn can_have_made(attempt: &Nameless, row: &Row) -> bool {
    let model = row.model.as_deref().is_none_or(|model| attempt.model.is_empty() || model == attempt.model);
    // A ledger that somebody else filled may hold any number.
    let end = attempt.lost_at.unwrap_or(attempt.intent_at.saturating_add(LONGEST_POST_MS));
    let span = attempt.intent_at.saturating_sub(SKEW_MS)..=end.saturating_add(SKEW_MS);
    model && created_ms(row).is_none_or(|at| span.contains(&at))
}

fn created_ms(row: &Row) -> Option<i64> {
    row.created_at.map(|seconds| seconds.saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(attempt: i64, from_s: i64, lost_s: Option<i64>) -> Nameless {
        Nameless {
            attempt,
            model: "gpt-image-2".into(),
            intent_at: from_s * 1000,
            lost_at: lost_s.map(|at| at * 1000),
        }
    }

    fn row(id: &str, created_at: i64) -> Row {
        Row {
            id: id.into(),
            status: "processing".into(),
            model: Some("gpt-image-2".into()),
            created_at: Some(created_at),
            has_results: false,
            has_error: false,
            used: None,
        }
    }

    fn certain(nameless: &[Nameless], rows: &[Row]) -> Vec<(i64, String)> {
        Matches::of(nameless, rows).certain
    }

    #[test]
    fn one_task_in_the_window_of_one_attempt_is_certain() {
        let one = [attempt(1, 1000, Some(1002))];
        assert_eq!(certain(&one, &[row("a", 1001)]), [(1, "a".into())]);
        assert_eq!(certain(&one, &[row("a", 980)]), []);
        assert_eq!(certain(&one, &[row("a", 1013)]), []);
        assert_eq!(certain(&one, &[]), []);
    }

    #[test]
    fn two_tasks_or_two_attempts_are_a_guess() {
        let two = [attempt(1, 1000, Some(1002)), attempt(2, 1001, Some(1003))];
        assert_eq!(certain(&two[..1], &[row("a", 1001), row("b", 1002)]), []);
        assert_eq!(certain(&two, &[row("a", 1001)]), []);
        assert_eq!(certain(&two, &[row("a", 1001), row("b", 1002)]), []);
        assert_eq!(Matches::of(&two, &[row("a", 1001), row("b", 1002)]).candidates.len(), 4);
    }

    #[test]
    fn far_apart_each_attempt_finds_its_own() {
        let two = [attempt(1, 1000, Some(1002)), attempt(2, 2000, None)];
        let rows = [row("b", 2100), row("a", 1001)];
        assert_eq!(certain(&two, &rows), [(1, "a".into()), (2, "b".into())]);
    }

    #[test]
    fn another_model_is_no_candidate_and_what_is_not_said_may_be_anything() {
        let one = [attempt(1, 1000, Some(1002))];
        let other = Row { model: Some("other".into()), ..row("a", 1001) };
        assert_eq!(Matches::of(&one, &[other]).candidates, []);
        let timeless = Row { created_at: None, ..row("t", 0) };
        assert_eq!(certain(&one, &[timeless, row("a", 1001)]), []);
    }
}
