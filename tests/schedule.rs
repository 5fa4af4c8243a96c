//! What schedules and shells use: limits by the clock, a command at the end,
//! a look from another terminal, completions and manual pages.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use std::fs;
use std::time::Duration;

use imgbatch::emulator::{Latency, Options};
use serde_json::Value;
use support::{Scene, quick};

/// Keeps what it is told, and its environment, without making a run fail.
const KEEP: &str = "cat > told.json; env > told.env; exit 3";

fn told(scene: &Scene) -> Value {
    let environment = fs::read_to_string(scene.path("told.env")).unwrap();
    assert!(!environment.contains("IMGBATCH_API_KEY="), "{environment}");
    let told: Value = serde_json::from_str(&fs::read_to_string(scene.path("told.json")).unwrap()).unwrap();
    let code = format!("IMGBATCH_EXIT_CODE={}\n", told["exit_code"]);
    assert!(environment.contains(&code), "{environment}");
    told
}

#[test]
fn the_command_at_the_end_hears_the_summary_and_changes_nothing() {
    let scene = Scene::new("");
    scene.wishes(&[("good", ""), ("bad", "fail content_policy_violation")]);
    let done = scene.run(&["--notify-cmd", KEEP]).exits(3).says(&["--notify-cmd failed"]);
    assert_eq!(told(&scene), done.json());
    scene.prove();
}

#[test]
fn the_command_at_the_end_hears_of_early_ends_and_collects() {
    let scene = Scene::new("");
    scene.jobs(2);
    let submit =
        ["submit", "m.toml", "--out", "out", "--base-url", &scene.base_url, "--yes", "--notify-cmd", KEEP];
    scene.call(&submit).exits(4);
    assert_eq!(told(&scene)["jobs"]["in_flight"], 2);
    scene.call(&["collect", "out", "--notify-cmd", KEEP]).exits(0);
    assert_eq!(told(&scene)["images"]["saved"], 2);
    scene.write("m.toml", "version = 1\nnam = \"scene\"\n");
    scene.run(&["--notify-cmd", KEEP]).exits(2);
    assert_eq!(told(&scene)["exit_code"], 2);
    scene.prove();
}

#[test]
fn a_key_with_another_name_is_hidden_as_well() {
    let scene = Scene::new("");
    let jobs = support::jobs([("a".to_owned(), "a fox".to_owned())]);
    scene.manifest(&format!("[provider]\napi_key_env = \"OTHER_KEY\"\n{jobs}"));
    let mut command = scene.buying(&["--notify-cmd", KEEP]);
    command.env("OTHER_KEY", support::CANARY);
    scene.finish(scene.spawn(command)).exits(0);
    assert!(!fs::read_to_string(scene.path("told.env")).unwrap().contains("OTHER_KEY="));
    scene.prove();
}

#[test]
fn after_until_nothing_is_submitted_and_what_is_paid_is_collected() {
    let scene = Scene::new("");
    scene.jobs(2);
    scene
        .call(&["submit", "m.toml", "--out", "out", "--base-url", &scene.base_url, "--yes", "--limit", "1"])
        .exits(4);
    let done = scene.run(&["--until", "2000-01-01T06:00"]).exits(4).says(&["no new submissions"]);
    assert_eq!(done.json()["jobs"]["succeeded"], 1);
    assert_eq!(scene.stats().tasks_created, 1);
    scene.run(&["--until", "six"]).exits(2).says(&["06:00"]);
    scene.prove();
}

#[test]
fn a_watch_ends_with_the_run_and_says_each_thing_once() {
    let latency = Latency::Fixed(Duration::from_millis(2500));
    let scene = Scene::with(Options { latency, ..quick() });
    scene.jobs(3);
    let run = scene.spawn(scene.buying(&[]));
    scene.until("submissions", |stats| stats.tasks_created == 3);
    let watch = scene.call(&["status", "out", "--watch"]).exits(0);
    scene.finish(run).exits(0);
    let lines: Vec<&str> = watch.stdout.lines().filter(|line| line.starts_with('[')).collect();
    assert!(lines.iter().any(|line| line.contains("3 in flight")), "{watch}");
    assert!(lines.windows(2).all(|pair| pair[0] != pair[1]), "{watch}");
    assert!(watch.stdout.contains("3 of 3 jobs succeeded"), "{watch}");
    assert!(!watch.stdout.contains('\u{1b}'), "{watch}");
    scene.prove();
}

