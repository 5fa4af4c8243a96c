//! The one door through which a name becomes a path below the output folder.

use std::fmt;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

/// A relative path of plain components, without an extension, that can not
/// leave the folder it is joined to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OutPath(String);

/// Why a name can't be a path below the output folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing is left of it.
    #[error("the output path is empty")]
    Empty,
    /// Begins with `/` or a drive or is a URL.
    #[error("output path {0:?} is absolute; it must be relative to the images folder")]
    Absolute(String),
    /// Holds `.` or `..` or an empty component.
    #[error("output path {0:?} has a component {1:?}; every part must be a plain name")]
    Component(String, String),
    /// Holds a control character, a backslash or another character that
    /// breaks on a common file system.
    #[error("output path {0:?} holds the character {1:?}, which file names can't carry everywhere")]
    Character(String, char),
    /// A component is longer than file systems allow.
    #[error("output path {0:?} has a component of {1} bytes; 200 is the limit")]
    TooLong(String, usize),
}

/// File systems allow 255 bytes; a picture's number, its extension and the
/// marks of temporary and replaced files need room.
const COMPONENT_BYTES: usize = 200;

/// Extensions of pictures: dropped from a path, because the content decides.
const EXTENSIONS: [&str; 4] = [".png", ".jpg", ".jpeg", ".webp"];

impl OutPath {
    /// Checks a path that may carry one of the picture extensions.
    pub fn new(name: &str) -> Result<Self, PathError> {
        // ASCII is normal already, and nearly all names are ASCII.
        let name: String = if name.is_ascii() { name.to_owned() } else { name.nfc().collect() };
        let stem = strip_extension(&name);
        if stem.is_empty() {
            return Err(PathError::Empty);
        }
        if stem.starts_with(['/', '~']) || stem.contains("://") {
            return Err(PathError::Absolute(name));
        }
        if let Some(bad) = stem.chars().find(|&c| !carried_everywhere(c)) {
            return Err(PathError::Character(name, bad));
        }
        for part in stem.split('/') {
            // A leading dot would hide the file and clash with temporary files.
            if part.is_empty() || part.starts_with('.') || part.ends_with(['.', ' ']) || part.starts_with(' ')
            {
                return Err(PathError::Component(name.clone(), part.into()));
            }
            if part.len() > COMPONENT_BYTES {
                return Err(PathError::TooLong(name.clone(), part.len()));
            }
        }
        Ok(Self(stem.to_owned()))
    }

    /// The default path of a job: its id, with what file names can't carry
    /// replaced by `_`.
    pub fn for_id(id: &str) -> Result<Self, PathError> {
        let name: String = id.chars().map(|c| if carried_everywhere(c) { c } else { '_' }).collect();
        Self::new(&name)
    }

    /// The path as written, with `/` between components.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Two paths with one key would be one file on some file system: case and
    /// Unicode normalisation are folded.
    #[must_use]
    pub fn collision_key(&self) -> String {
        if self.0.is_ascii() { self.0.to_ascii_lowercase() } else { self.0.to_lowercase().nfkc().collect() }
    }

    /// The file's path below the images folder. `number` counts from 1 and is
    /// given where a job has several pictures.
    #[must_use]
    pub fn file(&self, number: Option<u32>, extension: &str) -> PathBuf {
        match number {
            Some(number) => Path::new(&format!("{}-{number}.{extension}", self.0)).to_owned(),
            None => Path::new(&format!("{}.{extension}", self.0)).to_owned(),
        }
    }
}

impl fmt::Display for OutPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn strip_extension(name: &str) -> &str {
    EXTENSIONS
        .iter()
        .find_map(|extension| {
            let split = name.len().checked_sub(extension.len())?;
            let tail = name.get(split..)?;
            tail.eq_ignore_ascii_case(extension).then(|| &name[..split])
        })
        .unwrap_or(name)
}

fn carried_everywhere(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_pass_and_lose_a_picture_extension() {
        for (name, path) in [
            ("hero", "hero"),
            ("mugs/hero.PNG", "mugs/hero"),
            ("mug/colour=sage,style=studio#2.webp", "mug/colour=sage,style=studio#2"),
            ("v1.2", "v1.2"),
            ("狐/キツネ", "狐/キツネ"),
        ] {
            assert_eq!(OutPath::new(name).unwrap().as_str(), path);
        }
    }

    #[test]
    fn nothing_leaves_the_folder() {
        for name in [
            "",
            ".png",
            "..",
            "../x",
            "a/../../x",
            "/etc/passwd",
            "a//b",
            "./a",
            "a/.",
            "a/..png",
            "~/x",
            "C:\\x",
            "a\\..\\b",
            "file:///x",
            "a\0b",
            "a\nb",
            ".hidden",
            "a/.ssh/x",
            "nul\u{202e}gnp",
            "trailing.",
            "trailing ",
        ] {
            assert!(OutPath::new(name).is_err(), "{name:?} passed");
        }
        assert!(OutPath::new(&"x".repeat(201)).is_err());
    }

    #[test]
    fn ids_become_paths_by_replacing() {
        assert_eq!(OutPath::for_id("a: b?").unwrap().as_str(), "a_ b_");
        assert!(OutPath::for_id("../../x").is_err());
    }

    #[test]
    fn one_key_for_what_is_one_file_somewhere() {
        let key = |name: &str| OutPath::new(name).unwrap().collision_key();
        assert_eq!(key("Fox.png"), key("fox.jpg"));
        assert_eq!(key("caf\u{e9}"), key("cafe\u{301}"));
        assert_ne!(key("fox"), key("fox#2"));
    }

    #[test]
    fn numbers_stand_before_the_extension() {
        let path = OutPath::new("a/b").unwrap();
        assert_eq!(path.file(None, "png"), Path::new("a/b.png"));
        assert_eq!(path.file(Some(2), "png"), Path::new("a/b-2.png"));
    }
}
