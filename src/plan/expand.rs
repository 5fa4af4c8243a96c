//! An entry's jobs, one after the other: rows, words, combinations, takes;
//! each with its id and with the variables that its templates see.

use std::collections::{BTreeSet, BinaryHeap};
use std::ops::ControlFlow;
use std::sync::Arc;

use minijinja::Value;

use crate::manifest::{Manifest, Prompts};

use super::entry::{Entry, Switch, unreadable};
use super::grid::Cell;
use super::keys::{Census, Mark, Seen, slug_and};
use super::report::{Place, Report, Wrong};
use super::rows::Row;
use super::scope::{Scope, layer};
use super::template::TemplateError;
use super::words::Phrase;

/// A job that has its id, but no request yet.
#[derive(Debug)]
pub(super) struct Item<'i> {
    pub(super) id: String,
    /// The id without axes, keys and take.
    pub(super) base: &'i str,
    pub(super) take: u64,
    pub(super) skip: bool,
    pub(super) scope: &'i Scope,
    pub(super) phrase: &'i Phrase<'i>,
    pub(super) cell: &'i Cell,
    pub(super) place: &'i Place,
}

type Visit<'v> = &'v mut dyn FnMut(&Item<'_>, &mut Report<'_>) -> ControlFlow<()>;

/// What is known of an entry's rows and words before its jobs are made.
#[derive(Debug)]
pub(super) struct Expansion<'x, 'e, 's> {
    entry: &'x Entry<'e, 's>,
    manifest: &'x Manifest,
    axes: BTreeSet<String>,
    prompts_path: Arc<str>,
    rows: Census,
    phrases: Census,
    chosen: Option<Mark>,
}

impl<'x, 'e, 's> Expansion<'x, 'e, 's> {
    /// Counts what repeats, and for `sample` finds out which ids are chosen.
    /// `None` after a mistake that was reported.
    pub(super) fn new(
        entry: &'x Entry<'e, 's>,
        manifest: &'x Manifest,
        report: &mut Report<'_>,
    ) -> Option<Self> {
        let phrases = phrase_census(entry, report)?;
        let rows = row_census(entry, report)?;
        let axes = entry.grid.names();
        let prompts_path = prompts_path(entry).into();
        let mut expansion = Self { entry, manifest, axes, prompts_path, rows, phrases, chosen: None };
        if let Some(count) = entry.job.sample {
            expansion.chosen = Some(expansion.sample(count));
        }
        Some(expansion)
    }

    /// Visits every job of the entry that `sample` leaves.
    pub(super) fn each(&self, report: &mut Report<'_>, visit: Visit<'_>) -> ControlFlow<()> {
        let Some(threshold) = self.chosen else { return self.all(report, visit) };
        self.all(report, &mut |item, report| {
            if item.skip || self.draw(&item.id) <= threshold {
                visit(item, report)
            } else {
                ControlFlow::Continue(())
            }
        })
    }

    /// The hash up to which ids are chosen: that of the last of the `count`
    /// smallest ones. What is wrong is reported by the pass that follows.
    fn sample(&self, count: u64) -> Mark {
        let mut smallest = BinaryHeap::new();
        let mut silent = Report::new(self.manifest);
        let _ = self.all(&mut silent, &mut |item, _| {
            if !item.skip {
                smallest.push(self.draw(&item.id));
            }
            if smallest.len() as u64 > count {
                smallest.pop();
            }
            ControlFlow::Continue(())
        });
        smallest.pop().unwrap_or_default()
    }

    fn draw(&self, id: &str) -> Mark {
        Mark::of(format!("{}:{id}", self.entry.job.seed.unwrap_or(0)).as_bytes())
    }

