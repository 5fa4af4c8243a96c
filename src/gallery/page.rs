//! The page itself: our HTML with our style and script inside, a policy that
//! allows nothing else, and the data as JSON that can't end its own element.

use std::io::{self, Write};
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::GalleryError;
use super::entry::{Entry, Header};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str =
    concat!(include_str!("page/base.css"), include_str!("page/sheet.css"), include_str!("page/lightbox.css"));

/// One script made of files that each hold one thing; they share a scope.
const SCRIPT: &str = concat!(
    "(() => {\n\"use strict\";\n",
    include_str!("page/data.js"),
    include_str!("page/dom.js"),
    include_str!("page/marks.js"),
    include_str!("page/view.js"),
    include_str!("page/facets.js"),
    include_str!("page/tile.js"),
    include_str!("page/layout.js"),
    include_str!("page/sheet.js"),
    include_str!("page/zoom.js"),
    include_str!("page/lightbox.js"),
    include_str!("page/toolbar.js"),
    include_str!("page/main.js"),
    "})();\n",
);

/// The page around its data. Pictures come from where the page is, or from
/// inside it; everything else is forbidden.
static FRAME: LazyLock<(String, String)> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src 'self' file: data:; base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    let page = PAGE.replacen("<!-- policy -->", &policy, 1).replacen("/* style */", STYLE, 1).replacen(
        "/* script */",
        SCRIPT,
        1,
    );
    let (before, after) = page.split_once("<!-- data -->").unwrap_or((&page, ""));
    (before.to_owned(), after.to_owned())
});

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// Writes a page as its entries come.
pub(super) struct Writer<'w> {
    file: &'w mut dyn Write,
}

impl<'w> Writer<'w> {
    /// Writes all that stands before the first entry.
    pub(super) fn begin(file: &'w mut dyn Write, header: &Header) -> Result<Self, GalleryError> {
        file.write_all(FRAME.0.as_bytes())?;
        file.write_all(b"[")?;
        let mut writer = Self { file };
        writer.json(header)?;
        Ok(writer)
    }

    /// Writes one job, on a line of its own.
    pub(super) fn entry(&mut self, entry: &Entry<'_>) -> Result<(), GalleryError> {
        self.file.write_all(b",\n")?;
        self.json(entry)
    }

    /// Writes the end.
    pub(super) fn finish(self) -> Result<(), GalleryError> {
        self.file.write_all(b"]")?;
        Ok(self.file.write_all(FRAME.1.as_bytes())?)
    }

    fn json(&mut self, value: &impl Serialize) -> Result<(), GalleryError> {
        Ok(serde_json::to_writer(Tame(self.file), value).map_err(io::Error::from)?)
    }
}

/// Passes JSON on with every `<` escaped: it stands in strings only, and
/// without it no text can end or open an element.
struct Tame<'w>(&'w mut dyn Write);

impl Write for Tame<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        for (at, part) in text.split(|&byte| byte == b'<').enumerate() {
            if at > 0 {
                self.0.write_all(b"\\u003c")?;
            }
            self.0.write_all(part)?;
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_data() {
        let mut bytes = Vec::new();
        let text = "</script><script>alert(1)</script><!--";
        serde_json::to_writer(Tame(&mut bytes), text).unwrap();
        assert!(!bytes.contains(&b'<'));
        assert_eq!(serde_json::from_slice::<String>(&bytes).unwrap(), text);
    }

    #[test]
    fn the_policy_names_the_style_and_the_script_that_are_there() {
        let between = |open: &str, close: &str| {
            let rest = FRAME.0.split_once(open).or(FRAME.1.split_once(open)).unwrap().1;
            rest.split_once(close).unwrap().0.to_owned()
        };
        for (open, close) in [("<style>", "</style>"), ("<script>", "</script>")] {
            let text = between(open, close);
            assert!(FRAME.0.contains(&hash(&text)), "{open} is not what the policy allows");
            assert!(!text.contains("/* script */") && !text.contains("/* style */"));
        }
    }
}