#[test]
fn a_watch_of_a_run_that_is_not_going_is_a_status() {
    let scene = Scene::new("");
    scene.jobs(1);
    scene.call(&["submit", "m.toml", "--out", "out", "--base-url", &scene.base_url, "--yes"]).exits(4);
    let watch = scene.call(&["status", "out", "--watch", "--json"]).exits(4);
    assert_eq!(watch.json()["jobs"]["in_flight"], 1);
    scene.call(&["status", "nowhere", "--watch"]).exits(2);
}

#[test]
fn shells_and_readers_are_served() {
    let scene = Scene::new("");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = scene.call(&["completions", shell]).exits(0).stdout;
        assert!(script.contains("stop-after") && script.contains("gallery"), "{shell}: {script}");
    }
    scene.call(&["completions", "tcsh"]).exits(2);
    assert!(scene.call(&["man"]).exits(0).stdout.contains(".TH imgbatch 1"));
    scene.call(&["man", "--to", "man/man1"]).exits(0);
    let page = fs::read_to_string(scene.path("man/man1/imgbatch-run.1")).unwrap();
    assert!(page.contains("Submit at most this many jobs") && page.contains("IMGBATCH_OUT"), "{page}");
    assert!(scene.path("man/man1/imgbatch.1").exists());
    assert!(scene.call(&["--version"]).exits(0).stdout.starts_with("imgbatch 0."));
}

#[test]
fn a_run_of_a_schedule_has_its_name_and_collects_the_earlier_ones() {
    let scene = Scene::new("");
    scene.jobs(2);
    let call = |command: &str, name: &str, flags: &[&str]| {
        let words = [command, "m.toml", "--base-url", &scene.base_url, "--yes", "--run", name];
        scene.call(&[&words, flags].concat())
    };
    // What ran last night: the folder of today under an earlier name.
    let pattern = "nightly-{{ date }}";
    let first = call("submit", pattern, &["--json"]).exits(4).json();
    let name = first["run"].as_str().unwrap().to_owned();
    assert!(name.starts_with("nightly-20"), "{name}");
    let out = scene.path("out");
    assert!(out.join(&name).join("ledger.db").exists());
    fs::rename(out.join(&name), out.join("nightly-1999-12-31")).unwrap();
    // Another pattern is another schedule.
    call("run", "other-{{ date }}", &["--limit", "1"]).exits(0);
    let status = |folder: &str| scene.call(&["status", folder, "--json"]).json();
    assert_eq!(status("out/nightly-1999-12-31")["jobs"]["in_flight"], 2);
    // All is well: not a word.
    let quiet = call("run", pattern, &["-q"]).exits(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    assert_eq!(status("out/nightly-1999-12-31")["jobs"]["succeeded"], 2);
    assert_eq!(scene.stats().tasks_created, 2 + 1 + 2);
    // The same name again is the same run, and its plan knows it.
    call("run", pattern, &[]).exits(0);
    assert_eq!(scene.stats().tasks_created, 5);
    let plan = scene.call(&["plan", "m.toml", "--run", pattern, "--json"]).exits(0).json();
    assert_eq!(plan["totals"]["reuse"], 2);
}

#[test]
fn a_quiet_run_of_a_schedule_says_one_line_when_something_is_wrong() {
    let scene = Scene::new("");
    scene.wishes(&[("good", ""), ("bad", "fail content_policy_violation")]);
    let words = ["run", "m.toml", "--base-url", &scene.base_url, "--yes", "-q", "--run", "n-{{ week }}"];
    let done = scene.call(&words).exits(3);
    assert_eq!(done.stdout.lines().count(), 1, "{done}");
    assert!(done.stdout.contains("1 failed (exit 3, out/n-20"), "{done}");
    scene
        .call(&["run", "m.toml", "--base-url", &scene.base_url, "--yes", "--run", "{{ day }}"])
        .exits(2)
        .says(&["week"]);
}

#[test]
fn what_goes_on_is_named_as_it_can_be_typed() {
    let scene = Scene::new("");
    scene.jobs(2);
    let typed = ["submit", "m.toml", "--out", "out", "--base-url", &scene.base_url, "--yes"];
    let submitted = scene.call(&typed).exits(4);
    assert!(submitted.stdout.contains("To go on:\n  imgbatch collect out\n"), "{submitted}");
    scene.call(&["collect", "out"]).exits(0);
    let limited = ["run", "m.toml", "--out", "two", "--base-url", &scene.base_url, "--yes", "--limit", "1"];
    scene.call(&limited).exits(0);
    let status = scene.call(&["status", "two"]);
    let command = format!("To go on:\n  imgbatch {}\n", limited.join(" "));
    assert!(status.stdout.contains(&command), "{status}");
}
