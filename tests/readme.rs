//! The README is true: its help text is the program's, its commands work, its
//! manifest plans, its links lead somewhere.

#![expect(
    clippy::unwrap_used,
    clippy::match_same_arms,
    reason = "a test that cannot go on should stop; the arms are a table"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const README: &str = include_str!("../README.md");

/// The fenced blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    README
        .split(&opening)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

/// Commands of the README, without comments.
fn commands() -> Vec<String> {
    let line = |line: &str| line.split("  #").next().unwrap_or_default().trim().to_owned();
    let blocks = blocks("sh");
    blocks.iter().flat_map(|block| block.lines()).map(line).filter(|line| !line.is_empty()).collect()
}

fn imgbatch(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_imgbatch")).args(words).current_dir(folder).output().unwrap()
}

/// A copy of what a clone has beside the README.
fn clone() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").args(["-r", "manifests"]).arg(folder.path()).status().unwrap();
    assert!(copied.success());
    folder
}

#[test]
fn the_help_text_is_the_programs() {
    let folder = tempfile::tempdir().unwrap();
    let help = String::from_utf8(imgbatch(folder.path(), &["-h"]).stdout).unwrap();
    assert!(README.contains(help.trim()), "the README's help text is old; it should be:\n{help}");
}

#[test]
fn every_subcommand_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        "run", "plan", "submit", "collect", "status", "resolve", "check", "gallery", "export", "doctor",
        "emulator", "init", "schema",
    ] {
        let output = imgbatch(folder.path(), &[command, "--help"]);
        assert!(output.status.success(), "{command}");
        assert!(README.contains(&format!("  {command}")), "{command} is not in the README");
    }
}

#[test]
fn the_commands_of_the_readme_work_in_their_order() {
    let folder = clone();
    for command in commands() {
        let words: Vec<&str> = command.split_whitespace().collect();
        let words = match words.as_slice() {
            ["cargo", "run", "--release", "--", words @ ..] => words,
            ["imgbatch", words @ ..] => words,
            ["cargo", "test"] => continue,
            ["export", ..] => continue,
            _ => panic!("a command that is not checked: {command}"),
        };
        let output = imgbatch(folder.path(), words);
        let text = String::from_utf8_lossy(&output.stderr);
        match (words[0], words.contains(&"--emulate")) {
            // These need a run against the real API first: they must parse.
            ("run", false) | ("status" | "resolve", _) => {
                assert!(!text.contains("Usage:"), "{command}: {text}");
            }
            _ => assert!(output.status.success(), "{command}: {text}"),
        }
    }
    let pictures = folder.path().join("manifests/out/quickstart-emulated/images");
    assert!(pictures.join("hero.png").exists());
    assert!(folder.path().join("out/winter-emulated/images/hero.png").exists());
}

#[test]
fn the_manifest_of_the_readme_plans() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = blocks("toml").concat();
    fs::write(folder.path().join("winter.toml"), manifest).unwrap();
    fs::write(folder.path().join("foxes.txt"), "A fox in the reeds\nA fox under stars\n").unwrap();
    let output = imgbatch(folder.path(), &["plan", "winter.toml", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["totals"]["new"], 11);
}

#[test]
fn links_lead_to_files() {
    for link in README.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        if !link.contains("://") {
            assert!(Path::new(link).exists(), "{link}");
        }
    }
}

#[test]
fn the_table_of_exit_codes_is_complete() {
    for code in [0, 1, 2, 3, 4, 5, 6, 7, 130] {
        assert!(README.contains(&format!("| {code} | ")), "{code}");
    }
}

/// Every key that the schema knows is in the reference.
#[test]
fn the_manifest_reference_names_every_key() {
    let folder = tempfile::tempdir().unwrap();
    let output = imgbatch(folder.path(), &["schema"]);
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let reference = fs::read_to_string("docs/manifest.md").unwrap();
    let objects = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    for key in objects.filter_map(|object| object["properties"].as_object()).flat_map(|keys| keys.keys()) {
        assert!(reference.contains(&format!("`{key}`")), "{key} is not in docs/manifest.md");
    }
}
