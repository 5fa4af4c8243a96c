//! Where a manifest comes from, and in which of the four formats.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::diagnostics::Diagnostic;
use super::node::{Fault, Node, Span, VALUES, too_many_values};
use super::{json, toml, yaml};

/// The most that a manifest may have.
const LIMIT: u64 = 16 << 20;

/// A format that a manifest can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Tables and `[[jobs]]`.
    Toml,
    /// YAML 1.2.
    Yaml,
    /// Strict JSON.
    Json,
    /// One prompt a line.
    Text,
}

impl Format {
    /// The format that a file's extension stands for.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            "txt" => Some(Self::Text),
            _ => None,
        }
    }

    /// The format of a text without a name: JSON begins with `{`; what is no
    /// TOML and reads as a YAML map is YAML; everything else is meant as TOML.
    #[must_use]
    pub fn detect(text: &str) -> Self {
        if text.trim_start().starts_with('{') {
            return Self::Json;
        }
        if toml::read(text).is_ok() {
            return Self::Toml;
        }
        match yaml::read(text) {
            Ok(Node { value: super::node::Tree::Map(_), .. }) => Self::Yaml,
            // Broken in both: the lines decide which errors are worth showing.
            _ if text.lines().any(|line| line.starts_with('[') || line.contains(" = ")) => Self::Toml,
            _ => Self::Yaml,
        }
    }

    /// Reads `text`; a plain text file has no tree.
    pub(super) fn read(self, text: &str) -> Result<Node, Vec<Fault>> {
        match self {
            // The YAML reader counts values itself.
            Self::Toml | Self::Json if crowded(text) => Err(vec![too_many_values(Span::default())]),
            Self::Toml => toml::read(text),
            Self::Yaml => yaml::read(text),
            Self::Json => json::read(text),
            Self::Text => Err(vec![]),
        }
    }
}

/// A manifest that is to be loaded.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    folder: PathBuf,
    format: Option<Format>,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Path(PathBuf),
    Text(String),
}

impl Source {
    /// A file; its extension tells the format.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self {
            name: path.display().to_string(),
            folder: folder.unwrap_or(Path::new(".")).to_owned(),
            format: Format::of(&path),
            content: Content::Path(path),
        }
    }

    /// A text that was read elsewhere, such as from standard input. Without a
    /// format it is detected. Paths in it are relative to `folder`.
    pub fn text(
        name: impl Into<String>,
        format: Option<Format>,
        text: impl Into<String>,
        folder: impl Into<PathBuf>,
    ) -> Self {
        Self { name: name.into(), folder: folder.into(), format, content: Content::Text(text.into()) }
    }

    /// The name that diagnostics show.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file's name without its extension.
    pub(super) fn stem(&self) -> Option<String> {
        let stem = Path::new(&self.name).file_stem()?.to_str()?;
        Some(stem.to_owned())
    }

    /// The text, without a byte order mark, and its format.
    pub(super) fn read(&self) -> Result<(String, Format), Box<Diagnostic>> {
        let text = match &self.content {
            Content::Text(text) => text.clone(),
            Content::Path(path) => read_file(path, &self.name)?,
        };
        if text.len() as u64 > LIMIT {
            return Err(too_large(&self.name).into());
        }
        let text = text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned);
        let format = match (self.format, &self.content) {
            (Some(format), _) => format,
            (None, Content::Text(_)) => Format::detect(&text),
            (None, Content::Path(_)) => return Err(unknown_format(&self.name).into()),
        };
        Ok((text, format))
    }
}

/// Whether a text has so many separators, or so many levels, that its tree
/// would take gigabytes.
fn crowded(text: &str) -> bool {
    let many = |marks: &[u8]| text.bytes().filter(|byte| marks.contains(byte)).nth(VALUES).is_some();
    many(b",\n") || many(b"[{.")
}

fn read_file(path: &Path, name: &str) -> Result<String, Box<Diagnostic>> {
    let failed = |error: std::io::Error| {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            _ => error.to_string(),
        };
        Box::new(Diagnostic::new(format!("can't read {name}: {reason}")))
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    if file.metadata().is_ok_and(|meta| meta.is_dir()) {
        return Err(Diagnostic::new(format!("{name} is a folder; name a file in it")).into());
    }
    let mut bytes = vec![];
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(too_large(name).into());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].split(|&byte| byte == b'\n').count();
        let refused = Diagnostic::new(format!("{name} is not UTF-8: byte {valid}, line {line}"));
        Box::new(refused.with_help(Some("save the file as UTF-8")))
    })
}

fn too_large(name: &str) -> Diagnostic {
    Diagnostic::new(format!("{name} has more than 16 MiB, the most a manifest may have")).with_help(Some(
        "put the many into a file of `rows` or `prompts`, or into a `matrix`: those are streamed",
    ))
}

fn unknown_format(name: &str) -> Diagnostic {
    Diagnostic::new(format!("can't tell the format of {name} from its extension"))
        .with_help(Some("name it .toml, .yaml, .yml, .json or .txt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_or_the_text_tells_the_format() {
        assert_eq!(Format::of(Path::new("a/b.YML")), Some(Format::Yaml));
        assert_eq!(Format::of(Path::new("b")), None);
        for (text, format) in [
            (" {\"a\": 1}", Format::Json),
            ("a = 1\n", Format::Toml),
            ("a: 1\n", Format::Yaml),
            ("a = \n[[jobs]]\n", Format::Toml),
            ("a: [\n", Format::Yaml),
        ] {
            assert_eq!(Format::detect(text), format, "{text:?}");
        }
    }

    #[test]
    fn too_large_and_unreadable_files_are_named() {
        let large = Source::text("-", None, " ".repeat((16 << 20) + 1), ".");
        assert!(large.read().unwrap_err().message.contains("16 MiB"));
        let missing = Source::path("no/such.toml").read().unwrap_err().message;
        assert!(missing.contains("no/such.toml"), "{missing}");
    }
}
