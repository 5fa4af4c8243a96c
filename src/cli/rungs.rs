//! What will happen by itself to a submission of unknown outcome, and when, in
//! plain words.

use crate::cli::connect::Provider;
use crate::ledger::{LedgerError, UnknownRow, View};

/// Keys of this age are still sent again; see `runner/replay.rs`.
const KEY_LIFE_MS: i64 = 22 * 60 * 60 * 1000;

/// What a folder's provider offers to resolve what is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rungs {
    /// Idempotency keys are honoured, and nothing has spoken against it.
    honours_keys: bool,
    /// Nothing else submits with the API key.
    exclusive_key: bool,
}

impl Rungs {
    /// As the last run knew them.
    pub(super) fn of(view: View<'_>) -> Result<Self, LedgerError> {
        let provider: Option<Provider> = view.provider()?.and_then(|text| serde_json::from_str(&text).ok());
        let Some(provider) = provider else { return Ok(Self::default()) };
        Ok(Self {
            honours_keys: provider.honours_keys() && view.keys_withdrawn()?.is_none(),
            exclusive_key: provider.exclusive_key,
        })
    }

    /// What happens next to this submission.
    pub(super) fn next(self, row: &UnknownRow, now_ms: i64) -> String {
        let end = row.intent_at.saturating_add(KEY_LIFE_MS);
        let mut steps = Vec::new();
        if self.honours_keys && now_ms < end {
            let until = jiff::Timestamp::from_millisecond(end)
                .map_or_else(|_| String::new(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string());
            steps.push(format!("the next run asks again under its key, until {until}"));
        }
        if row.called {
            steps.push("a callback may name its task while a run is going".to_owned());
        }
        if self.exclusive_key {
            steps.push("the next run looks for its task in the API's list".to_owned());
        }
        if steps.is_empty() { "nothing by itself: you decide".to_owned() } else { steps.join("; ") }
    }

    /// What "unknown" means, and what to type.
    pub(super) fn explanation(self, out: &str) -> String {
        let by_itself = if self.honours_keys || self.exclusive_key {
            format!("  imgbatch resolve {out}                     # try what can be tried, buy nothing\n")
        } else {
            String::new()
        };
        format!(
            "Unknown means: the request may have reached the API and been billed, and no answer\n\
             says so. It is never bought again by itself. Check your account, then decide:\n{by_itself}  \
             imgbatch resolve {out} --all --resubmit    # it did not happen\n  \
             imgbatch resolve {out} --all --abandon     # give it up, count it as spent\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Credits;

    #[test]
    fn what_happens_by_itself_follows_from_what_the_provider_offers() {
        let row = |called| UnknownRow {
            id: "fox".into(),
            key: "k".into(),
            intent_at: 0,
            why: String::new(),
            at_risk: Credits::ZERO,
            replays: 0,
            called,
        };
        let rungs = |honours_keys, exclusive_key| Rungs { honours_keys, exclusive_key };
        assert_eq!(rungs(false, false).next(&row(false), 1), "nothing by itself: you decide");
        assert_eq!(
            rungs(true, false).next(&row(false), 1),
            "the next run asks again under its key, until 1970-01-01 22:00 UTC"
        );
        assert_eq!(rungs(true, false).next(&row(false), KEY_LIFE_MS), "nothing by itself: you decide");
        assert_eq!(
            rungs(false, true).next(&row(true), 1),
            "a callback may name its task while a run is going; the next run looks for its task in the API's list"
        );
    }
}
