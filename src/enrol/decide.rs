//! What the ledger's knowledge makes of a wanted job. Pure.

use serde::Serialize;

use crate::job::{Difference, State, Wanted};
use crate::ledger::Known;

/// What a run would do with a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Buy it: no submission was ever made for it.
    New,
    /// Buy it again: the manifest asks for something else.
    Changed(Vec<Difference>),
    /// Nothing to pay: the picture was bought under another id.
    Renamed {
        /// That id.
        from: String,
    },
    /// Nothing to do: the picture is here.
    Reuse {
        /// How many fewer there are than the job asks for.
        missing: u32,
    },
    /// Buy the pictures that it is short of.
    Short {
        /// How many.
        missing: u32,
        /// They were ordered by an earlier run.
        ordered: bool,
    },
    /// Nothing to pay: submitted, and not yet here.
    Collect,
    /// Buy it only when asked: it failed.
    Failed,
    /// Hold it: nobody knows whether its submission was billed.
    Unknown,
    /// The manifest leaves it out.
    Skip,
    /// The manifest no longer names it; its files stay.
    Removed,
}

/// What is known of an id, or of its request under another id.
#[derive(Clone, Debug)]
pub(super) enum Record {
    /// No manifest ever named it, and nobody else owns its picture.
    None,
    /// The id is known; with the differences to what it asked for.
    Same(Known, Vec<Difference>),
    /// Unknown id, and the picture belongs to an id that is gone.
    Elsewhere(String),
}

/// `topping`: the pictures that done jobs are short of are asked for.
pub(super) fn decide(wanted: &Wanted, record: &Record, topping: bool) -> Action {
    let known = match record {
        _ if wanted.skip => return Action::Skip,
        Record::None => return Action::New,
        Record::Elsewhere(from) => return Action::Renamed { from: from.clone() },
        Record::Same(known, differences) => {
            let asked = if known.submitted { known.latest } else { Some(wanted.fingerprint) };
            // What was bought last decides, not what was planned since.
            if asked != Some(wanted.fingerprint) {
                return Action::Changed(differences.clone());
            }
            known
        }
    };
    match known.state {
        State::Pending if is_revert(known, wanted) => Action::Reuse { missing: 0 },
        State::Pending if known.owned => Action::Short { missing: known.missing, ordered: true },
        State::Pending => Action::New,
        State::Submitting | State::Unknown => Action::Unknown,
        State::Submitted | State::Ready => Action::Collect,
        State::Failed => Action::Failed,
        State::Done if topping && known.missing > 0 => {
            Action::Short { missing: known.missing, ordered: false }
        }
        State::Done => Action::Reuse { missing: known.missing },
    }
}

/// A change was planned, not bought, and taken back: the pictures are here.
pub(super) fn is_revert(known: &Known, wanted: &Wanted) -> bool {
    known.state == State::Pending
        && known.owned
        && known.latest == Some(wanted.fingerprint)
        && known.fingerprint != wanted.fingerprint
}

impl Action {
    /// Its word in a plan.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed(_) => "changed",
            Self::Renamed { .. } => "renamed",
            Self::Reuse { .. } => "reuse",
            Self::Short { .. } => "short",
            Self::Collect => "collect",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Skip => "skip",
            Self::Removed => "removed",
        }
    }
}

/// How many jobs have which action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// See [`Action::New`].
    pub new: u64,
    /// See [`Action::Changed`].
    pub changed: u64,
    /// See [`Action::Renamed`].
    pub renamed: u64,
    /// See [`Action::Reuse`].
    pub reuse: u64,
    /// See [`Action::Short`].
    pub short: u64,
    /// See [`Action::Collect`].
    pub collect: u64,
    /// See [`Action::Failed`].
    pub failed: u64,
    /// See [`Action::Unknown`].
    pub unknown: u64,
    /// See [`Action::Skip`].
    pub skip: u64,
    /// See [`Action::Removed`].
    pub removed: u64,
}

