//! The text of a manifest, kept to find the places of values again.

use std::sync::OnceLock;

use super::diagnostics::Diagnostic;
use super::node::{Fault, Node, Span, Step};
use super::source::Format;

/// The source of a manifest. The tree is built anew when a place is asked
/// for: that happens only when there is something to say.
#[derive(Debug)]
pub(crate) struct Document {
    file: String,
    text: String,
    format: Format,
    tree: OnceLock<Option<Node>>,
}

impl Document {
    pub(super) fn new(file: String, text: String, format: Format) -> Self {
        Self { file, text, format, tree: OnceLock::new() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// A diagnostic at the value that `path` leads to.
    pub(crate) fn at(&self, path: &[Step], message: impl Into<String>) -> Diagnostic {
        let tree = self.tree.get_or_init(|| self.format.read(&self.text).ok());
        match tree {
            Some(tree) => self.spanned(tree.locate(path), message),
            None => self.line_of(path, message),
        }
    }

    /// A diagnostic at the first path, unless only the second one exists.
    pub(super) fn at_either(
        &self,
        first: &[Step],
        second: &[Step],
        message: impl Into<String>,
    ) -> Diagnostic {
        let tree = self.tree.get_or_init(|| self.format.read(&self.text).ok());
        let path = match tree {
            Some(tree) if !tree.has(first) && tree.has(second) => second,
            _ => first,
        };
        self.at(path, message)
    }

    /// A diagnostic at the first place where `text` stands by itself.
    pub(super) fn at_text(&self, text: &str, message: impl Into<String>) -> Diagnostic {
        // A longer link that begins or ends with it is another one.
        let ends = |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || "\"',[]{}".contains(c));
        let found = self.text.match_indices(text).map(|(at, _)| (at, at + text.len())).find(|&(from, to)| {
            ends(self.text[..from].chars().next_back()) && ends(self.text[to..].chars().next())
        });
        match found.filter(|_| !text.is_empty()) {
            Some((from, to)) => self.spanned(Span::new(from, to), message),
            None => Diagnostic::new(message),
        }
    }

    /// A diagnostic for a fault that was found while reading.
    pub(super) fn fault(&self, fault: Fault) -> Diagnostic {
        let diagnostic = match fault.span {
            Some(span) => self.spanned(span, fault.message),
            None => Diagnostic::new(fault.message),
        };
        diagnostic.with_help(fault.help)
    }

    fn spanned(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::at(message, &self.file, &self.text, span.start as usize..span.end as usize)
    }

    /// In a text file a path ends with the number of a line, from 1.
    fn line_of(&self, path: &[Step], message: impl Into<String>) -> Diagnostic {
        let Some(Step::Index(line)) = path.last() else { return Diagnostic::new(message) };
        let start: usize = self.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let end = self.text[start..].find('\n').map_or(self.text.len(), |at| start + at);
        self.spanned(Span::new(start, end), message)
    }
}
