//! Tables of rows: CSV, TSV and JSON lines, one row in memory at a time.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::{Map, Value};

use super::keys::Mark;
use super::lines::{LineError, Lines, open_file};

/// A table that a job names.
#[derive(Clone, Debug)]
pub(super) struct Table {
    path: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Separated(u8),
    Json,
}

/// One row; its columns become variables.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Where it begins in its file, counted from 1.
    pub(super) line: u64,
    pub(super) columns: Arc<Map<String, Value>>,
}

/// A row as it stands in its file.
#[derive(Debug)]
enum Raw {
    Json { line: u64, text: String },
    Separated { names: Arc<[String]>, record: csv::StringRecord },
}

type Raws = Box<dyn Iterator<Item = Result<Raw, LineError>> + Send>;

/// Rows that one thread takes to itself at once.
const SHARE: usize = 256;

impl Row {
    /// The content without regard to the order of columns.
    pub(super) fn mark(&self) -> Mark {
        let sorted: BTreeMap<&String, &Value> = self.columns.iter().collect();
        Mark::of(&serde_json::to_vec(&sorted).unwrap_or_default())
    }

    /// The column `id`, when there is one.
    pub(super) fn id(&self) -> Option<String> {
        match self.columns.get("id")? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        }
    }
}

impl Table {
    /// Its extension tells the format.
    pub(super) fn new(path: PathBuf) -> Result<Self, String> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let kind = match extension.as_str() {
            "csv" => Kind::Separated(b','),
            "tsv" => Kind::Separated(b'\t'),
            "jsonl" | "ndjson" => Kind::Json,
            _ => return Err("the extension of a table must be .csv, .tsv or .jsonl".into()),
        };
        Ok(Self { path, kind })
    }

    /// All rows from the first one on.
    pub(super) fn rows(&self) -> Result<impl Iterator<Item = Result<Row, LineError>>, String> {
        Ok(self.raws()?.map(|raw| raw.and_then(Raw::row)))
    }

    /// The marks of all whole rows, in no particular order; several threads read
    /// a large table.
    pub(super) fn marks(&self) -> Result<Vec<Mark>, String> {
        let mut raws = self.raws()?;
        let mut marks = Vec::new();
        if raws.by_ref().take(SHARE).map(|raw| marks.extend(mark(raw))).count() < SHARE {
            return Ok(marks);
        }
        let raws = Mutex::new(raws);
        let some = || -> Vec<_> {
            raws.lock().unwrap_or_else(PoisonError::into_inner).by_ref().take(SHARE).collect()
        };
        let work =
            || std::iter::repeat_with(some).take_while(|some| !some.is_empty()).flatten().filter_map(mark);
        thread::scope(|scope| {
            let other = scope.spawn(|| work().collect::<Vec<_>>());
            marks.extend(work());
            marks.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        });
        Ok(marks)
    }

    fn raws(&self) -> Result<Raws, String> {
        match self.kind {
            Kind::Separated(separator) => separated(&self.path, separator),
            Kind::Json => {
                let lines = Lines::open(&self.path).map_err(|error| error.to_string())?;
                Ok(Box::new(lines.map(|line| line.map(|(line, text)| Raw::Json { line, text }))))
            }
        }
    }
}

fn mark(raw: Result<Raw, LineError>) -> Option<Mark> {
    Some(raw.and_then(Raw::row).ok()?.mark())
}

impl Raw {
    fn row(self) -> Result<Row, LineError> {
        match self {
            Self::Json { line, text } => match serde_json::from_str(&text) {
                Ok(Value::Object(columns)) => Ok(Row { line, columns: Arc::new(columns) }),
                Ok(_) => Err(LineError { line, message: "each line must be a JSON object".into() }),
                Err(error) => Err(LineError { line, message: format!("not JSON: {error}") }),
            },
            Self::Separated { names, record } => {
                let line = record.position().map_or(0, csv::Position::line);
                if record.len() != names.len() {
                    let message =
                        format!("the row has {} cells, the first line {}", record.len(), names.len());
                    return Err(LineError { line, message });
                }
                let cells = record.iter().enumerate().map(|(at, cell)| {
                    let last = at + 1 == names.len();
                    Value::String(
                        if last { cell.strip_suffix('\r').unwrap_or(cell) } else { cell }.to_owned(),
                    )
                });
                Ok(Row { line, columns: Arc::new(names.iter().cloned().zip(cells).collect()) })
            }
        }
    }
}

