//! The README.md of a dataset's folder. Its head tells the `datasets` library
//! which files are which split, whatever the pictures are called: by
//! themselves, loaders take a file called `crash-test.png` for a test split.

use std::fs;

use super::ExportError;
use super::folder::Folder;

/// As long as this line stands, the file is ours to write.
const MARK: &str = "<!-- Written by `imgbatch export` each time, until this line is removed. -->";

/// Writes the card, unless somebody made it their own. `splits` are names and
/// the patterns of their files.
pub(super) fn write(folder: &Folder, splits: &[(String, String)]) -> Result<(), ExportError> {
    let present = folder.present("README.md");
    if fs::read_to_string(&present).is_ok_and(|text| !text.contains(MARK)) {
        return Ok(());
    }
    let path = folder.stage("README.md")?;
    fs::write(&path, text(splits)).map_err(ExportError::file(&path))
}

fn text(splits: &[(String, String)]) -> String {
    let mut text = String::from("---\nconfigs:\n- config_name: default\n  data_files:\n");
    for (name, pattern) in splits {
        text.push_str(&format!("  - split: {name}\n    path: \"{pattern}\"\n"));
    }
    text + "---\n" + MARK + "\n"
}
