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
        let mut words = [&words[..1], &common, &words[1..]].concat();
        if words[0] != "plan" {
            words.extend(["--emulate-latency", "50ms"]);
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_imgbatch"));
        command.args(&words).current_dir(self.folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (code, stdout, stderr) = Running::start(&mut command).end();
        let json = serde_json::from_slice(&stdout)
            .unwrap_or_else(|_| panic!("{words:?}: {}", String::from_utf8_lossy(&stderr)));
        (code, json)
    }

    /// What a command that ends with `expected` says to people.
    fn said(&self, words: &[&str], expected: i32) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imgbatch"));
        command.args(words).args(["m.toml", "--emulate", "--out", "out"]).current_dir(self.folder.path());
        let (code, stdout, stderr) =
            Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped())).end();
        let said = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert_eq!(code, expected, "{said}");
        said
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

    /// What the plan would buy, and for how many credits at most.
    fn price(&self) -> (u64, f64) {
        let (_, plan) = self.call(&["plan"]);
        let totals = &plan["totals"];
        (totals["submissions"].as_u64().unwrap(), totals["credits"].as_f64().unwrap())
    }

    /// Runs to success; gives submissions and the credits that they used.
    /// Never more than the plan said.
    fn buy(&self) -> (u64, f64) {
        let used = |json: &Value| json["cost"]["used_credits"].as_f64().unwrap();
        let before = if self.has("ledger.db") { used(&self.status()) } else { 0.0 };
        let (planned, most) = self.price();
        let (code, json) = self.call(&["run"]);
        assert_eq!(code, 0, "{json}");
        let (sent, paid) = (json["submissions"]["sent"].as_u64().unwrap(), used(&json) - before);
        assert_eq!(sent, planned, "{json}");
        assert!(paid <= most + 1e-6, "{paid} of {most}");
        (sent, paid)
    }

    fn status(&self) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_imgbatch"))
            .args(["status", "out", "--json"])
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Files below a folder of the output, by name.
    fn files(&self, folder: &str) -> Vec<String> {
        let mut names = vec![];
        let mut folders = vec![self.folder.path().join("out").join(folder)];
        let root = folders[0].clone();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    names.push(path.strip_prefix(&root).unwrap().display().to_string());
                }
            }
        }
        names.sort();
        names
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

#[test]
fn n_pictures_are_one_submission_and_n_prices() {
    let job = |n: u32| format!("[[jobs]]\nid = 'a'\nprompt = 'a fox'\nn = {n}\n");
    let batch = Batch::new(&job(1));
    let (_, one) = batch.price();
    batch.edit(&job(3));
    let (submissions, three) = batch.price();
    assert_eq!(submissions, 1);
    assert!((three - 3.0 * one).abs() < 1e-6, "{three} {one}");
    assert_eq!(batch.buy().0, 1);
    assert_eq!(batch.files("images"), ["a-1.png", "a-2.png", "a-3.png"]);
    batch.edit(&job(2));
    assert_eq!(batch.actions(), ["a changed"]);
    assert_eq!(batch.buy().0, 1);
    assert_eq!(batch.files("images"), ["a-1.png", "a-2.png"]);
    assert_eq!(batch.files("replaced").len(), 3, "{:?}", batch.files("replaced"));
}

#[test]
fn more_takes_buy_only_what_is_missing() {
    let job = |takes: u32| format!("[[jobs]]\nid = 'fox'\nprompt = 'a fox'\nrepeat = {takes}\n");
    let batch = Batch::new(&job(2));
    assert_eq!(batch.buy().0, 2);
    batch.edit(&job(4));
    assert_eq!(batch.actions(), ["fox reuse", "fox#2 reuse", "fox#3 new", "fox#4 new"]);
    assert_eq!(batch.buy().0, 2);
    batch.edit(&job(1));
    assert_eq!(batch.actions(), ["fox reuse", "fox#2 removed", "fox#3 removed", "fox#4 removed"]);
    assert_eq!(batch.buy(), (0, 0.0));
    assert_eq!(batch.files("images"), ["fox#2.png", "fox#3.png", "fox#4.png", "fox.png"]);
}

#[test]
fn a_larger_sample_keeps_what_the_smaller_one_bought() {
    let job = |sample: u32| {
        format!(
            "[[jobs]]\nid = 'b'\nprompt = 'a {{{{ c }}}} bird'\nmatrix.c = ['red', 'green', 'blue', 'grey', 'black', 'white']\nsample = {sample}\n"
        )
    };
    let batch = Batch::new(&job(3));
    assert_eq!(batch.buy().0, 3);
    let first = batch.files("images");
    batch.edit(&job(5));
    assert_eq!(batch.buy().0, 2);
    let second = batch.files("images");
    assert_eq!(second.len(), 5);
    assert!(first.iter().all(|name| second.contains(name)), "{first:?} {second:?}");
    batch.edit(&job(3));
    assert_eq!(batch.buy().0, 0);
    assert_eq!(batch.files("images"), second);
}

