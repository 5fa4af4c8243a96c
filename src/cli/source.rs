//! Where a manifest comes from, and where its pictures go.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::Usage;
use crate::manifest::Source;
use crate::model::Prices;
use crate::plan::{Plan, load_prices};

/// A manifest may have 16 MiB (docs/manifest.md). One byte more is
/// read, so that a larger one is refused and not cut.
const LIMIT: u64 = (16 << 20) + 1;

/// Loads the manifest at `path`, or from standard input for `-`. A file of
/// prices from a flag outranks what the manifest names.
pub(super) fn load(path: &Path, prices: Option<&Path>) -> anyhow::Result<Plan> {
    let source = if path.as_os_str() == "-" {
        let mut text = Vec::new();
        std::io::stdin().lock().take(LIMIT).read_to_end(&mut text)?;
        let text = String::from_utf8(text)
            .map_err(|_| Usage::error("the manifest on standard input is not UTF-8 text"))?;
        Source::text("standard input", None, text, ".")
    } else {
        Source::path(path)
    };
    Ok(match prices {
        Some(file) => Plan::load_priced(&source, load_prices(&Source::path(file))?)?,
        None => Plan::load(&source, Prices::published())?,
    })
}

/// The output folder: the flag's, else the manifest's. Pictures of the
/// in-process emulator never meet real ones.
pub(super) fn out_dir(plan: &Plan, flag: Option<&Path>, emulate: bool) -> PathBuf {
    let beside = plan.out_dir();
    let beside = beside.strip_prefix(".").unwrap_or(&beside);
    match flag {
        Some(out) => out.to_owned(),
        None if emulate => {
            let mut folder = beside.as_os_str().to_owned();
            folder.push("-emulated");
            folder.into()
        }
        None => beside.to_owned(),
    }
}
