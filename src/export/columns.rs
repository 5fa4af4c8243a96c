//! The columns of a dataset, the same in every format: what is known of every
//! picture, then the axes of the matrices, then the user's own.

use serde_json::{Map, Value};

use super::ExportError;
use super::value::{Cell, Kind, Widest};
use crate::job::Reference;
use crate::ledger::{Entry, Picture};

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Its name, of which there is one.
    pub(super) name: String,
    /// Its type.
    pub(super) kind: Kind,
    source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    /// The place in [`FIXED`].
    Fixed(usize),
    Split,
    Axis(String),
    Meta(String),
}

type Read = fn(&Entry) -> Cell;

/// What every dataset has, in this order.
const FIXED: &[(&str, Kind, Read)] = &[
    ("id", Kind::Text, |entry| Cell::text(&entry.id)),
    ("number", Kind::Int, |entry| of_picture(entry, |picture| Cell::int(picture.number))),
    ("path", Kind::Text, |entry| of_picture(entry, |picture| Cell::text(&picture.place.path))),
    ("prompt", Kind::Text, |entry| Cell::text(&entry.request.prompt)),
    ("status", Kind::Text, |entry| Cell::text(entry.status)),
    ("model", Kind::Text, |entry| Cell::text(&entry.request.model)),
    ("size", Kind::Text, |entry| Cell::text(&entry.request.size)),
    ("resolution", Kind::Text, |entry| Cell::text_or_null(entry.request.resolution.as_deref())),
    ("quality", Kind::Text, |entry| Cell::text(&entry.request.quality)),
    ("background", Kind::Text, |entry| Cell::text_or_null(entry.request.background.as_deref())),
    ("n", Kind::Int, |entry| Cell::int(entry.request.n)),
    ("images", Kind::Text, |entry| references(&entry.request.images)),
    ("mask", Kind::Text, |entry| Cell::text_or_null(entry.request.mask.as_ref().map(name_of).as_deref())),
    ("width", Kind::Int, |entry| of_picture(entry, |picture| Cell::int(picture.width))),
    ("height", Kind::Int, |entry| of_picture(entry, |picture| Cell::int(picture.height))),
    ("format", Kind::Text, |entry| of_picture(entry, |picture| Cell::text(&picture.format))),
    ("bytes", Kind::Int, |entry| of_picture(entry, |picture| Cell::int(picture.bytes))),
    ("sha256", Kind::Text, |entry| of_picture(entry, |picture| Cell::text(picture.sha256.to_string()))),
    ("fingerprint", Kind::Text, |entry| Cell::text(entry.fingerprint.to_string())),
    ("task_id", Kind::Text, |entry| of_picture(entry, |picture| Cell::text_or_null(picture.task.as_deref()))),
    ("saved_at", Kind::Text, |entry| of_picture(entry, |picture| Cell::text(&picture.saved_at))),
    ("attempt_credits", Kind::Float, |entry| of_picture(entry, |picture| Cell::Float(picture.cost.as_f64()))),
    ("cost_credits", Kind::Float, |entry| entry.cost.map_or(Cell::Null, |cost| Cell::Float(cost.as_f64()))),
    ("failure_code", Kind::Text, |entry| Cell::text_or_null(entry.failure[0].as_deref())),
    ("failure_message", Kind::Text, |entry| Cell::text_or_null(entry.failure[1].as_deref())),
    ("billed", Kind::Text, |entry| Cell::text_or_null(entry.failure[2].as_deref())),
];

fn of_picture(entry: &Entry, read: impl Fn(&Picture) -> Cell) -> Cell {
    entry.picture.as_ref().map_or(Cell::Null, read)
}

fn references(images: &[Reference]) -> Cell {
    if images.is_empty() {
        return Cell::Null;
    }
    Cell::Text(Value::from(images.iter().map(name_of).collect::<Vec<_>>()).to_string())
}

fn name_of(reference: &Reference) -> String {
    match reference {
        Reference::Url(url) => url.clone(),
        Reference::File { path, .. } => path.display().to_string(),
    }
}

/// Learns from every row which columns there are and what is in them.
#[derive(Debug, Default)]
pub(super) struct Survey {
    axes: Map<String, Value>,
    meta: Vec<(String, Widest)>,
}

impl Survey {
    pub(super) fn add(&mut self, entry: &Entry) {
        for axis in entry.axes.keys() {
            if !self.axes.contains_key(axis) {
                self.axes.insert(axis.clone(), Value::Null);
            }
        }
        for (name, value) in &entry.meta {
            let at = self.meta.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
                self.meta.push((name.clone(), Widest::default()));
                self.meta.len() - 1
            });
            self.meta[at].1.add(value);
        }
    }

    /// The columns, or those of them that are wanted, in the order wanted.
    pub(super) fn columns(self, split: bool, wanted: Option<&[String]>) -> Result<Vec<Column>, ExportError> {
        let mut columns = Vec::new();
        for (at, (name, kind, _)) in FIXED.iter().enumerate() {
            columns.push(Column { name: (*name).to_owned(), kind: *kind, source: Source::Fixed(at) });
        }
        if split {
            columns.push(Column { name: "split".to_owned(), kind: Kind::Text, source: Source::Split });
        }
        for (axis, _) in self.axes {
            let name = free(&columns, format!("axis_{axis}"), "axis_");
            columns.push(Column { name, kind: Kind::Text, source: Source::Axis(axis) });
        }
        for (meta, widest) in self.meta {
            let name = free(&columns, meta.clone(), "meta_");
            columns.push(Column { name, kind: widest.kind(), source: Source::Meta(meta) });
        }
        let Some(wanted) = wanted else { return Ok(columns) };
        wanted.iter().map(|name| find(&columns, name)).collect()
    }
}

/// Names that formats and their loaders keep for themselves.
const RESERVED: [&str; 3] = ["image", "file_name", "split"];

fn free(columns: &[Column], mut name: String, prefix: &str) -> String {
    while RESERVED.contains(&name.as_str()) || columns.iter().any(|column| column.name == name) {
        name.insert_str(0, prefix);
    }
    name
}

fn find(columns: &[Column], name: &str) -> Result<Column, ExportError> {
    columns.iter().find(|column| column.name == name).cloned().ok_or_else(|| {
        let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        ExportError::Refused(format!("there is no column {name:?}; there are {}", known.join(", ")))
    })
}

impl Column {
    /// The value of a row in this column.
    pub(super) fn cell(&self, entry: &Entry, split: &str) -> Cell {
        match &self.source {
            Source::Fixed(at) => FIXED[*at].2(entry),
            Source::Split => Cell::text(split),
            Source::Axis(axis) => Cell::of(entry.axes.get(axis), self.kind),
            Source::Meta(meta) => Cell::of(entry.meta.get(meta), self.kind),
        }
    }
}

/// What a row without a text has in a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// `null`.
    Null,
    /// An empty text: loaders that take the types of columns from the first
    /// rows stumble over a text column that begins with nulls.
    Empty,
}

/// A row as a JSON object, the columns in their order.
pub(super) fn object(columns: &[Column], entry: &Entry, split: &str, absent: Absent) -> Map<String, Value> {
    let value = |column: &Column| match column.cell(entry, split) {
        Cell::Null if absent == Absent::Empty && column.kind == Kind::Text => Value::String(String::new()),
        cell => cell.json(),
    };
    columns.iter().map(|column| (column.name.clone(), value(column))).collect()
}
