//! What is wrong with a manifest, shown with file, line, column and the
//! offending text, all of it in one go.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::redact::redacted;

/// More problems than this help nobody.
const LIMIT: usize = 100;
/// Longer lines are named but not shown.
const LINE: usize = 1_000;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file as the user named it.
    pub file: String,
    /// Bytes from the beginning of the file.
    pub span: Range<usize>,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// How grave a diagnostic is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is submitted.
    #[default]
    Error,
    /// Worth a look.
    Warning,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it stops the run.
    pub severity: Severity,
    /// What is wrong: the value and the rule.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Further places and circumstances, such as the row of a table.
    pub notes: Vec<String>,
    /// Where it is wrong, where that is known.
    pub location: Option<Location>,
    excerpt: Option<Excerpt>,
}

/// The line of a location and the bytes of it that are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Excerpt {
    line: String,
    mark: Range<usize>,
}

impl Diagnostic {
    /// An error without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            help: None,
            notes: vec![],
            location: None,
            excerpt: None,
        }
    }

    /// An error at `span` of `text`, which was read from `file`.
    pub fn at(message: impl Into<String>, file: &str, text: &str, span: Range<usize>) -> Self {
        let (location, excerpt) = place(file, text, span);
        Self { location: Some(location), excerpt, ..Self::new(message) }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn with_help(mut self, help: Option<impl Into<String>>) -> Self {
        self.help = help.map(Into::into).or(self.help);
        self
    }

    /// Adds a further place or circumstance.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The same as a warning.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// As text for people, in the manner of rustc.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(self.message.as_str()));
        match (&self.location, &self.excerpt) {
            (Some(location), Some(excerpt)) => {
                let mark = AnnotationKind::Primary.span(excerpt.mark.clone());
                let snippet = Snippet::source(excerpt.line.as_str());
                group = group
                    .element(snippet.path(location.file.as_str()).line_start(location.line).annotation(mark));
            }
            (Some(location), None) => {
                let origin = Origin::path(location.file.as_str());
                group = group.element(origin.line(location.line).char_column(location.column));
            }
            (None, _) => {}
        }
        group = group.elements(self.notes.iter().map(|note| Level::NOTE.message(note.as_str())));
        group = group.elements(self.help.iter().map(|help| Level::HELP.message(help.as_str())));
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        // The renderer disarms all control characters but these.
        renderer.render(&[group]).replace(|c| ('\u{80}'..='\u{9f}').contains(&c), "\u{fffd}")
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

fn place(file: &str, text: &str, span: Range<usize>) -> (Location, Option<Excerpt>) {
    let start = floor(text, span.start);
    let begin = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let line = text[begin..end].trim_end_matches('\r');
    let location = Location {
        file: file.to_owned(),
        span: start..span.end.max(start),
        line: text[..begin].matches('\n').count() + 1,
        column: text[begin..start].chars().count() + 1,
    };
    let mark_end = floor(text, span.end.clamp(start, end)) - begin;
    let mark = (start - begin).min(line.len())..mark_end.min(line.len());
    let excerpt = (line.len() <= LINE).then(|| Excerpt { line: redacted(line), mark });
    (location, excerpt)
}

/// The nearest character boundary at or before `offset`.
fn floor(text: &str, offset: usize) -> usize {
    text.floor_char_boundary(offset.min(text.len()))
}

/// All problems of a manifest, in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    more: usize,
}

impl Diagnostics {
    /// Adds one; those beyond the first hundred are only counted.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.list.len() < LIMIT {
            self.list.push(diagnostic);
        } else {
            self.more += 1;
        }
    }

    /// Adds all of `others`.
    pub fn extend(&mut self, others: Self) {
        self.more += others.more;
        for diagnostic in others.list {
            self.push(diagnostic);
        }
    }

    /// Brings them into the order of the file; those without a place last.
    pub fn sort(&mut self) {
        let at =
            |diagnostic: &Diagnostic| diagnostic.location.as_ref().map_or(usize::MAX, |at| at.span.start);
        self.list.sort_by_key(at);
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether the hundred are full, so that looking for more is idle.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.list.len() >= LIMIT
    }

    /// The first hundred.
    #[must_use]
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.list
    }

    /// `Ok` when there are none.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// As text for people, in the manner of rustc, a blank line between two.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let mut blocks: Vec<String> = self.list.iter().map(|diagnostic| diagnostic.render(color)).collect();
        if self.more > 0 {
            blocks.push(format!("and at least {} more; the first {LIMIT} are shown", self.more));
        }
        blocks.join("\n\n")
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { list: vec![diagnostic], more: 0 }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_and_the_line_are_shown() {
        let text = "version = 1\r\nnäme = \"x\"\r\n";
        let shown = Diagnostic::at("unknown key `näme`", "m.toml", text, 13..18)
            .with_help(Some("did you mean `name`?"));
        let location = shown.location.clone().unwrap();
        assert_eq!((location.line, location.column), (2, 1));
        insta::assert_snapshot!(shown, @r#"
        error: unknown key `näme`
         --> m.toml:2:1
          |
        2 | näme = "x"
          | ^^^^
          |
          = help: did you mean `name`?
        "#);
    }

    #[test]
    fn odd_spans_do_not_panic() {
        for (start, end) in [(0, 0), (1, 3), (5, 100), (900, 901), (3, 1)] {
            let span = std::ops::Range { start, end };
            let shown = Diagnostic::at("x", "f", "é\n\né", span).to_string();
            assert!(shown.contains("f:"), "{shown}");
        }
        assert!(Diagnostic::at("x", "f", &"y".repeat(100_000), 50_000..50_001).to_string().len() < 200);
    }

    #[test]
    fn only_the_first_hundred_are_kept() {
        let mut all = Diagnostics::default();
        (0..250).for_each(|n| all.push(Diagnostic::new(n.to_string())));
        assert_eq!(all.as_slice().len(), 100);
        assert!(all.to_string().ends_with("and at least 150 more; the first 100 are shown"));
    }
}
