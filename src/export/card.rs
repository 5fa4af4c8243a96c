//! The README.md of a dataset's folder. Its head tells the `datasets` library
//! which files are which split, whatever the pictures are called: by
//! themselves, loaders take a file called `crash-test.png` for a test split.
//!
//! The library keeps what it loaded under a hash of this head, not of the
//! files, so the head names the content: a dataset that grew is loaded anew.

use std::fs;

use sha2::{Digest, Sha256};

use super::columns::Column;
use super::folder::Folder;
use super::{ExportError, digest};
use crate::job::ContentHash;

/// As long as this line stands, the file is ours to write.
const MARK: &str = "<!-- Written by `imgbatch export` each time, until this line is removed. -->";

/// The card of an export in progress, told of every row.
#[derive(Default)]
pub(super) struct Card {
    rows: u64,
    content: Sha256,
}

impl Card {
    /// A row, by hashes or texts that change when it does.
    pub(super) fn row(&mut self, parts: &[&[u8]]) {
        self.rows += 1;
        self.content.update(digest(parts));
    }

    /// Writes the card, unless somebody made it their own. `splits` are names
    /// and the patterns of their files; `features` is YAML of the columns'
    /// types.
    pub(super) fn write(
        self,
        folder: &Folder,
        splits: &[(String, String)],
        features: Option<&str>,
    ) -> Result<(), ExportError> {
        let present = folder.present("README.md");
        if fs::read_to_string(&present).is_ok_and(|text| !text.contains(MARK)) {
            return Ok(());
        }
        let path = folder.stage("README.md")?;
        fs::write(&path, self.text(splits, features)).map_err(ExportError::file(&path))
    }

    fn text(self, splits: &[(String, String)], features: Option<&str>) -> String {
        let content = ContentHash::finish(self.content).to_string();
        let mut text = format!(
            "---\nconfigs:\n- config_name: default\n  description: \"{} rows, {}\"\n  data_files:\n",
            self.rows,
            &content[..32]
        );
        let split =
            |(name, pattern): &(String, String)| format!("  - split: {name}\n    path: \"{pattern}\"\n");
        text.extend(splits.iter().map(split));
        text.extend(features.iter().flat_map(|features| ["dataset_info:\n  features:\n", features]));
        text + "---\n" + MARK + "\n"
    }
}

/// The types of these columns, for loaders that would guess them from the
/// first rows; `indent` is that of the list they stand in.
pub(super) fn features(columns: &[Column], indent: &str) -> String {
    let feature = |column: &Column| {
        // A JSON text is a YAML text.
        let name = serde_json::Value::from(column.name.as_str());
        format!("{indent}- name: {name}\n{indent}  dtype: {}\n", column.kind.name())
    };
    columns.iter().map(feature).collect()
}
