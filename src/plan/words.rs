//! Where the words of a job come from: one text, a list of texts, or lines
//! that are taken as they stand.

use std::path::PathBuf;

use super::keys::Mark;
use super::lines::{LineError, Lines};
use super::scope::Scope;
use super::template::{TemplateError, Text};

/// The source of a job's words.
#[derive(Debug)]
pub(super) enum Words<'e, 's> {
    /// `prompt` or `prompt_file`: the template and its raw text.
    One(Text<'e, 's>, &'s str),
    /// A list in the manifest: each entry is a template.
    List(Vec<(Text<'e, 's>, &'s str)>),
    /// The lines of a text manifest.
    Lines(&'s [(usize, String)]),
    /// A file with one prompt a line.
    File(PathBuf),
}

/// One prompt before rendering.
#[derive(Debug)]
pub(super) struct Phrase<'w> {
    /// The text whose hash names it.
    pub(super) raw: std::borrow::Cow<'w, str>,
    /// Absent for the single text of a job: it needs no key.
    pub(super) mark: Option<Mark>,
    /// The line of its file, from 1, or its place in a list, from 0.
    pub(super) at: Option<u64>,
    template: Option<&'w dyn Renders>,
}

/// A compiled text behind its lifetimes.
trait Renders: std::fmt::Debug {
    fn rendered(&self, scope: &Scope) -> Result<String, TemplateError>;
}

impl Renders for Text<'_, '_> {
    fn rendered(&self, scope: &Scope) -> Result<String, TemplateError> {
        self.render(scope)
    }
}

impl Phrase<'_> {
    pub(super) fn render(&self, scope: &Scope) -> Result<String, TemplateError> {
        match self.template {
            Some(template) => template.rendered(scope),
            None => Ok(self.raw.to_string()),
        }
    }
}

type Phrases<'w> = Box<dyn Iterator<Item = Result<Phrase<'w>, LineError>> + 'w>;

impl Words<'_, '_> {
    /// Each prompt in turn.
    pub(super) fn phrases(&self) -> Result<Phrases<'_>, String> {
        let many = |raw: std::borrow::Cow<'static, str>, at: u64| Phrase {
            mark: Some(Mark::of(raw.as_bytes())),
            raw,
            at: Some(at),
            template: None,
        };
        match self {
            Self::One(text, raw) => {
                let phrase = Phrase { raw: (*raw).into(), mark: None, at: None, template: Some(text) };
                Ok(Box::new(std::iter::once(Ok(phrase))))
            }
            Self::List(list) => Ok(Box::new(list.iter().enumerate().map(|(at, (text, raw))| {
                Ok(Phrase {
                    raw: (*raw).into(),
                    mark: Some(Mark::of(raw.as_bytes())),
                    at: Some(at as u64),
                    template: Some(text),
                })
            }))),
            Self::Lines(lines) => Ok(Box::new(lines.iter().map(|(line, raw)| {
                Ok(Phrase {
                    raw: raw.into(),
                    mark: Some(Mark::of(raw.as_bytes())),
                    at: Some(*line as u64),
                    template: None,
                })
            }))),
            Self::File(path) => {
                let lines = Lines::open(path).map_err(|error| error.to_string())?;
                Ok(Box::new(lines.map(move |line| line.map(|(at, raw)| many(raw.into(), at)))))
            }
        }
    }

    /// Templates in it, for looking at their variables.
    pub(super) fn templates(&self) -> Vec<&Text<'_, '_>> {
        match self {
            Self::One(text, _) => vec![text],
            Self::List(list) => list.iter().map(|(text, _)| text).collect(),
            Self::Lines(_) | Self::File(_) => vec![],
        }
    }
}
