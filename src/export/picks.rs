//! A file that names jobs: one id a line, lines that begin with `#` ignored;
//! or JSON, a list of ids. The only place that knows these forms.

use std::collections::HashSet;
use std::path::Path;

use super::ExportError;

/// The jobs that somebody picked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picks(HashSet<String>);

impl Picks {
    /// Reads a file of picks.
    pub fn read(path: &Path) -> Result<Self, ExportError> {
        let text = std::fs::read_to_string(path).map_err(ExportError::file(path))?;
        Self::parse(&text).map_err(|why| ExportError::Refused(format!("{}: {why}", path.display())))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim_start_matches('\u{feff}');
        if text.trim_start().starts_with('[') {
            let ids = serde_json::from_str(text);
            return ids.map(Self).map_err(|error| format!("this is not a JSON list of job ids: {error}"));
        }
        let ids = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Ok(Self(ids.map(str::to_owned).collect()))
    }

    /// This job was picked.
    pub(super) fn has(&self, id: &str) -> bool {
        self.0.contains(id)
    }

    /// How many were picked.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_the_same_jobs() {
        let lines = Picks::parse("# liked\nhero\n\n  fox#2  \r\nmug/colour=sage\n").unwrap();
        let json = Picks::parse(" [\"hero\", \"fox#2\", \"mug/colour=sage\"]").unwrap();
        assert_eq!(lines, json);
        assert!(lines.has("fox#2") && !lines.has("# liked"));
        assert!(Picks::parse("[1]").is_err());
    }
}