impl Counts {
    pub(super) fn add(&mut self, action: &Action) {
        *match action {
            Action::New => &mut self.new,
            Action::Changed(_) => &mut self.changed,
            Action::Renamed { .. } => &mut self.renamed,
            Action::Reuse { .. } => &mut self.reuse,
            Action::Short { .. } => &mut self.short,
            Action::Collect => &mut self.collect,
            Action::Failed => &mut self.failed,
            Action::Unknown => &mut self.unknown,
            Action::Skip => &mut self.skip,
            Action::Removed => &mut self.removed,
        } += 1;
    }

    /// Every action with its count, in the order of a plan.
    #[must_use]
    pub fn all(&self) -> [(&'static str, u64); 10] {
        [
            ("new", self.new),
            ("changed", self.changed),
            ("renamed", self.renamed),
            ("reuse", self.reuse),
            ("short", self.short),
            ("collect", self.collect),
            ("failed", self.failed),
            ("unknown", self.unknown),
            ("skip", self.skip),
            ("removed", self.removed),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::job::{OutPath, Request};

    fn wanted(skip: bool) -> Wanted {
        let request = Request {
            model: "gpt-image-2".into(),
            prompt: "a fox".into(),
            size: "auto".into(),
            resolution: None,
            quality: "medium".into(),
            n: 1,
            background: None,
            images: vec![],
            mask: None,
            callback_url: None,
        };
        Wanted {
            id: "fox".into(),
            fingerprint: request.fingerprint(),
            request,
            path: OutPath::new("fox").unwrap(),
            axes: BTreeMap::new(),
            meta: serde_json::Map::new(),
            skip,
            size: None,
            estimate: None,
        }
    }

    fn known(state: State, submitted: bool, same: bool) -> Record {
        let fingerprint =
            if same { wanted(false).fingerprint } else { crate::job::Fingerprint::of(b"other") };
        let latest = submitted.then_some(fingerprint);
        Record::Same(
            Known { job: 1, fingerprint, state, submitted, latest, owned: false, missing: 0 },
            vec![],
        )
    }

    #[test]
    fn the_table_of_actions() {
        let rows = [
            (Record::None, Action::New),
            (Record::Elsewhere("old".into()), Action::Renamed { from: "old".into() }),
            (known(State::Pending, false, true), Action::New),
            (known(State::Pending, true, true), Action::New),
            (known(State::Submitting, true, true), Action::Unknown),
            (known(State::Submitted, true, true), Action::Collect),
            (known(State::Ready, true, true), Action::Collect),
            (known(State::Unknown, true, true), Action::Unknown),
            (known(State::Failed, true, true), Action::Failed),
            (known(State::Done, true, true), Action::Reuse { missing: 0 }),
            (known(State::Pending, false, false), Action::New),
            (known(State::Pending, true, false), Action::Changed(vec![])),
            (known(State::Submitted, true, false), Action::Changed(vec![])),
            (known(State::Unknown, true, false), Action::Changed(vec![])),
            (known(State::Failed, true, false), Action::Changed(vec![])),
            (known(State::Done, true, false), Action::Changed(vec![])),
        ];
        for (record, action) in rows {
            assert_eq!(decide(&wanted(false), &record, false), action, "{record:?}");
            assert_eq!(decide(&wanted(true), &record, true), Action::Skip, "{record:?}");
        }
    }

    #[test]
    fn a_short_job_is_topped_up_only_where_that_is_asked_for() {
        let short = |state, owned| match known(state, true, true) {
            Record::Same(known, differences) => {
                Record::Same(Known { owned, missing: 2, ..known }, differences)
            }
            other => other,
        };
        let wanted = wanted(false);
        let done = short(State::Done, true);
        assert_eq!(decide(&wanted, &done, false), Action::Reuse { missing: 2 });
        assert_eq!(decide(&wanted, &done, true), Action::Short { missing: 2, ordered: false });
        let ordered = short(State::Pending, true);
        assert_eq!(decide(&wanted, &ordered, false), Action::Short { missing: 2, ordered: true });
        assert_eq!(decide(&wanted, &short(State::Pending, false), false), Action::New);
    }
}
