//! Tells a release build which commit it is of, for `imgbatch --version`.
//!
//! `IMGBATCH_COMMIT` names it where there is no repository (an archive, an
//! image). Without either the version stands alone. Other builds don't ask, so
//! that a commit rebuilds nothing while one works on the code.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=IMGBATCH_COMMIT");
    let named = env::var("IMGBATCH_COMMIT").ok().filter(|commit| !commit.is_empty());
    let release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if let Some(commit) = named.or_else(|| if release { of_repository() } else { None }) {
        let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
        println!("cargo:rustc-env=IMGBATCH_VERSION={version} ({commit})");
    }
}

/// Of this package's own repository; one around it is somebody else's.
fn of_repository() -> Option<String> {
    if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    // Grows whenever HEAD moves, on a branch and without one.
    println!("cargo:rerun-if-changed={}", git(&["rev-parse", "--git-path", "logs/HEAD"])?);
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
