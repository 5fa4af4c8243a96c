//! One JSON object a line: the event, and how the run stands after it.

use std::io::Write;

use serde::Serialize;

use super::{Event, Reporter, Snapshot};

/// Writes every event as a JSON line.
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
}

#[derive(Serialize)]
struct Line<'a> {
    at: String,
    #[serde(flatten)]
    event: &'a Event,
    run: &'a Snapshot,
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
        if let Ok(line) = serde_json::to_string(&line) {
            // A closed pipe is no reason to stop paying attention to the run.
            let _ = writeln!(self.out, "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
