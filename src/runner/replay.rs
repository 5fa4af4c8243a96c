//! The step that asks again: the same key and the same bytes, where the
//! provider is known to honour idempotency keys. It buys nothing new.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::shared::Shared;
use super::submit::{Again, Meaning, Submitted};
use crate::api::Submission;
use crate::ledger::{Held, LedgerError, Outcome, Via};

/// Keys are remembered for about a day (section 2 of the API facts); the rest
/// is room for clocks that disagree.
const KEY_LIFE_MS: i64 = 22 * 60 * 60 * 1000;

/// Waits before each replay of one attempt in one run. The first gives the
/// provider time to decide about the original.
const WAITS: [Duration; 4] =
    [Duration::from_secs(15), Duration::from_mins(1), Duration::from_mins(5), Duration::from_mins(15)];

/// An attempt whose key and bytes are to be sent again.
#[derive(Clone, Debug)]
pub(super) struct Replay {
    pub(super) held: Held,
    /// Replays of it in this run that decided nothing.
    pub(super) failures: usize,
}

/// What became of a replay.
#[derive(Debug)]
pub(super) enum Replayed {
    /// The provider named a task, or the ledger failed.
    Settled(Submitted),
    /// It said "not now", or nothing that decides.
    Again(Again),
    /// Unknown once more.
    Still { why: String, retry_after: Option<Duration> },
    /// It refuses the very same request: the original stays in doubt.
    Refused { why: String },
    /// Decided meanwhile.
    Over,
}

/// When a held attempt may be replayed next, in milliseconds since 1970;
/// `None` once it is too old or was tried often enough. Pure.
pub(super) fn replay_at(held: &Held, failures: usize, now_ms: i64) -> Option<i64> {
    let wait = WAITS.get(failures)?.as_millis() as i64;
    let at = if failures == 0 { held.intent_at.saturating_add(wait).max(now_ms) } else { now_ms + wait };
    (at < held.intent_at.saturating_add(KEY_LIFE_MS)).then_some(at)
}

impl Shared {
    /// Sends an attempt's key and bytes once more and records what that decides.
    pub(super) async fn replay(&self, held: &Held, slot: u64, remembered: u32) -> Replayed {
        let attempt = held.attempt;
        let (key, body) = match self.ledger.write(move |store| store.replay(attempt, remembered)).await {
            Ok(Some(request)) => request,
            Ok(None) => return Replayed::Over,
            Err(error) => return Replayed::Settled(Submitted::Broken(error)),
        };
        crash_point!("replay-committed");
        self.sending(slot, Instant::now());
        let answer = self.client.submit(Bytes::from(body), &key).await;
        crash_point!("replay-in-memory");
        match answer {
            Submission::Accepted(accepted) => {
                let via = if accepted.replayed { Via::Replay } else { Via::FreshReplay };
                let mut meaning = Meaning::of(Submission::Accepted(accepted));
                if let Outcome::Accepted(taken) = &mut meaning.outcome {
                    taken.via = via;
                }
                self.settle_replay(held, meaning).await
            }
            other => self.undecided(held, other).await,
        }
    }

    async fn settle_replay(&self, held: &Held, meaning: Meaning) -> Replayed {
        let settled = self.settle(held.job, held.attempt, meaning).await;
        if let Submitted::Taken { taken, .. } = &settled
            && taken.via == Via::FreshReplay
            && let Err(error) = self.doubt_the_keys(held, taken.task.clone()).await
        {
            return Replayed::Settled(Submitted::Broken(error));
        }
        Replayed::Settled(settled)
    }

    /// A callback that named another task for the same key proves a second bill.
    async fn doubt_the_keys(&self, held: &Held, task: String) -> Result<(), LedgerError> {
        let attempt = held.attempt;
        self.ledger
            .write(move |store| match store.callback_task(attempt)? {
                Some(other) if other != task => store
                    .withdraw_keys(&format!("one key made two tasks: {other}, by its callback, and {task}")),
                _ => Ok(()),
            })
            .await
    }

    /// Nothing that the provider says now tells what became of the original.
    async fn undecided(&self, held: &Held, answer: Submission) -> Replayed {
        let conflict = matches!(answer, Submission::Conflict(_));
        let meaning = Meaning::of(answer);
        let why = meaning.why();
        let (job, attempt, detail) = (held.job, held.attempt, why.clone());
        let noted = self.ledger.write(move |store| store.note(job, attempt, "replay", &detail)).await;
        if let Err(error) = noted {
            return Replayed::Settled(Submitted::Broken(error));
        }
        if conflict { Replayed::Refused { why } } else { meaning.of_replay(why) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Credits;

    #[test]
    fn a_replay_waits_for_the_original_and_ends_before_the_key_does() {
        let held = Held {
            job: 1,
            attempt: 1,
            id: "fox".into(),
            intent_at: 1_000_000,
            tries: 1,
            at_risk: Credits::ZERO,
            model: "gpt-image-2".into(),
        };
        let rows = [
            (0, 1_000_000, Some(1_015_000)),
            (0, 9_000_000, Some(9_000_000)),
            (1, 9_000_000, Some(9_060_000)),
            (3, 9_000_000, Some(9_900_000)),
            (4, 9_000_000, None),
            (0, 1_000_000 + KEY_LIFE_MS - 1, Some(1_000_000 + KEY_LIFE_MS - 1)),
            (0, 1_000_000 + KEY_LIFE_MS, None),
            (1, 1_000_000 + KEY_LIFE_MS - 1, None),
        ];
        for (failures, now, expected) in rows {
            assert_eq!(replay_at(&held, failures, now), expected, "{failures} {now}");
        }
    }
}
