//! `imgbatch status --by COLUMN`: the figures of a run, told apart.

use std::fmt::Write;

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::Usage;
use crate::events::printable;
use crate::job::Credits;
use crate::ledger::{Group, View};

/// A table of groups.
#[derive(Debug, Serialize)]
pub(super) struct By {
    column: String,
    groups: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    value: Option<String>,
    jobs: u64,
    succeeded: u64,
    pictures: u64,
    estimated_credits: Credits,
    reserved_credits: Credits,
    used_credits: Credits,
    at_risk_credits: Credits,
    saved_credits: Credits,
}

const HEAD: [&str; 8] =
    ["jobs", "succeeded", "pictures", "estimated", "reserved", "used", "at risk", "saved"];

impl By {
    /// The jobs by a column of theirs.
    pub(super) fn of(view: View<'_>, column: &str) -> anyhow::Result<Self> {
        let columns = view.columns()?;
        if column != "id" && !columns.iter().any(|known| known == column) {
            return Err(Usage::error(match columns.as_slice() {
                [] => format!("no job has a column {column:?}; there is only id: give jobs `meta` or axes"),
                known => format!("no job has a column {column:?}; there are: id, {}", known.join(", ")),
            }));
        }
        let groups = view.groups(column)?.into_iter().map(Line::from).collect();
        Ok(Self { column: column.to_owned(), groups })
    }

    /// One line a value, figures to the right.
    pub(super) fn text(&self) -> String {
        let mut rows = vec![(self.column.clone(), HEAD.map(String::from))];
        rows.extend(self.groups.iter().map(Line::cells));
        let first = rows.iter().map(|(value, _)| value.width()).max().unwrap_or(0);
        let widths: [usize; 8] =
            std::array::from_fn(|at| rows.iter().map(|(_, cells)| cells[at].len()).max().unwrap_or(0));
        let mut text = String::from("\n");
        for (value, cells) in rows {
            // Writing to a string can't fail.
            let _ = write!(text, "  {value}{}", " ".repeat(first - value.width()));
            for (cell, width) in cells.iter().zip(widths) {
                let _ = write!(text, "  {cell:>width$}");
            }
            text.push('\n');
        }
        text
    }
}

impl Line {
    fn cells(&self) -> (String, [String; 8]) {
        let value =
            self.value.as_deref().map_or_else(|| "(none)".into(), |value| printable(value).into_owned());
        let cells = [
            self.jobs.to_string(),
            self.succeeded.to_string(),
            self.pictures.to_string(),
            self.estimated_credits.to_string(),
            self.reserved_credits.to_string(),
            self.used_credits.to_string(),
            self.at_risk_credits.to_string(),
            self.saved_credits.to_string(),
        ];
        (value, cells)
    }
}

impl From<Group> for Line {
    fn from(group: Group) -> Self {
        Self {
            value: group.value,
            jobs: group.jobs,
            succeeded: group.succeeded,
            pictures: group.pictures,
            estimated_credits: group.estimated,
            reserved_credits: group.reserved,
            used_credits: group.used,
            at_risk_credits: group.at_risk,
            saved_credits: group.saved,
        }
    }
}