    fn all(&self, report: &mut Report<'_>, visit: Visit<'_>) -> ControlFlow<()> {
        let vars = Scope::new(layer(&self.manifest.vars));
        let Some(table) = &self.entry.table else { return self.row(&vars, None, 0, report, visit) };
        let path: Arc<str> = self.entry.job.rows.as_deref().unwrap_or_default().into();
        let rows = match table.rows() {
            Ok(rows) => rows,
            Err(reason) => {
                report.refuse(&self.place(), unreadable("rows", &path, &reason));
                return ControlFlow::Continue(());
            }
        };
        let mut seen = Seen::default();
        for row in rows {
            match row {
                Ok(row) => {
                    let before = seen.before(|| row.mark(), &self.rows);
                    self.row(&vars, Some((&path, &row)), before, report, visit)?;
                }
                Err(error) => {
                    let place = Place { row: Some((Arc::clone(&path), error.line)), ..self.place() };
                    report.refuse(&place, Wrong::new("rows", error.message));
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn place(&self) -> Place {
        Place { entry: self.entry.place, ..Place::default() }
    }

    /// All jobs of one row, or of the entry when it has no rows.
    fn row(
        &self,
        vars: &Scope,
        row: Option<(&Arc<str>, &Row)>,
        before: u64,
        report: &mut Report<'_>,
        visit: Visit<'_>,
    ) -> ControlFlow<()> {
        let mut place = self.place();
        let mut scope = vars.clone();
        if let Some((path, row)) = row {
            place.row = Some((Arc::clone(path), row.line));
            if let Some(wrong) = self.taken_column(row) {
                report.refuse(&place, wrong);
                return ControlFlow::Continue(());
            }
            scope = scope.with_row(Arc::clone(&row.columns));
        }
        let phrases = match self.entry.words.phrases() {
            Ok(phrases) => phrases,
            Err(reason) => {
                report.refuse(&place, unreadable("prompts", &self.prompts_path, &reason));
                return ControlFlow::Continue(());
            }
        };
        let mut seen = Seen::default();
        for phrase in phrases {
            let phrase = match phrase {
                Ok(phrase) => phrase,
                Err(error) => {
                    place.line = Some((Arc::clone(&self.prompts_path), error.line));
                    report.refuse(&place, Wrong::new("prompts", error.message));
                    continue;
                }
            };
            let again = phrase.mark.map_or(0, |mark| seen.before(|| mark, &self.phrases));
            let total = phrase.mark.map_or(1, |mark| self.phrases.total(mark));
            place.line = self.line(&phrase);
            let batch = Batch {
                expansion: self,
                row: row.map(|(_, row)| row),
                phrase: &phrase,
                before: before * total + again,
            };
            batch.each(&scope, &mut place, report, visit)?;
        }
        ControlFlow::Continue(())
    }

    /// Entries of a list are found by their index, lines of files by number.
    fn line(&self, phrase: &Phrase<'_>) -> Option<(Arc<str>, u64)> {
        match &self.entry.words {
            super::words::Words::Lines(_) | super::words::Words::File(_) => {
                Some((Arc::clone(&self.prompts_path), phrase.at?))
            }
            _ => None,
        }
    }

    /// A column whose name is something else already.
    fn taken_column(&self, row: &Row) -> Option<Wrong> {
        row.columns.keys().find_map(|column| {
            let other = if self.manifest.vars.contains_key(column) {
                "also one of [vars]"
            } else if self.axes.contains(column) {
                "also an axis"
            } else {
                return None;
            };
            let wrong = Wrong::new("rows", format!("`{column}` is a column of the table and {other}"));
            Some(wrong.with_help(Some("rename one of them")))
        })
    }
}

/// The jobs of one row and one phrase.
struct Batch<'b, 'x, 'e, 's> {
    expansion: &'b Expansion<'x, 'e, 's>,
    row: Option<&'b Row>,
    phrase: &'b Phrase<'b>,
    /// How many equal ones came before.
    before: u64,
}

impl Batch<'_, '_, '_, '_> {
    fn each(
        &self,
        scope: &Scope,
        place: &mut Place,
        report: &mut Report<'_>,
        visit: Visit<'_>,
    ) -> ControlFlow<()> {
        for cell in self.expansion.entry.grid.cells() {
            place.cell = cell.label();
            let scope = scope.with_axes(Arc::clone(&cell.values));
            match self.named(&scope, &cell, place) {
                Ok((base, stem)) => self.takes(&base, &stem, &scope, &cell, place, report, visit)?,
                Err(wrong) => report.refuse(place, wrong),
            }
            if report.problems.is_full() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one item; a struct of them would be built for this call only"
    )]
    fn takes(
        &self,
        base: &str,
        stem: &str,
        scope: &Scope,
        cell: &Cell,
        place: &Place,
        report: &mut Report<'_>,
        visit: Visit<'_>,
    ) -> ControlFlow<()> {
        let entry = self.expansion.entry;
        let skip = match skipped(entry.skip.as_ref(), scope) {
            Ok(skip) => skip,
            Err(wrong) => {
                report.refuse(place, wrong);
                return ControlFlow::Continue(());
            }
        };
        let repeat = u64::from(entry.job.repeat.unwrap_or(1));
        for take in 1..=repeat {
            let take = self.before * repeat + take;
            let id = if take == 1 { stem.to_owned() } else { format!("{stem}#{take}") };
            visit(&Item { id, base, take, skip, scope, phrase: self.phrase, cell, place }, report)?;
        }
        ControlFlow::Continue(())
    }

    /// The base, and the id without its take.
    fn named(&self, scope: &Scope, cell: &Cell, place: &Place) -> Result<(String, String), Wrong> {
        let base = self.base(scope)?;
        let mut id = base.clone();
        if !place.cell.is_empty() {
            id = format!("{id}/{}", cell.label());
        }
        if let Some(key) = self.row_key()? {
            id = format!("{id}/{key}");
        }
        if let (Some(mark), Some(_)) = (self.phrase.mark, &self.expansion.entry.id) {
            id = format!("{id}/{}", self.expansion.phrases.digits(mark));
        }
        Ok((base, id))
    }

    /// The rendered `id`; without one a slug and digits of the raw words.
    fn base(&self, scope: &Scope) -> Result<String, Wrong> {
        let Some(id) = &self.expansion.entry.id else {
            let raw = self.phrase.raw.trim_end_matches(['\n', '\r']);
            let digits = self
                .phrase
                .mark
                .map_or_else(|| Mark::of(raw.as_bytes()).short(), |mark| self.expansion.phrases.digits(mark));
            return Ok(slug_and(raw, &digits));
        };
        let base = id.render(scope).map_err(|error| template_wrong("id", error))?;
        if base.trim().is_empty() {
            return Err(Wrong::new("id", "the id is empty"));
        }
        if let Some(bad) = base.chars().find(|c| c.is_control()) {
            return Err(Wrong::new("id", format!("the id {base:?} holds the character {bad:?}")));
        }
        Ok(base)
    }

    fn row_key(&self) -> Result<Option<String>, Wrong> {
        let expansion = self.expansion;
        let Some(row) = self.row.filter(|_| !expansion.entry.id_uses_row) else { return Ok(None) };
        match row.id() {
            Some(id) if id.trim().is_empty() || id.contains(char::is_control) => {
                Err(Wrong::new("rows", format!("the row's `id` is {id:?}"))
                    .with_help(Some("fill in the column, or rename it")))
            }
            Some(id) => Ok(Some(id)),
            None => Ok(Some(expansion.rows.digits(row.mark()))),
        }
    }
}

fn skipped(skip: Option<&Switch<'_, '_>>, scope: &Scope) -> Result<bool, Wrong> {
    let text = match skip {
        None => return Ok(false),
        Some(Switch::Fixed(flag)) => return Ok(*flag),
        Some(Switch::Rendered(text)) => text.render(scope).map_err(|error| template_wrong("skip", error))?,
    };
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Wrong::new("skip", format!("`skip` yields {text:?}, neither true nor false"))
            .with_help(Some("write a comparison, such as {{ stock == \"0\" }}"))),
    }
}

/// A template of `key` that can't be rendered.
pub(super) fn template_wrong(key: &str, error: TemplateError) -> Wrong {
    Wrong::new(key, error.message).with_help(error.help)
}

/// Values that `out` and `meta` see beside the variables.
pub(super) fn own_scope(item: &Item<'_>) -> Scope {
    item.scope.with_own([
        ("id", Value::from(item.id.as_str())),
        ("base", Value::from(item.base)),
        ("take", Value::from(item.take)),
        // The content decides about the extension; this one is dropped again.
        ("ext", Value::from("png")),
    ])
}

fn prompts_path<'s>(entry: &Entry<'_, 's>) -> &'s str {
    match &entry.job.prompts {
        Some(Prompts::File(path)) => path,
        _ => "",
    }
}

fn phrase_census(entry: &Entry<'_, '_>, report: &mut Report<'_>) -> Option<Census> {
    let place = Place { entry: entry.place, ..Place::default() };
    let phrases = match entry.words.phrases() {
        Ok(phrases) => phrases,
        Err(reason) => {
            report.refuse(&place, unreadable(entry.words_key, prompts_path(entry), &reason));
            return None;
        }
    };
    let mut any = false;
    let marks = phrases.inspect(|_| any = true).filter_map(|phrase| phrase.ok()?.mark).collect();
    if !any {
        report.refuse(&place, Wrong::new(entry.words_key, "there is no prompt in the file"));
        return None;
    }
    Some(Census::of(marks))
}

/// Mistakes in rows are reported when their jobs are made.
fn row_census(entry: &Entry<'_, '_>, report: &mut Report<'_>) -> Option<Census> {
    let Some(table) = &entry.table else { return Some(Census::default()) };
    match table.marks() {
        Ok(marks) => Some(Census::of(marks)),
        Err(reason) => {
            let place = Place { entry: entry.place, ..Place::default() };
            report.refuse(&place, unreadable("rows", entry.job.rows.as_deref().unwrap_or_default(), &reason));
            None
        }
    }
}
