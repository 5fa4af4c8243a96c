//! Other files in one of the manifest's formats, read with the same errors:
//! places, suggestions, all faults at once.

use serde::de::DeserializeOwned;

use super::decode::decode;
use super::diagnostics::{Diagnostic, Diagnostics};
use super::document::Document;
use super::source::{Format, Source};

/// Faults that are looked for.
const LIMIT: usize = 101;

/// Reads a file of data; the document finds its places again.
pub(crate) fn read_data<T: DeserializeOwned>(source: &Source) -> Result<(T, Document), Diagnostics> {
    let (text, format) = source.read().map_err(|diagnostic| Diagnostics::from(*diagnostic))?;
    if format == Format::Text {
        let refused = Diagnostic::new(format!("{} must be TOML, YAML or JSON", source.name()));
        return Err(refused.into());
    }
    let tree = format.read(&text);
    let document = Document::new(source.name().to_owned(), text, format);
    let mut faults = vec![];
    let data = match tree {
        Ok(mut tree) => decode(&mut tree, &mut faults, LIMIT),
        Err(syntax) => {
            faults = syntax;
            None
        }
    };
    let mut problems = Diagnostics::default();
    for fault in faults {
        problems.push(document.fault(fault));
    }
    match data {
        Some(data) if problems.is_empty() => Ok((data, document)),
        _ => Err(problems),
    }
}
