//! One entry of `jobs`, compiled: its templates, its axes, its table and its
//! source of words, checked as far as that goes without looking at a row.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::manifest::{Count, Flag, Job, Manifest, Prompts, Step};
use crate::model::Field;

use super::grid::{Grid, GridError, Inner, is_name};
use super::lines::read_small;
use super::report::{Place, Report, Wrong};
use super::rows::Table;
use super::template::{Engine, Text};
use super::words::Words;

/// An entry with `[defaults]` merged in and the content of its prompt file:
/// what compiled templates borrow from.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) job: Job,
    pub(super) words: Option<String>,
}

impl Prepared {
    /// Reads the prompt file, if there is one.
    pub(super) fn new(manifest: &Manifest, job: &Job) -> Result<Self, Wrong> {
        let job = manifest.defaults.merged_into(job);
        let words = match &job.prompt_file {
            Some(path) => Some(
                read_small(&manifest.resolve(path))
                    .map_err(|reason| unreadable("prompt_file", path, &reason))?,
            ),
            None => job.prompt.clone(),
        };
        Ok(Self { job, words })
    }
}

/// A file that a key names and that can't be used.
pub(super) fn unreadable(key: &str, path: &str, reason: &str) -> Wrong {
    let reason = if reason.contains("No such file") { "there is no such file" } else { reason };
    Wrong::new(key, format!("can't read {path}: {reason}"))
        .with_help(Some("paths in a manifest are relative to it"))
}

/// A number as written or rendered.
#[derive(Debug)]
pub(super) enum Number<'e, 's> {
    Fixed(i64),
    Rendered(Text<'e, 's>),
}

/// A flag as written or rendered.
#[derive(Debug)]
pub(super) enum Switch<'e, 's> {
    Fixed(bool),
    Rendered(Text<'e, 's>),
}

/// A value of `meta` whose texts are templates.
#[derive(Debug)]
pub(super) enum Meta<'e, 's> {
    Text(Text<'e, 's>),
    Other(&'s Value),
}

/// A compiled entry.
#[derive(Debug)]
pub(super) struct Entry<'e, 's> {
    pub(super) place: usize,
    pub(super) job: &'s Job,
    pub(super) id: Option<Text<'e, 's>>,
    /// The id tells rows apart by itself.
    pub(super) id_uses_row: bool,
    pub(super) words: Words<'e, 's>,
    pub(super) words_key: &'static str,
    pub(super) grid: Grid,
    pub(super) table: Option<Table>,
    pub(super) params: Vec<(Field, Text<'e, 's>)>,
    pub(super) n: Option<Number<'e, 's>>,
    pub(super) images: Vec<Text<'e, 's>>,
    pub(super) mask: Option<Text<'e, 's>>,
    pub(super) fit: Option<Text<'e, 's>>,
    pub(super) out: Option<Text<'e, 's>>,
    pub(super) skip: Option<Switch<'e, 's>>,
    pub(super) meta: Vec<(&'s str, Meta<'e, 's>)>,
}

impl<'e, 's: 'e> Entry<'e, 's> {
    /// Compiles everything and reports all mistakes; `None` if there are any.
    pub(super) fn new(
        engine: &'e Engine<'s>,
        manifest: &Manifest,
        prepared: &'s Prepared,
        report: &mut Report<'_>,
    ) -> Option<Self> {
        let job = &prepared.job;
        let mut compiler =
            Compiler { engine, place: Place { entry: job.place, ..Place::default() }, report, failed: false };
        let (words, words_key) = compiler.words(manifest, prepared)?;
        let grid = compiler.grid(job)?;
        let table = compiler.table(manifest, job);
        let id = compiler.optional("id", job.id.as_deref());
        let mut entry = Self {
            place: job.place,
            job,
            id_uses_row: false,
            words,
            words_key,
            grid,
            table,
            params: compiler.params(job),
            n: compiler.number(job.n.as_ref()),
            images: compiler.list("images", job.images.as_deref().unwrap_or_default()),
            mask: compiler.optional("mask", job.mask.as_deref()),
            fit: compiler.optional("fit", job.fit.as_deref()),
            out: compiler.optional("out", job.out.as_deref()),
            skip: compiler.switch(job.skip.as_ref()),
            meta: compiler.meta(job),
            id,
        };
        compiler.names(manifest, &entry);
        entry.id_uses_row = entry.reads_row(manifest);
        compiler.warn_of_idle_axes(&entry);
        (!compiler.failed).then_some(entry)
    }

