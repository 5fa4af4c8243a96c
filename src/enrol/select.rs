//! The part of a manifest that a run is about.

use crate::ledger::{Filter, Origin, Select};

/// Jobs by the reason for which they would run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Only {
    /// Never submitted.
    New,
    /// The manifest asks for something else than before.
    Changed,
    /// Failed: ordered and paid again.
    Failed,
    /// Done with fewer pictures than asked for: the others are bought.
    Short,
    /// Held with an unknown outcome: resolved where that is possible, nothing is bought.
    Unknown,
}

/// What `--only`, `--select`, `--select-from` and `--limit` leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// By reason.
    pub only: Option<Only>,
    /// By id.
    pub select: Select,
    /// By number.
    pub limit: Option<u64>,
}

impl Selection {
    /// Which pending jobs may be submitted; `None` for none at all.
    #[must_use]
    pub fn filter(&self) -> Option<Filter> {
        let origin = match self.only {
            None => None,
            Some(Only::New) => Some(Origin::New),
            Some(Only::Changed) => Some(Origin::Changed),
            Some(Only::Failed) => Some(Origin::Failed),
            Some(Only::Short) => Some(Origin::Short),
            Some(Only::Unknown) => return None,
        };
        Some(Filter { origin, select: self.select.clone() })
    }

    /// Jobs of this kind are bought by this run.
    #[must_use]
    pub fn takes(&self, kind: Only) -> bool {
        match (self.only, kind) {
            (None, Only::New | Only::Changed) => true,
            (None, Only::Failed | Only::Short | Only::Unknown) => false,
            (Some(only), kind) => only == kind,
        }
    }

    /// Something narrows the run.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        *self != Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_run_buys_what_is_new_or_changed_and_nothing_else() {
        let plain = Selection::default();
        let kinds = [Only::New, Only::Changed, Only::Failed, Only::Short, Only::Unknown];
        assert_eq!(kinds.map(|kind| plain.takes(kind)), [true, true, false, false, false]);
        let failed = Selection { only: Some(Only::Failed), ..Selection::default() };
        assert_eq!(kinds.map(|kind| failed.takes(kind)), [false, false, true, false, false]);
        assert_eq!(Selection { only: Some(Only::Unknown), ..Selection::default() }.filter(), None);
    }
}
