//! One JSON object a line: the event, and how the run stands after it.

use std::io::Write;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Event, Reporter, Snapshot};

/// Writes every event as a JSON line.
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
}

/// What is written.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "imgbatch event")]
struct Line<'a> {
    /// When, in UTC, RFC 3339.
    at: String,
    #[serde(flatten)]
    event: &'a Event,
    /// How the run stands after it.
    run: &'a Snapshot,
}

/// The JSON Schema (draft 2020-12) of one line.
#[must_use]
pub fn line_schema() -> serde_json::Value {
    schemars::schema_for!(Line<'static>).to_value()
}

impl<W: Write + Send> JsonLines<W> {
    /// Writes to `out`.
    #[must_use]
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> Reporter for JsonLines<W> {
    fn tell(&mut self, event: &Event, snapshot: &Snapshot) {
        let line = Line { at: jiff::Timestamp::now().to_string(), event, run: snapshot };
        if let Ok(mut line) = serde_json::to_vec(&line) {
            line.push(b'\n');
            // In one write, as others may write there too. A closed pipe is no
            // reason to stop paying attention to the run.
            let _ = self.out.write_all(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_names_every_event_and_figure() {
        let schema = line_schema().to_string();
        for word in ["saved", "try", "stopping", "ended", "next_expiry", "in_flight", "remaining"] {
            assert!(schema.contains(word), "{word}: {schema}");
        }
    }

    #[test]
    fn each_line_is_one_object() {
        let mut lines = JsonLines::new(Vec::new());
        lines.tell(&Event::Paused { why: "two\nlines".into() }, &Snapshot::default());
        let text = String::from_utf8(lines.out).unwrap();
        assert_eq!(text.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["event"], "paused");
        assert_eq!(value["run"]["jobs"]["total"], 0);
    }
}
