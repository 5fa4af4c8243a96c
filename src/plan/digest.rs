//! Whether a manifest is the same as last time, without expanding it.

use std::fmt::{self, Write};
use std::io::Read;

use sha2::{Digest, Sha256};

use crate::job::ContentHash;
use crate::manifest::{Diagnostics, Job, Prompts};

use super::Plan;
use super::entry::unreadable;
use super::lines::open_file;
use super::report::{Place, Report, Wrong};

/// Counted up whenever the same manifest would be planned differently.
const PLANNER: u32 = 1;

/// Feeds formatted text to a hash without keeping it.
struct Sink<'h>(&'h mut Sha256);

impl Write for Sink<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

/// Hashes what the jobs follow from; `None` when local pictures have a part
/// in it, because they are known only after expanding.
pub(super) fn digest(plan: &Plan) -> Result<Option<ContentHash>, Diagnostics> {
    let manifest = &plan.manifest;
    if manifest.jobs.iter().any(|job| may_name_files(&manifest.defaults.merged_into(job))) {
        return Ok(None);
    }
    let mut hasher = Sha256::new();
    // How to run is no part of it: another rate is the same plan.
    let meaning = (PLANNER, env!("CARGO_PKG_VERSION"), &manifest.name, &plan.prices);
    let _ =
        write!(Sink(&mut hasher), "{meaning:?}{:?}{:?}{:?}", manifest.defaults, manifest.vars, manifest.jobs);
    let mut report = Report::new(manifest);
    for job in &manifest.jobs {
        let prompts = match &job.prompts {
            Some(Prompts::File(path)) => Some(path),
            _ => None,
        };
        for (key, path) in
            [("rows", job.rows.as_ref()), ("prompts", prompts), ("prompt_file", job.prompt_file.as_ref())]
        {
            let Some(path) = path else { continue };
            if let Err(wrong) = file(&mut hasher, plan, key, path) {
                report.refuse(&Place { entry: job.place, ..Place::default() }, wrong);
            }
        }
    }
    report.problems.into_result(Some(ContentHash::finish(hasher)))
}

/// Links are told from files by their beginning; a template that begins with
/// a variable may be either.
fn may_name_files(job: &Job) -> bool {
    let is_link = |text: &String| text.starts_with("https://") || text.starts_with("http://");
    !job.images.iter().flatten().chain(&job.mask).all(is_link)
}

fn file(hasher: &mut Sha256, plan: &Plan, key: &str, path: &str) -> Result<(), Wrong> {
    let failed = |error: std::io::Error| unreadable(key, path, &error.to_string());
    let mut file = open_file(&plan.manifest.resolve(path)).map_err(failed)?;
    let mut chunk = vec![0; 64 << 10];
    let mut length: u64 = 0;
    loop {
        let count = file.read(&mut chunk).map_err(failed)?;
        if count == 0 {
            hasher.update(length.to_le_bytes());
            return Ok(());
        }
        length += count as u64;
        hasher.update(&chunk[..count]);
    }
}
