//! `--run "nightly-{{ date }}"`: runs of one manifest that a schedule starts,
//! each with a name and a folder of its own. A new one first collects what the
//! earlier ones left; nothing is bought for them.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Zoned;
use minijinja::{Environment, UndefinedBehavior, context};

use super::Usage;
use crate::ledger::{FILE_NAME, FolderLock, LedgerError, Reader};
use crate::manifest::is_plain_name;
use crate::plan::Plan;

/// What `--run` takes.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct RunArgs {
    /// The run's name in place of the manifest's, such as "nightly-{{ date }}"; knows date, time,
    /// datetime and week.
    #[arg(long = "run", value_name = "NAME")]
    pattern: Option<String>,
}

/// A run with a name of its own.
#[derive(Debug)]
pub(super) struct Dated {
    pub(super) name: String,
    pub(super) pattern: String,
    /// What runs of one schedule have in common: the manifest and the pattern.
    pub(super) series: String,
}

impl RunArgs {
    /// Gives the plan its name of now.
    pub(super) fn rename(&self, plan: &mut Plan) -> anyhow::Result<Option<Dated>> {
        let Some(pattern) = self.pattern.clone() else { return Ok(None) };
        let name = name(&pattern, &Zoned::now()).map_err(Usage::error)?;
        let series = serde_json::to_string(&[plan.name(), &pattern])?;
        plan.rename(name.clone());
        Ok(Some(Dated { name, pattern, series }))
    }
}

/// The name at a time; the clock is the local one.
fn name(pattern: &str, now: &Zoned) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(10_000));
    let time = |format: &str| now.strftime(format).to_string();
    let variables = context! {
        date => time("%Y-%m-%d"),
        time => time("%H%M%S"),
        datetime => time("%Y-%m-%dT%H%M%S"),
        week => time("%G-W%V"),
    };
    let name = environment.render_str(pattern, variables).map_err(|error| {
        format!("--run {pattern:?} makes no name: {error}; it knows date, time, datetime and week")
    })?;
    if !is_plain_name(&name) {
        return Err(format!(
            "--run {pattern:?} makes {name:?}, which is not a plain file name: letters, digits, spaces, `-`, `_` and `.` are fine"
        ));
    }
    Ok(name)
}

/// Folders beside `out` of the same series with something to collect, the
/// oldest name first. Those that another process holds are in good hands.
pub(super) fn unfinished(out: &Path, series: &str) -> Vec<PathBuf> {
    let beside = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folders = fs::read_dir(beside).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = folders
        .filter(|folder| folder.file_name() != out.file_name() && folder.join(FILE_NAME).exists())
        .filter(|folder| {
            // One that can't be read must not stop the new run; its own `status` says why.
            is_unfinished(folder, series).unwrap_or_else(|error| {
                tracing::warn!("{} is left alone: {error}", folder.display());
                false
            })
        })
        .collect();
    found.sort();
    found
}

fn is_unfinished(folder: &Path, series: &str) -> Result<bool, LedgerError> {
    let reader = Reader::open(folder)?;
    let view = reader.view();
    if view.series()?.as_deref() != Some(series) {
        return Ok(false);
    }
    let jobs = view.tally()?;
    Ok(jobs.in_flight + jobs.unknown > 0 && !FolderLock::is_held(folder)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_local_clock() {
        let now: Zoned = "2027-01-01T00:30:05+01:00[Europe/Berlin]".parse().unwrap();
        for (pattern, expected) in [
            ("nightly-{{ date }}", "nightly-2027-01-01"),
            ("{{ datetime }}", "2027-01-01T003005"),
            ("{{ date }}.{{ time }}", "2027-01-01.003005"),
            ("weekly {{ week }}", "weekly 2026-W53"),
            ("plain", "plain"),
        ] {
            assert_eq!(name(pattern, &now).as_deref(), Ok(expected), "{pattern}");
        }
        for pattern in ["{{ day }}", "{{ date", "../{{ date }}", "", "a/b"] {
            let error = name(pattern, &now).unwrap_err();
            assert!(error.contains("--run"), "{error}");
        }
    }
}