#[test]
fn several_templates_live_side_by_side() {
    let batch = Batch::new("");
    fs::write(batch.folder.path().join("rows.csv"), "sku,thing\n1,mug\n2,bowl\n").unwrap();
    fs::write(batch.folder.path().join("foxes.txt"), "a fox at dawn\na fox at dusk\n").unwrap();
    let jobs = |grid: &str, rows: &str| {
        format!(
            "[[jobs]]\nid = 'grid'\nprompt = 'a {{{{ c }}}} tile'\nmatrix.c = ['red', 'blue']\n{grid}\n\
             [[jobs]]\nid = 'sku-{{{{ sku }}}}'\nprompt = 'a {{{{ thing }}}}'\nrows = 'rows.csv'\n{rows}\n\
             [[jobs]]\nid = 'fox'\nprompts = 'foxes.txt'\n"
        )
    };
    batch.edit(&jobs("", ""));
    assert_eq!(batch.buy().0, 6);
    // One template is edited, a row and a line are added; the rest stays.
    fs::write(batch.folder.path().join("rows.csv"), "sku,thing\n3,jug\n1,mug\n2,bowl\n").unwrap();
    fs::write(batch.folder.path().join("foxes.txt"), "a fox at noon\na fox at dawn\na fox at dusk\n")
        .unwrap();
    batch.edit(&jobs("quality = 'medium'", ""));
    let actions = batch.actions();
    let count = |word: &str| actions.iter().filter(|line| line.ends_with(word)).count();
    assert_eq!((count(" changed"), count(" new"), count(" reuse")), (2, 2, 4), "{actions:?}");
    assert_eq!(batch.buy().0, 4);
    assert_eq!(batch.files("replaced").len(), 2);
    assert_eq!(batch.buy().0, 0);
    // Where pictures lie is no part of what they are.
    batch.edit(&jobs("quality = 'medium'", "out = 'shop/{{ thing }}.{{ ext }}'"));
    assert_eq!(batch.buy(), (0, 0.0));
    assert!(batch.has("images/shop/mug.png") && batch.has("images/shop/jug.png"));
}

#[test]
fn a_removed_job_keeps_its_picture_and_comes_back_for_free() {
    let (a, b) = ("[[jobs]]\nid = 'a'\nprompt = 'a fox'\n", "[[jobs]]\nid = 'b'\nprompt = 'an owl'\n");
    let batch = Batch::new(&[a, b].concat());
    assert_eq!(batch.buy().0, 2);
    batch.edit(b);
    assert_eq!(batch.actions(), ["b reuse", "a removed"]);
    assert_eq!(batch.buy().0, 0);
    assert_eq!(batch.files("images"), ["a.png", "b.png"]);
    batch.edit(&[a, b].concat());
    assert_eq!(batch.actions(), ["a reuse", "b reuse"]);
    assert_eq!(batch.buy(), (0, 0.0));
}

#[test]
fn a_new_name_and_a_new_request_at_once_are_another_picture() {
    let batch = Batch::new("[[jobs]]\nid = 'a'\nprompt = 'a fox'\n");
    batch.buy();
    batch.edit("[[jobs]]\nid = 'b'\nprompt = 'a wolf'\n");
    assert_eq!(batch.actions(), ["b new", "a removed"]);
    assert_eq!(batch.buy().0, 1);
    assert_eq!(batch.files("images"), ["a.png", "b.png"]);
    assert!(batch.files("replaced").is_empty());
}

#[test]
fn only_the_jobs_of_a_list_are_bought() {
    let batch = Batch::new(
        "[[jobs]]\nid = 'a'\nprompt = 'a'\n[[jobs]]\nid = 'b'\nprompt = 'b'\nrepeat = 3\n[[jobs]]\nid = 'c'\nprompt = 'c'\n",
    );
    fs::write(batch.folder.path().join("picks.txt"), "# picked\nb#2\na\tn\nx\n").unwrap();
    let words = ["--select-from", "picks.txt"];
    let refused = batch.said(&[&["run"], &words[..]].concat(), 2);
    assert!(refused.contains("picks.txt") && refused.contains("line 3"), "{refused}");
    fs::write(batch.folder.path().join("picks.txt"), "# picked\nb#2\na\nx\n").unwrap();
    let (_, plan) = batch.call(&[&["plan"], &words[..]].concat());
    assert_eq!(plan["totals"]["submissions"], 2, "{plan}");
    let (code, json) = batch.call(&[&["run"], &words[..]].concat());
    assert_eq!((code, json["submissions"]["sent"].as_u64()), (0, Some(2)), "{json}");
    // The others wait for a run that chooses them; the same command would not.
    let again = batch.said(&[&["run"], &words[..]].concat(), 0);
    assert!(again.contains("2 of 5 jobs succeeded, 3 pending") && !again.contains("To go on"), "{again}");
    assert_eq!(batch.files("images"), ["a.png", "b#2.png"]);
    // With a glob as well, both must hold.
    let (_, plan) = batch.call(&["plan", "--select", "b*", "--select-from", "picks.txt"]);
    assert_eq!(plan["totals"]["submissions"], 0, "{plan}");
    assert_eq!(batch.run(), 3);
}
