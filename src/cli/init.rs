//! `imgbatch init`: a first manifest, with its schema for editors.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::summary::shell_word;
use super::{Usage, print};

const FIRST: &str = include_str!("first.toml");

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to write it.
    #[arg(default_value = "imgbatch.toml")]
    manifest: PathBuf,
}

pub(super) fn execute(args: &Args) -> anyhow::Result<Exit> {
    if args.manifest.extension().is_some_and(|extension| extension != "toml") {
        return Err(Usage::error(format!(
            "a first manifest is TOML; name it {}",
            args.manifest.with_extension("toml").display()
        )));
    }
    let folder =
        args.manifest.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    write_new(&args.manifest, &named(&args.manifest))?;
    let schema = folder.join("imgbatch.schema.json");
    if !schema.exists() {
        write_new(&schema, &format!("{}\n", serde_json::to_string_pretty(&crate::manifest::json_schema())?))?;
    }
    let manifest = shell_word(&args.manifest.display().to_string());
    print(&format!(
        "wrote {0} and {1}\nnext:\n  imgbatch plan {2}\n  imgbatch run {2} --emulate\n",
        args.manifest.display(),
        schema.display(),
        manifest
    ))?;
    Ok(Exit::Success)
}

/// The first manifest, named after its file.
fn named(path: &Path) -> String {
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("first");
    FIRST
        .replace("name = \"first\"", &format!("name = {}", serde_json::json!(name)))
        .replace("imgbatch.toml", &path.file_name().unwrap_or_default().to_string_lossy())
}

/// Never writes over anything.
fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| {
            let shown = path.display();
            Usage::error(match error.kind() {
                ErrorKind::AlreadyExists => {
                    format!("{shown} is there already, and stays as it is; name another file")
                }
                ErrorKind::NotFound => format!("can't write {shown}: its folder is not there; make it first"),
                _ => format!("can't write {shown}: {error}"),
            })
        })
}
