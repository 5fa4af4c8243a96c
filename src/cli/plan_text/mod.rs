//! The screen before spending: each job with its reason, what changed field by
//! field, and what all of it adds up to.

mod change;
mod lines;
mod outlook;
mod page;
mod sums;
mod table;

pub(super) use lines::Lines;
pub(super) use outlook::{Outlook, free_bytes};
pub(super) use page::Page;
pub(super) use sums::usd;

use crate::enrol::Action;

/// Why a job has its action, in one sentence.
pub(super) fn reason(action: &Action) -> String {
    match action {
        Action::New => "never submitted".into(),
        Action::Changed(differences) => {
            if differences.is_empty() {
                return "changed since it was bought".into();
            }
            let fields: Vec<&str> = differences.iter().map(|difference| difference.field.as_str()).collect();
            format!("changed: {}", fields.join(", "))
        }
        Action::Renamed { from } => format!("bought as {from}"),
        Action::Reuse { missing: 0 } => "the picture is here".into(),
        Action::Reuse { missing } => {
            format!("here, and {missing} fewer than asked for; the others are bought only with --only short")
        }
        Action::Short { missing, .. } => format!("{missing} fewer pictures came than asked for"),
        Action::Collect => "submitted, not yet here; nothing to pay".into(),
        Action::Failed => "failed; bought again only with --only failed".into(),
        Action::Unknown => "its submission may have been billed; held until it is resolved".into(),
        Action::Skip => "skipped by the manifest".into(),
        Action::Removed => "no longer in the manifest; files stay".into(),
    }
}

/// The screen of a plan: the jobs, then the sums.
pub(super) fn screen(page: &Page, lines: &Lines, outlook: &Outlook<'_>) -> String {
    format!("{}{}", lines.text(page), sums::text(page, outlook))
}