    /// A variable of the id that is neither a var nor an axis is a column.
    fn reads_row(&self, manifest: &Manifest) -> bool {
        let axes = self.grid.names();
        let is_column = |name: &String| !manifest.vars.contains_key(name) && !axes.contains(name);
        self.table.is_some() && self.id.as_ref().is_some_and(|id| id.names().iter().any(is_column))
    }

    fn names_read(&self) -> BTreeSet<String> {
        let meta = self.meta.iter().filter_map(|(_, meta)| match meta {
            Meta::Text(text) => Some(text),
            Meta::Other(_) => None,
        });
        let number =
            self.n.iter().filter_map(|n| if let Number::Rendered(text) = n { Some(text) } else { None });
        let switch =
            self.skip.iter().filter_map(|s| if let Switch::Rendered(text) = s { Some(text) } else { None });
        let params = self.params.iter().map(|(_, text)| text);
        let single = [&self.mask, &self.fit, &self.out, &self.id].into_iter().flatten();
        let all = self.words.templates().into_iter().chain(params).chain(&self.images).chain(single);
        all.chain(meta).chain(number).chain(switch).flat_map(Text::names).collect()
    }
}

struct Compiler<'e, 's, 'r, 'm> {
    engine: &'e Engine<'s>,
    place: Place,
    report: &'r mut Report<'m>,
    failed: bool,
}

impl<'e, 's: 'e> Compiler<'e, 's, '_, '_> {
    fn refuse(&mut self, wrong: Wrong) {
        self.failed = true;
        self.report.refuse(&self.place, wrong);
    }

    fn text(&mut self, key: &str, step: Option<Step>, text: &'s str) -> Option<Text<'e, 's>> {
        match self.engine.compile(text) {
            Ok(compiled) => Some(compiled),
            Err(error) => {
                let wrong = Wrong::new(key, error.message).with_help(error.help);
                self.refuse(match step {
                    Some(step) => wrong.below(step),
                    None => wrong,
                });
                None
            }
        }
    }

    fn optional(&mut self, key: &str, text: Option<&'s str>) -> Option<Text<'e, 's>> {
        text.and_then(|text| self.text(key, None, text))
    }

    fn list(&mut self, key: &str, texts: &'s [String]) -> Vec<Text<'e, 's>> {
        texts.iter().enumerate().filter_map(|(at, text)| self.text(key, Some(at.into()), text)).collect()
    }

    fn words(
        &mut self,
        manifest: &Manifest,
        prepared: &'s Prepared,
    ) -> Option<(Words<'e, 's>, &'static str)> {
        let job = &prepared.job;
        match (&prepared.words, &job.prompts) {
            (Some(raw), _) => {
                let key = if job.prompt_file.is_some() { "prompt_file" } else { "prompt" };
                Some((Words::One(self.text(key, None, raw)?, raw), key))
            }
            (None, Some(Prompts::List(list))) if list.is_empty() => {
                self.no_words("prompts", "the list of prompts is empty")
            }
            (None, Some(Prompts::List(list))) => {
                let texts = self.list("prompts", list);
                Some((
                    Words::List(texts.into_iter().zip(list.iter().map(String::as_str)).collect()),
                    "prompts",
                ))
            }
            (None, Some(Prompts::Lines(lines))) => Some((Words::Lines(lines), "prompts")),
            (None, Some(Prompts::File(path))) => self.prompts_file(manifest, path),
            (None, None) => {
                self.no_words("prompt", "the job has no words: give it `prompt`, `prompt_file` or `prompts`")
            }
        }
    }

    fn no_words<T>(&mut self, key: &str, message: &str) -> Option<T> {
        self.refuse(Wrong::new(key, message));
        None
    }

    /// JSON lines taken for prompts would be an expensive mistake.
    fn prompts_file(&mut self, manifest: &Manifest, path: &str) -> Option<(Words<'e, 's>, &'static str)> {
        let resolved: PathBuf = manifest.resolve(path);
        let extension = resolved.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if ["jsonl", "ndjson", "json", "csv", "tsv"].iter().any(|table| extension.eq_ignore_ascii_case(table))
        {
            let wrong = Wrong::new(
                "prompts",
                format!("{path} is a table; `prompts` takes a text file with one prompt a line"),
            );
            self.refuse(
                wrong.with_help(Some("use `rows` for a table, and its columns as variables of `prompt`")),
            );
            return None;
        }
        Some((Words::File(resolved), "prompts"))
    }

