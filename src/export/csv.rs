//! CSV, for spreadsheets. A text that a spreadsheet would take for a formula
//! gets a quote in front, unless cells are wanted exactly as they are.

use std::borrow::Cow;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use super::ExportError;
use super::feed::Feed;
use super::table::Table;
use super::value::Cell;
use crate::ledger::Entry;

struct Csv {
    writer: csv::Writer<BufWriter<File>>,
    path: PathBuf,
    exact: bool,
}

pub(super) fn table(
    file: BufWriter<File>,
    path: &Path,
    feed: &Feed<'_>,
) -> Result<Box<dyn Table>, ExportError> {
    let exact = feed.options.exact;
    let mut table = Csv { writer: csv::Writer::from_writer(file), path: path.to_owned(), exact };
    table.write(feed.columns.iter().map(|column| Cow::Borrowed(column.name.as_str())))?;
    Ok(Box::new(table))
}

impl Csv {
    fn write<'c>(&mut self, cells: impl Iterator<Item = Cow<'c, str>>) -> Result<(), ExportError> {
        let exact = self.exact;
        let cells = cells.map(|cell| if exact { cell } else { harmless(cell) });
        for cell in cells {
            self.writer
                .write_field(cell.as_bytes())
                .map_err(|e| ExportError::encode(&self.path)(e.into()))?;
        }
        self.writer.write_record(None::<&[u8]>).map_err(|e| ExportError::encode(&self.path)(e.into()))
    }
}

impl Table for Csv {
    fn add(
        &mut self,
        feed: &Feed<'_>,
        entry: &Entry,
        split: &str,
    ) -> Result<Result<(), String>, ExportError> {
        if let Err(why) = feed.present(entry)? {
            return Ok(Err(why));
        }
        self.write(feed.columns.iter().map(|column| text(column.cell(entry, split)).into()))?;
        Ok(Ok(()))
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        self.writer.flush().map_err(ExportError::file(&self.path))
    }
}

fn text(cell: Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Bool(value) => value.to_string(),
        Cell::Int(number) => number.to_string(),
        // Keeps the point, so that readers see a float.
        Cell::Float(number) => format!("{number:?}"),
        Cell::Text(text) => text,
    }
}

/// The same text, unless a spreadsheet would run it. A number is no formula.
fn harmless(cell: Cow<'_, str>) -> Cow<'_, str> {
    let risky = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if risky && !is_number(&cell) { Cow::Owned(format!("'{cell}")) } else { cell }
}

/// Digits with a sign, a point, an exponent: nothing that names a cell.
fn is_number(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    text.bytes().all(plain) && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_that_begin_like_a_formula_are_quoted() {
        let rows = [
            ("=1+1", "'=1+1"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("-", "'-"),
            ("- a list", "'- a list"),
            ("-12.5e3", "-12.5e3"),
            ("+7", "+7"),
            ("-inf", "'-inf"),
            ("a=1", "a=1"),
            ("'=1", "'=1"),
            ("", ""),
        ];
        for (cell, expected) in rows {
            assert_eq!(harmless(cell.into()), expected, "{cell:?}");
        }
    }

    #[test]
    fn floats_keep_their_point() {
        assert_eq!([3.0, 0.1, 1e300, -2.5].map(|n| text(Cell::Float(n))), ["3.0", "0.1", "1e300", "-2.5"]);
    }
}