fn separated(path: &Path, separator: u8) -> Result<Raws, String> {
    let file = open_file(path).map_err(|error| error.to_string())?;
    // Ending rows at `\n` alone keeps the line numbers right for files with
    // `\r\n`; the `\r` is taken off later.
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(separator).terminator(csv::Terminator::Any(b'\n')).flexible(true);
    let mut reader = builder.from_reader(file);
    let headers = reader.headers().map_err(|error| described(&error).message)?;
    let names: Arc<[String]> = column_names(headers)?.into();
    let records = reader.into_records().filter(|record| !record.as_ref().is_ok_and(is_blank));
    Ok(Box::new(records.map(move |record| match record {
        Ok(record) => Ok(Raw::Separated { names: Arc::clone(&names), record }),
        Err(error) => Err(described(&error)),
    })))
}

fn is_blank(record: &csv::StringRecord) -> bool {
    record.len() == 1 && matches!(&record[0], "" | "\r")
}

fn column_names(headers: &csv::StringRecord) -> Result<Vec<String>, String> {
    let names: Vec<String> = headers.iter().map(|name| name.trim().to_owned()).collect();
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(format!("column {} of the first line has no name", at + 1));
        }
        if names[..at].contains(name) {
            return Err(format!("the column `{name}` is there twice"));
        }
    }
    Ok(names)
}

fn described(error: &csv::Error) -> LineError {
    let line = error.position().map_or(0, csv::Position::line);
    let message = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "the row is not UTF-8".into(),
        _ => error.to_string(),
    };
    LineError { line, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, content: &str) -> Result<Vec<Result<Row, LineError>>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        Table::new(path)?.rows().map(Iterator::collect)
    }

    fn cells(row: &Result<Row, LineError>) -> Value {
        Value::Object((*row.clone().unwrap().columns).clone())
    }

    #[test]
    fn the_three_formats() {
        let csv = table(
            "a.csv",
            "\u{feff}sku, name\r\n1,\"Mug, \"\"big\"\"\"\r\n2,\"two\nlines\"\r\n3,x\r\n\r\n4,y",
        )
        .unwrap();
        assert_eq!(cells(&csv[0]), serde_json::json!({"sku": "1", "name": "Mug, \"big\""}));
        assert_eq!(csv[1].as_ref().unwrap().line, 3);
        assert_eq!(csv[2].as_ref().unwrap().line, 5);
        assert_eq!(cells(&csv[3]), serde_json::json!({"sku": "4", "name": "y"}));
        let tsv = table("a.TSV", "sku\tname\n1\ta,b\n").unwrap();
        assert_eq!(cells(&tsv[0]), serde_json::json!({"sku": "1", "name": "a,b"}));
        let json = table("a.jsonl", "\u{feff}{\"sku\": 1}\n\n{\"sku\": [2]}\n").unwrap();
        assert_eq!((cells(&json[0]), json[1].as_ref().unwrap().line), (serde_json::json!({"sku": 1}), 3));
    }

    #[test]
    fn broken_rows_are_named_by_their_line() {
        let csv = table("a.csv", "a,b\n1,2\n3\n4,5\n").unwrap();
        assert_eq!(
            csv[1],
            Err(LineError { line: 3, message: "the row has 1 cells, the first line 2".into() })
        );
        assert!(csv[2].is_ok());
        let json = table("a.jsonl", "{}\n[1]\n{\n").unwrap();
        assert_eq!(json.iter().filter(|row| row.is_err()).count(), 2);
        for (name, content) in [("a.csv", "a,a\n"), ("a.csv", "a,,b\n"), ("a.xlsx", "")] {
            assert!(table(name, content).is_err(), "{content:?} passed");
        }
    }

    #[test]
    fn the_mark_does_not_see_the_order_of_columns() {
        let rows =
            table("a.jsonl", "{\"a\": 1, \"b\": 2}\n{\"b\": 2, \"a\": 1}\n{\"a\": 2, \"b\": 1}\n").unwrap();
        let marks: Vec<Mark> = rows.into_iter().map(|row| row.unwrap().mark()).collect();
        assert_eq!(marks[0], marks[1]);
        assert_ne!(marks[0], marks[2]);
    }
}