    fn grid(&mut self, job: &Job) -> Option<Grid> {
        Grid::new(job)
            .map_err(|errors| errors.into_iter().for_each(|error| self.refuse(grid_wrong(error))))
            .ok()
    }

    fn table(&mut self, manifest: &Manifest, job: &Job) -> Option<Table> {
        let path = job.rows.as_deref()?;
        Table::new(manifest.resolve(path))
            .map_err(|reason| self.refuse(unreadable("rows", path, &reason)))
            .ok()
    }

    fn params(&mut self, job: &'s Job) -> Vec<(Field, Text<'e, 's>)> {
        let params: [(Field, &'s Option<String>); 6] = [
            ("model", &job.model),
            ("size", &job.size),
            ("resolution", &job.resolution),
            ("quality", &job.quality),
            ("background", &job.background),
            ("callback_url", &job.callback_url),
        ];
        params
            .into_iter()
            .filter_map(|(key, text)| Some((key, self.optional(key, text.as_deref())?)))
            .collect()
    }

    fn number(&mut self, count: Option<&'s Count>) -> Option<Number<'e, 's>> {
        match count? {
            Count::Number(number) => Some(Number::Fixed(*number)),
            Count::Template(text) => self.text("n", None, text).map(Number::Rendered),
        }
    }

    fn switch(&mut self, flag: Option<&'s Flag>) -> Option<Switch<'e, 's>> {
        match flag? {
            Flag::Bool(flag) => Some(Switch::Fixed(*flag)),
            Flag::Template(text) => self.text("skip", None, text).map(Switch::Rendered),
        }
    }

    fn meta(&mut self, job: &'s Job) -> Vec<(&'s str, Meta<'e, 's>)> {
        let mut columns = vec![];
        for (column, value) in &job.meta {
            let meta = match value {
                Value::String(text) => self.text("meta", Some(column.as_str().into()), text).map(Meta::Text),
                other => Some(Meta::Other(other)),
            };
            columns.extend(meta.map(|meta| (column.as_str(), meta)));
        }
        columns
    }

    /// A name in two places is an error; columns are checked with the rows.
    fn names(&mut self, manifest: &Manifest, entry: &Entry<'_, '_>) {
        for axis in entry.grid.names() {
            if manifest.vars.contains_key(&axis) {
                let key = axis_key(entry.job, &axis);
                let wrong = Wrong::new(key, format!("`{axis}` is an axis here and also one of [vars]"));
                self.refuse(wrong.below(axis.as_str()).with_help(Some("rename one of them")));
            } else if !is_name(&axis) {
                self.refuse(Wrong::new("include", format!("`{axis}` is no name for an axis")));
            }
        }
    }

    /// An axis that nothing reads buys the same picture several times.
    fn warn_of_idle_axes(&mut self, entry: &Entry<'_, '_>) {
        if entry.grid.names().is_empty() || self.failed {
            return;
        }
        let read = entry.names_read();
        for axis in entry.grid.names().into_iter().filter(|axis| !read.contains(axis)) {
            let help = format!(
                "use it in a template, such as `{{{{ {axis} }}}}`; an axis sets no parameter just by its name"
            );
            let wrong = Wrong::new(
                axis_key(entry.job, &axis),
                format!("the axis `{axis}` is used in no template of this job"),
            )
            .below(axis.as_str());
            self.report.warn(&self.place, wrong.with_help(Some(help)));
        }
    }
}

/// The key under which an axis stands.
fn axis_key(job: &Job, axis: &str) -> &'static str {
    if job.zip.0.iter().any(|(name, _)| name == axis) { "zip" } else { "matrix" }
}

fn grid_wrong(error: GridError) -> Wrong {
    let wrong = Wrong::new(error.key, error.message).with_help(error.help);
    match error.inner {
        Some(Inner::Index(at)) => wrong.below(at),
        Some(Inner::Axis(axis)) => wrong.below(axis.as_str()),
        None => wrong,
    }
}
