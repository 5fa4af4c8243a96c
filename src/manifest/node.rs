//! The one tree that TOML, YAML and JSON are read into: values with the bytes
//! of the source that they came from.

use std::collections::HashSet;

/// The bytes of a source that something was read from. 32 bits are enough
/// because a source has at most 16 MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let narrow = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: narrow(start), end: narrow(end) }
    }
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Self {
        Self::new(range.start, range.end)
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Tree,
}

/// What the three formats have in common.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a map.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

/// Something wrong at a place of the source.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) span: Option<Span>,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>, span: Span) -> Self {
        Self { message: message.into(), help: None, span: Some(span) }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// One step from a node to a node below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The value of a key.
    Key(String),
    /// An entry of a list.
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl Node {
    /// Takes the value of `key` out of a map.
    pub(crate) fn take(&mut self, key: &str) -> Option<Entry> {
        let Tree::Map(entries) = &mut self.value else { return None };
        let at = entries.iter().position(|entry| entry.key == key)?;
        Some(entries.remove(at))
    }

    /// Removes whatever stands at exactly `span`, key or value; says whether
    /// there was something.
    pub(crate) fn remove(&mut self, span: Span) -> bool {
        match &mut self.value {
            Tree::Map(entries) => {
                let before = entries.len();
                entries.retain(|entry| entry.key_span != span && entry.value.span != span);
                entries.len() < before || entries.iter_mut().any(|entry| entry.value.remove(span))
            }
            Tree::List(nodes) => {
                let before = nodes.len();
                nodes.retain(|node| node.span != span);
                nodes.len() < before || nodes.iter_mut().any(|node| node.remove(span))
            }
            _ => false,
        }
    }

    /// Whether `path` leads to a node.
    pub(crate) fn has(&self, path: &[Step]) -> bool {
        let Some((step, rest)) = path.split_first() else { return true };
        let below = match (step, &self.value) {
            (Step::Index(index), Tree::List(nodes)) => nodes.get(*index),
            (Step::Key(key), Tree::Map(entries)) => {
                entries.iter().find(|entry| entry.key == *key).map(|entry| &entry.value)
            }
            _ => None,
        };
        below.is_some_and(|node| node.has(rest))
    }

    /// The span that `path` leads to, or that of the last node on the way.
    pub(crate) fn locate(&self, path: &[Step]) -> Span {
        let Some((step, rest)) = path.split_first() else { return self.span };
        match (step, &self.value) {
            (Step::Index(index), Tree::List(nodes)) => {
                nodes.get(*index).map_or(self.span, |node| node.locate(rest))
            }
            (Step::Key(key), Tree::Map(entries)) => match entries.iter().find(|entry| entry.key == *key) {
                Some(entry) => entry.locate(rest),
                None => self.span,
            },
            _ => self.span,
        }
    }
}

impl Entry {
    /// A table is shown by its key, a plain value by itself.
    fn locate(&self, rest: &[Step]) -> Span {
        let found = self.value.locate(rest);
        let table = matches!(self.value.value, Tree::Map(_) | Tree::List(_));
        if table && found == self.value.span { self.key_span } else { found }
    }
}

/// The most values of one manifest: 22 bytes of source for each is little.
pub(crate) const VALUES: usize = 750_000;

pub(crate) fn too_many_values(span: Span) -> Fault {
    Fault::new(format!("the manifest has more than {VALUES} values"), span)
        .with_help("put long lists into a file of `prompts` or `rows`: those are streamed")
}

/// The first key that stands twice in one map.
pub(crate) fn repeated_key(entries: &[Entry]) -> Option<Fault> {
    let mut seen = HashSet::with_capacity(entries.len());
    let twice = entries.iter().find(|entry| !seen.insert(entry.key.as_str()))?;
    Some(Fault::new(format!("the key `{}` is given twice", twice.key), twice.key_span))
}
