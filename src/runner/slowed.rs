//! What a refusal came to outlives the process: a later run that starts afresh
//! would submit while it was told to wait.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::driver::{Driver, Step};
use crate::pacer::Slowed;

/// An older refusal says nothing about the pace any more.
const FORGOTTEN_AFTER_MS: i64 = 60 * 60 * 1000;

/// As the ledger keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// When it came, and until when nothing is to be sent.
    at: i64,
    until: i64,
    share: f64,
    in_flight: Option<u32>,
}

impl Driver {
    /// Remembers for a later run what the last refusal came to so far.
    pub(super) fn note_pace(&mut self) {
        let text = note(self.pacer.slowed(), self.shared.clock.now_ms());
        let shared = Arc::clone(&self.shared);
        self.steps.push(Box::pin(async move {
            Step::Noted(Box::new(shared.ledger.write(move |store| store.set_pace(&text)).await))
        }));
    }

    /// Takes up what an earlier run noted.
    pub(super) fn keep_to_pace(&mut self, text: &str) {
        if let Some(slowed) = slowed(text, self.shared.clock.now_ms()) {
            self.pacer.keep_to(slowed);
        }
    }
}

fn note(slowed: Slowed, now: i64) -> String {
    let Slowed { hold, share, in_flight } = slowed;
    let note = Note { at: now, until: now + hold.as_millis() as i64, share, in_flight };
    serde_json::to_string(&note).unwrap_or_default()
}

/// What a run remembered of its last refusal, for the next run or a reader.
/// Nothing where it is too old or not to be understood. One from the future
/// (the clock was set back) counts as of now.
#[must_use]
pub fn slowed(text: &str, now: i64) -> Option<Slowed> {
    let note: Note = serde_json::from_str(text).ok()?;
    let fits = note.share > 0.0 && note.share <= 1.0 && note.in_flight != Some(0);
    let now = now.max(note.at);
    if !fits || note.until.max(note.at).saturating_add(FORGOTTEN_AFTER_MS) < now {
        return None;
    }
    let hold = Duration::from_millis(u64::try_from(note.until.saturating_sub(now)).unwrap_or(0));
    Some(Slowed { hold, share: note.share, in_flight: note.in_flight })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_holds_for_an_hour_and_no_longer() {
        let told = Slowed { hold: Duration::from_mins(5), share: 0.5, in_flight: Some(3) };
        let text = note(told, 1_000_000);
        let after = |ms| slowed(&text, 1_000_000 + ms);
        assert_eq!(after(0), Some(told));
        assert_eq!(after(100_000), Some(Slowed { hold: Duration::from_secs(200), ..told }));
        assert_eq!(after(400_000), Some(Slowed { hold: Duration::ZERO, ..told }));
        assert_eq!(after(300_000 + FORGOTTEN_AFTER_MS), Some(Slowed { hold: Duration::ZERO, ..told }));
        assert_eq!(after(300_001 + FORGOTTEN_AFTER_MS), None);
        assert_eq!(after(-9), Some(told));
    }

    #[test]
    fn nonsense_is_not_kept_to() {
        for text in ["", "{}", r#"{"at":0,"until":0,"share":0.0,"in_flight":3}"#, "[1]"] {
            assert_eq!(slowed(text, 0), None, "{text}");
        }
        assert_eq!(slowed(r#"{"at":0,"until":0,"share":1.0,"in_flight":0}"#, 0), None);
    }
}
