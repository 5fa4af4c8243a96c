//! A manifest is edited between runs: what the plan says, what is paid, what
//! is on disk afterwards. Told with the binary and the emulator inside it.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::Running;
use tempfile::TempDir;

struct Batch {
    folder: TempDir,
}

impl Batch {
    fn new(jobs: &str) -> Self {
        let batch = Self { folder: tempfile::tempdir().unwrap() };
        batch.edit(jobs);
        batch
    }

    fn edit(&self, jobs: &str) {
        let head = "name = 'story'\n[run]\nrate = '50/s'\n[defaults]\nsize = '3:1'\nquality = 'low'\n";
        fs::write(self.folder.path().join("m.toml"), format!("{head}{jobs}")).unwrap();
    }

    /// Runs a command and gives its exit code and its JSON.
    fn call(&self, words: &[&str]) -> (i32, Value) {
        let common = ["m.toml", "--emulate", "--out", "out", "--json"];
        let words = [&words[..1], &common, &words[1..]].concat();
        let mut command = Command::new(env!("CARGO_BIN_EXE_imgbatch"));
        command.args(&words).current_dir(self.folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (code, stdout, stderr) = Running::start(&mut command).end();
        let json = serde_json::from_slice(&stdout)
            .unwrap_or_else(|_| panic!("{words:?}: {}", String::from_utf8_lossy(&stderr)));
        (code, json)
    }

    /// Runs to success; gives the number of submissions.
    fn run(&self) -> u64 {
        let (code, json) = self.call(&["run"]);
        assert_eq!(code, 0, "{json}");
        json["submissions"]["sent"].as_u64().unwrap()
    }

    fn actions(&self) -> Vec<String> {
        let (_, plan) = self.call(&["plan"]);
        let jobs = plan["jobs"].as_array().unwrap();
        jobs.iter()
            .map(|job| format!("{} {}", job["id"].as_str().unwrap(), job["action"].as_str().unwrap()))
            .collect()
    }

    fn has(&self, path: &str) -> bool {
        self.folder.path().join("out").join(path).exists()
    }

    fn bytes(&self, path: &str) -> Vec<u8> {
        fs::read(self.folder.path().join("out").join(Path::new(path))).unwrap()
    }
}

#[test]
fn takes_that_are_renamed_are_all_free() {
    let batch = Batch::new("[[jobs]]\nid = 'rep'\nprompt = 'a fox'\nrepeat = 3\n");
    assert_eq!(batch.run(), 3);
    batch.edit("[[jobs]]\nid = 'pep'\nprompt = 'a fox'\nrepeat = 3\n");
    assert_eq!(batch.actions(), ["pep renamed", "pep#2 renamed", "pep#3 renamed"]);
    assert_eq!(batch.run(), 0);
    for name in ["images/pep.png", "images/pep#2.png", "images/pep#3.png"] {
        assert!(batch.has(name), "{name}");
    }
    assert!(!batch.has("images/rep.png"));
}

#[test]
fn a_change_that_was_not_bought_is_taken_back_for_free() {
    let before = "[[jobs]]\nid = 'hero'\nprompt = 'a fox'\n";
    let batch = Batch::new(before);
    batch.run();
    let picture = batch.bytes("images/hero.png");
    batch.edit("[[jobs]]\nid = 'hero'\nprompt = 'a wolf'\n");
    assert_eq!(batch.actions(), ["hero changed"]);
    let (code, _) = batch.call(&["run", "--budget", "0.01 credits"]);
    assert_eq!(code, 5);
    assert_eq!(batch.actions(), ["hero changed"]);
    batch.edit(before);
    assert_eq!(batch.actions(), ["hero reuse"]);
    assert_eq!(batch.run(), 0);
    assert_eq!(batch.bytes("images/hero.png"), picture);
}

#[test]
fn a_change_while_under_way_keeps_both_pictures() {
    let batch = Batch::new("[[jobs]]\nid = 'hero'\nprompt = 'a fox'\n");
    let (code, _) = batch.call(&["submit"]);
    assert_eq!(code, 4);
    batch.edit("[[jobs]]\nid = 'hero'\nprompt = 'a wolf'\n");
    assert_eq!(batch.actions(), ["hero changed"]);
    let (code, json) = batch.call(&["run", "--only", "changed"]);
    assert_eq!((code, &json["submissions"]["sent"]), (0, &1.into()), "{json}");
    assert!(batch.has("images/hero.png") && batch.has("replaced/hero.1.png"));
    assert_eq!(batch.run(), 0);
}

#[test]
fn a_changed_job_is_bought_once_and_its_old_picture_stays() {
    let batch = Batch::new("[[jobs]]\nid = 'a'\nprompt = 'a fox'\n[[jobs]]\nid = 'b'\nprompt = 'an owl'\n");
    assert_eq!(batch.run(), 2);
    let old = batch.bytes("images/a.png");
    batch.edit("[[jobs]]\nid = 'b'\nprompt = 'an owl'\n[[jobs]]\nid = 'a'\nprompt = 'a wolf'\n");
    assert_eq!(batch.actions(), ["b reuse", "a changed"]);
    assert_eq!(batch.run(), 1);
    assert_eq!(batch.bytes("replaced/a.1.png"), old);
    assert_ne!(batch.bytes("images/a.png"), old);
}

#[test]
fn names_may_be_swapped_between_jobs() {
    let jobs = |a: &str, b: &str| {
        format!(
            "[[jobs]]\nid = 'a'\nprompt = 'a fox'\nout = '{a}'\n[[jobs]]\nid = 'b'\nprompt = 'an owl'\nout = '{b}'\n"
        )
    };
    let batch = Batch::new(&jobs("one", "two"));
    batch.run();
    let (one, two) = (batch.bytes("images/one.png"), batch.bytes("images/two.png"));
    batch.edit(&jobs("two", "one"));
    assert_eq!(batch.run(), 0);
    assert_eq!((batch.bytes("images/two.png"), batch.bytes("images/one.png")), (one, two));
}
