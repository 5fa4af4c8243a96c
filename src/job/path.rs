//! The one door through which a name becomes a path below the output folder.

use std::borrow::Cow;
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
    /// All components together are longer than operating systems allow.
    #[error("an output path has {0} bytes; 800 is the limit")]
    TooDeep(usize),
    /// A folder could meet a picture of that name.
    #[error("output path {0:?} has a folder {1:?} that is named like a picture; call it otherwise")]
    PictureFolder(String, String),
}

/// File systems allow 255 bytes; a picture's number, its extension and the
/// marks of temporary and replaced files need room.
const COMPONENT_BYTES: usize = 200;

/// macOS takes paths of 1,024 bytes, and the output folder has a path too.
const PATH_BYTES: usize = 800;

/// Extensions of pictures: dropped from a path, because the content decides.
const EXTENSIONS: [&str; 4] = [".png", ".jpg", ".jpeg", ".webp"];

impl OutPath {
    /// Checks a path that may carry picture extensions. All of them go, so
    /// that a path which is read back is the same path.
    pub fn new(name: &str) -> Result<Self, PathError> {
        // ASCII is normal already, and nearly all names are ASCII.
        let name: String = if name.is_ascii() { name.to_owned() } else { name.nfc().collect() };
        let mut stem = name.as_str();
        while let Some(shorter) = strip_extension(stem) {
            stem = shorter;
        }
        if stem.is_empty() {
            return Err(PathError::Empty);
        }
        if stem.len() > PATH_BYTES {
            return Err(PathError::TooDeep(stem.len()));
        }
        if stem.starts_with(['/', '~']) || stem.contains("://") {
            return Err(PathError::Absolute(name));
        }
        if let Some(bad) = stem.chars().find(|&c| !carried_everywhere(c)) {
            return Err(PathError::Character(name, bad));
        }
        for part in stem.split('/') {
            check_component(&name, part)?;
        }
        Ok(Self(stem.to_owned()))
    }

    /// The default path of a job: its id, with what file names can't carry
    /// replaced by `_`.
    pub fn for_id(id: &str) -> Result<Self, PathError> {
        let name: String = id.chars().map(|c| if carried_everywhere(c) { c } else { '_' }).collect();
        let Some((folders, file)) = name.rsplit_once('/') else { return Self::new(&name) };
        let folders: Vec<_> = folders.split('/').map(plain_folder).collect();
        Self::new(&format!("{}/{file}", folders.join("/")))
    }

    /// Where the pictures of one attempt of a changed job go. The limits leave
    /// room for it.
    #[must_use]
    pub fn version(&self, attempt: i64) -> Self {
        Self(format!("{}.{attempt}", self.0))
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

/// `None` without a picture extension.
fn strip_extension(name: &str) -> Option<&str> {
    EXTENSIONS.iter().find_map(|extension| {
        let split = name.len().checked_sub(extension.len())?;
        let tail = name.get(split..)?;
        tail.eq_ignore_ascii_case(extension).then(|| &name[..split])
    })
}

/// `b.png` as a folder is `b_png`: beside it may lie a picture of that name.
fn plain_folder(part: &str) -> Cow<'_, str> {
    match strip_extension(part) {
        Some(stem) => Cow::Owned(format!("{stem}_{}", &part[stem.len() + 1..])),
        None => Cow::Borrowed(part),
    }
}

fn check_component(name: &str, part: &str) -> Result<(), PathError> {
    // A leading dot would hide the file and clash with temporary files.
    if part.is_empty() || part.starts_with('.') || part.ends_with(['.', ' ']) || part.starts_with(' ') {
        return Err(PathError::Component(name.into(), part.into()));
    }
    if part.len() > COMPONENT_BYTES {
        return Err(PathError::TooLong(name.into(), part.len()));
    }
    // The last one has lost its extensions.
    if strip_extension(part).is_some() {
        return Err(PathError::PictureFolder(name.into(), part.into()));
    }
    Ok(())
}

fn carried_everywhere(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_names_pass_and_lose_a_picture_extension() {
        for (name, path) in [
            ("hero", "hero"),
            ("mugs/hero.PNG", "mugs/hero"),
            ("mug/colour=sage,style=studio#2.webp", "mug/colour=sage,style=studio#2"),
            ("v1.2", "v1.2"),
            ("a.png.PNG.jpg", "a"),
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
        assert!(OutPath::new(&"x/".repeat(500)).is_err());
        assert!(OutPath::new(&format!("{}x", "x/".repeat(400))).is_err());
    }

    #[test]
    fn ids_become_paths_by_replacing() {
        assert_eq!(OutPath::for_id("a: b?").unwrap().as_str(), "a_ b_");
        assert!(OutPath::for_id("../../x").is_err());
    }

    #[test]
    fn a_folder_never_has_the_name_of_a_picture() {
        for name in ["a.png/b", "a.JPG/b", "x/a.webp/b", "a.png.jpeg/b.png"] {
            assert!(matches!(OutPath::new(name), Err(PathError::PictureFolder(..))), "{name}");
        }
        let path = OutPath::for_id("mug/photo=a.png/1b4f.png").unwrap();
        assert_eq!(path.as_str(), "mug/photo=a_png/1b4f");
    }

    /// Pieces of names that mean harm, and of plain ones.
    fn name() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            prop::sample::select(vec![
                "..", ".", "/", "//", "../", "/..", "\\", "~", ":", "\0", "\u{7f}", " ", "%2e%2e", "．．",
                "․․", "∕", "\u{202e}", "\u{feff}", "\u{301}", "e\u{301}", ".png", ".JPG", ".webp", "file://",
                "C:", "a", "x-1", "狐",
            ])
            .prop_map(str::to_owned),
            any::<char>().prop_map(String::from),
            "[a-z]{1,90}",
        ];
        let harmful = proptest::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat());
        let plain = "[a-z]{1,3}((/|[.]png|[.]JPG|[.]webp|[.]2|[#=]){1,2}[a-z]{0,2}){0,4}";
        prop_oneof![harmful, plain]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_passes_stays_below_and_is_read_back(name in name(), number in proptest::option::of(1..5000_u32)) {
            for path in [OutPath::new(&name), OutPath::for_id(&name)].into_iter().flatten() {
                prop_assert_eq!(OutPath::new(path.as_str()), Ok(path.clone()));
                let file = path.file(number, "jpeg");
                for component in file.components() {
                    let std::path::Component::Normal(part) = component else { panic!("{component:?} in {file:?}") };
                    let part = part.to_str().unwrap();
                    prop_assert!(part.len() <= 255 && !part.starts_with('.') && !part.contains(['\\', '\0', ':']), "{}", part);
                }
                // Written out, so that a component which vanishes is seen.
                let written = file.to_str().unwrap().split('/').count();
                prop_assert_eq!(file.components().count(), written, "{:?}", file);
            }
        }
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
