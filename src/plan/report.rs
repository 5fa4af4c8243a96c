//! Problems of a pass over all jobs, each shown once with its place.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::manifest::{Diagnostic, Diagnostics, Manifest, Step};

/// Where a job comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The entry of `jobs`, from 0.
    pub(super) entry: usize,
    /// The combination of axes, such as `colour=sage`.
    pub(super) cell: String,
    /// A table and the line of a row.
    pub(super) row: Option<(Arc<str>, u64)>,
    /// A file of prompts and a line; the file is empty in a text manifest.
    pub(super) line: Option<(Arc<str>, u64)>,
}

/// What is wrong with a job, apart from where.
#[derive(Clone, Debug, Default)]
pub(super) struct Wrong {
    /// The keys below the entry.
    pub(super) path: Vec<Step>,
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// The job, where its id is known.
    job: Option<String>,
}

impl Wrong {
    pub(super) fn new(key: &str, message: impl Into<String>) -> Self {
        Self { path: vec![key.into()], message: message.into(), help: None, job: None }
    }

    pub(super) fn of_job(mut self, id: &str) -> Self {
        self.job = Some(id.to_owned());
        self
    }

    pub(super) fn with_help(mut self, help: Option<impl Into<String>>) -> Self {
        self.help = help.map(Into::into);
        self
    }

    pub(super) fn below(mut self, step: impl Into<Step>) -> Self {
        self.path.push(step.into());
        self
    }
}

/// Collects problems. What is wrong with an entry in one way is reported for
/// the first job only: a million rows would say the same a million times.
#[derive(Debug)]
pub(super) struct Report<'m> {
    manifest: &'m Manifest,
    pub(super) problems: Diagnostics,
    pub(super) warnings: Diagnostics,
    known: HashSet<u64>,
}

impl<'m> Report<'m> {
    pub(super) fn new(manifest: &'m Manifest) -> Self {
        Self {
            manifest,
            problems: Diagnostics::default(),
            warnings: Diagnostics::default(),
            known: HashSet::new(),
        }
    }

    pub(super) fn refuse(&mut self, place: &Place, wrong: Wrong) {
        if self.is_new(place, &wrong) && !self.problems.is_full() {
            let diagnostic = self.diagnostic(place, wrong);
            self.problems.push(diagnostic);
        }
    }

    pub(super) fn warn(&mut self, place: &Place, wrong: Wrong) {
        if !self.warnings.is_full() && self.is_new(place, &wrong) {
            let diagnostic = self.diagnostic(place, wrong).as_warning();
            self.warnings.push(diagnostic);
        }
    }

    fn is_new(&mut self, place: &Place, wrong: &Wrong) -> bool {
        // Bounded: with a hundred problems the pass ends anyway.
        let mut hasher = DefaultHasher::new();
        (place.entry, &wrong.message, format!("{:?}", wrong.path)).hash(&mut hasher);
        self.known.len() < 100_000 && self.known.insert(hasher.finish())
    }

    pub(super) fn diagnostic(&self, place: &Place, wrong: Wrong) -> Diagnostic {
        let mut diagnostic = self.located(place, &wrong).with_help(wrong.help);
        if let Some(id) = &wrong.job {
            diagnostic = diagnostic.with_note(format!("in the job `{id}`"));
        } else if !place.cell.is_empty() {
            diagnostic = diagnostic.with_note(format!("in the combination {}", place.cell));
        }
        for (what, origin) in [("row", &place.row), ("line", &place.line)] {
            if let Some((file, line)) = origin.as_ref().filter(|(file, _)| !file.is_empty()) {
                diagnostic = diagnostic.with_note(format!("in the {what} at {file}:{line}"));
            }
        }
        diagnostic
    }

    fn located(&self, place: &Place, wrong: &Wrong) -> Diagnostic {
        if let Some((_, line)) = place.line.as_ref().filter(|(file, _)| file.is_empty()) {
            return self.manifest.at(&[Step::Index(*line as usize)], wrong.message.clone());
        }
        let below = |mut path: Vec<Step>| {
            path.extend(wrong.path.iter().cloned());
            path
        };
        let own = below(vec!["jobs".into(), place.entry.into()]);
        let inherited = below(vec!["defaults".into()]);
        self.manifest.at_either(&own, &inherited, wrong.message.clone())
    }
}
