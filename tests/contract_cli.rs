//! The command line as scripts see it: exit codes, streams, documents, and
//! what a newcomer reads after a mistake.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod support;

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use imgbatch::emulator::{Latency, Options};
use serde_json::Value;
use support::{Scene, quick};

/// The fields of an object, in order.
fn fields(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The summary as JSON, field by field.
fn is_the_document(document: &Value, code: i32) {
    let wanted = [
        "version",
        "run",
        "out",
        "exit_code",
        "jobs",
        "images",
        "cost",
        "submissions",
        "failures",
        "unknown",
    ];
    let found = fields(document);
    assert!(found.starts_with(&wanted), "{found:?}");
    let later = ["possibly_billed_twice", "balance_evidence", "by"];
    assert!(found[wanted.len()..].iter().all(|field| later.contains(field)), "{found:?}");
    assert_eq!((&document["version"], &document["exit_code"]), (&1.into(), &code.into()));
    let jobs = ["total", "succeeded", "failed", "unknown", "pending", "in_flight", "skipped"];
    assert_eq!(fields(&document["jobs"]), jobs);
    assert_eq!(fields(&document["images"]), ["expected", "saved", "missing", "bytes"]);
    let cost = ["estimated_credits", "reserved_credits", "used_credits", "at_risk_credits"];
    assert!(fields(&document["cost"]).starts_with(&cost));
    assert_eq!(fields(&document["submissions"]), ["sent", "accepted", "throttled"]);
    for failure in document["failures"].as_array().unwrap() {
        assert_eq!(fields(failure), ["id", "code", "message", "billed"]);
    }
    for unknown in document["unknown"].as_array().unwrap() {
        let known = ["id", "idempotency_key", "since", "why", "at_risk_credits", "next", "candidates"];
        assert_eq!(fields(unknown), known);
    }
    let counted: u64 = jobs[1..].iter().map(|state| document["jobs"][*state].as_u64().unwrap()).sum();
    assert_eq!(document["jobs"]["total"], counted);
}

/// Codes 0, 3 and 6 with the same document from every command that has one.
#[test]
fn finished_runs_end_with_0_3_or_6_and_one_document() {
    for (wishes, code) in [
        (&[("a", ""), ("b", "")][..], 0),
        (&[("a", ""), ("b", "fail content_policy_violation")], 3),
        (&[("a", "fail content_policy_violation"), ("b", "drop-after")], 6),
    ] {
        let scene = Scene::new("");
        scene.wishes(wishes);
        is_the_document(&scene.run(&[]).exits(code).json(), code);
        is_the_document(&scene.call(&["status", "out", "--json"]).exits(code).json(), code);
        is_the_document(&scene.call(&["collect", "out", "--json"]).exits(code).json(), code);
        scene.prove();
    }
}

#[test]
fn submit_leaves_and_collect_fetches_from_the_ledger_alone() {
    let scene = Scene::new("");
    scene.jobs(5);
    let typed = ["submit", "m.toml", "--out", "out", "--base-url", &scene.base_url, "--yes", "--json"];
    let document = scene.call(&typed).exits(4).json();
    is_the_document(&document, 4);
    assert_eq!(
        (&document["jobs"]["in_flight"], &document["submissions"]["accepted"]),
        (&5.into(), &5.into())
    );
    scene.prove();
    assert_eq!(scene.call(&["status", "out"]).exits(4).stdout.matches("imgbatch collect out").count(), 1);
    fs::remove_file(scene.path("m.toml")).unwrap();
    let document = scene.call(&["collect", "out", "--json"]).exits(0).json();
    is_the_document(&document, 0);
    assert_eq!(document["jobs"]["succeeded"], 5);
    assert_eq!(scene.stats().tasks_created, 5);
    scene.prove();
}

#[test]
fn the_time_limit_stops_buying_and_the_same_command_continues() {
    let scene = Scene::new("");
    scene.jobs(60);
    let done =
        scene.run(&["--rate", "20/s", "--time-limit", "1s"]).exits(4).says(&["the time limit is reached"]);
    let bought = scene.stats().tasks_created;
    assert!((5..45).contains(&bought), "{bought}");
    assert_eq!(done.json()["jobs"]["succeeded"], bought);
    assert_eq!(scene.run(&[]).exits(0).json()["jobs"]["succeeded"], 60);
    scene.prove();
}

#[test]
fn stop_after_pauses_with_5() {
    let scene = Scene::new("fail:content_policy_violation@1-3");
    scene.jobs(40);
    let flags = ["--stop-after", "2 failed", "--in-flight", "4"];
    scene.run(&flags).exits(5).says(&["stop_after", "look at the failures"]);
    assert!(scene.stats().tasks_created < 20, "{}", scene.stats().tasks_created);
    scene.prove();
}

#[test]
fn results_go_to_stdout_and_everything_else_to_stderr() {
    let scene = Scene::new("");
    scene.jobs(2);
    let done =
        scene.call(&["run", "m.toml", "--out", "out", "--base-url", &scene.base_url, "--yes"]).exits(0);
    assert!(done.stdout.starts_with("scene: 2 of 2 jobs succeeded\n"), "{done}");
    assert!(
        !done.stdout.contains("saved images/") && done.stderr.contains("saved images/j001.png"),
        "{done}"
    );
    assert!(
        !done.stderr.contains('\u{1b}') && !done.stdout.contains('\u{1b}'),
        "colours off a terminal: {done}"
    );
    let done = scene.run(&["--progress", "none"]).exits(0);
    assert_eq!(done.stdout.lines().count(), 1, "{done}");
    let plan = scene.call(&["plan", "m.toml", "--out", "out", "--json"]).exits(0).json();
    let parts = ["budget", "balance_credits", "prices", "time", "disk", "exposure", "warnings"];
    assert_eq!(fields(&plan), [&["version", "jobs", "totals"][..], &parts].concat());
    for job in plan["jobs"].as_array().unwrap() {
        assert_eq!(fields(job), ["id", "action", "reason", "width", "height", "credits"]);
        assert_eq!((&job["action"], &job["credits"]), (&"reuse".into(), &0.0.into()));
    }
}

/// A stream whose reader has gone away before the first word.
fn nobody() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// A reader that goes away is no reason to fail.
#[test]
fn a_closed_pipe_is_no_error() {
    let scene = Scene::new("");
    scene.jobs(300);
    let unheard = |args: &[&str], code| {
        let mut command = scene.command(args);
        command.stdout(nobody());
        let done = scene.finish(scene.spawn(command));
        assert_eq!(done.code, code, "{args:?}: {done}");
        assert!(!done.stderr.to_lowercase().contains("pipe"), "{args:?}: {done}");
    };
    unheard(&["plan", "m.toml"], 0);
    unheard(&["plan", "m.toml", "--json"], 0);
    unheard(&["plan", "nowhere.toml", "--json"], 2);
    unheard(&["schema"], 0);
    unheard(&["--help"], 0);
    let typed = ["run", "m.toml", "--out", "out", "--base-url", &scene.base_url, "--yes", "--limit", "3"];
    unheard(&typed, 0);
    unheard(&[&typed[..], &["--json"]].concat(), 0);
    unheard(&["status", "out"], 4);
    unheard(&["status", "out", "--json"], 4);
    unheard(&["collect", "out"], 0);
    unheard(&["resolve", "out", "--all", "--abandon"], 0);
    // Nor does a run stop because nobody hears how it goes.
    let mut command = scene.buying(&["--limit", "9"]);
    command.stderr(nobody());
    scene.finish(scene.spawn(command)).exits(0);
    assert_eq!(scene.stats().tasks_created, 3 + 3 + 9);
    scene.prove();
}

#[test]
fn without_a_terminal_nothing_is_bought_unbidden() {
    let scene = Scene::new("");
    scene.jobs(2);
    let typed = ["m.toml", "--out", "out", "--base-url", &scene.base_url];
    for command in ["run", "submit"] {
        let done = scene.call(&[&[command], &typed[..]].concat()).exits(2);
        let done = done.says(&["this would buy 2 pictures", "USD", "--yes", "--budget"]);
        assert_eq!(done.stdout, "");
    }
    assert_eq!(scene.stats().creates_received, 0);
    scene.call(&[&["run"], &typed[..], &["--budget", "1 USD"]].concat()).exits(0);
    // Nothing to buy needs no consent.
    scene.call(&[&["run"], &typed[..]].concat()).exits(0);
    assert_eq!(scene.stats().creates_received, 2);
}

#[test]
fn a_manifest_on_standard_input_runs_and_resumes() {
    let scene = Scene::new("");
    scene.jobs(2);
    let text = fs::read_to_string(scene.path("m.toml")).unwrap();
    let typed = ["run", "-", "--out", "out", "--base-url", &scene.base_url, "--yes", "--json"];
    for sent in [2, 0] {
        let document = scene.call_with_input(&typed, &text).exits(0).json();
        assert_eq!(
            (&document["jobs"]["succeeded"], &document["submissions"]["sent"]),
            (&2.into(), &sent.into())
        );
    }
    scene.call_with_input(&typed, "version = 1\nname = ").exits(2);
    assert_eq!(scene.stats().tasks_created, 2);
    scene.prove();
}

/// What a newcomer gets wrong in the first five minutes, and reads.
#[test]
fn mistakes_of_newcomers_are_answered_with_what_to_do() {
    let scene = Scene::new("");
    scene.jobs(1);
    let run = |args: &[&str]| scene.call(&[&["run"], args].concat());
    let base = scene.base_url.clone();

    run(&["m.toml"]).exits(2).says(&["no base URL", "--base-url", "IMGBATCH_BASE_URL", "--emulate"]);
    run(&["nowhere.toml", "--base-url", &base]).exits(2).says(&["nowhere.toml"]);
    run(&["m.toml", "--base-url", "api.example.com", "--yes"])
        .exits(2)
        .says(&["is not a URL", "https://api.example.com"]);
    run(&["m.toml", "--base-url", "http://api.example.com", "--yes"])
        .exits(2)
        .says(&["plain http", "use https"]);
    run(&["m.toml", "--base-url", "https://api.example.com/v1", "--yes"])
        .exits(2)
        .says(&["ends with /v1", "leave it out"]);
    run(&["m.toml", "--base-url", &base, "--budget", "lots"]).exits(2).says(&["--budget", "25 USD"]);
    run(&["m.toml", "--base-url", &base, "--rate", "fast"]).exits(2).says(&["--rate", "20/10s"]);
    run(&["m.toml", "--base-url", &base, "--budgt", "1 USD"]).exits(2).says(&["--budget"]);
    scene.call(&["status", "out"]).exits(2).says(&["holds no ledger", "imgbatch run"]);
    scene.call(&["collect", "out"]).exits(2).says(&["holds no ledger"]);
    scene.call(&["resolve", "out", "--all", "--abandon"]).exits(2).says(&["holds no ledger"]);
    scene.call(&["resolve", "out", "--all"]).exits(2);
    assert!(!scene.path("out/images").exists());

    for key in ["", "  ", "two words"] {
        let mut command = scene.command(&["run", "m.toml", "--base-url", &base, "--yes"]);
        command.env("IMGBATCH_API_KEY", key);
        let done = scene.finish(scene.spawn(command)).exits(2);
        assert!(done.stderr.contains("IMGBATCH_API_KEY"), "{done}");
    }
    scene.manifest("[defaults]\nqualty = \"low\"\n[[jobs]]\nid = \"x\"\nprompt = \"{{ nothing }}\"\n");
    run(&["m.toml", "--base-url", &base, "--yes"]).exits(2).says(&[
        "qualty",
        "did you mean",
        "quality",
        "m.toml",
    ]);
    assert_eq!(scene.stats().creates_received, 0);
}

/// An address where nobody answers is given up in seconds, and costs nothing.
#[test]
fn an_unreachable_host_is_given_up_and_named() {
    let scene = Scene::new("");
    scene.jobs(3);
    let typed = ["run", "m.toml", "--out", "out", "--base-url", "http://127.0.0.1:1", "--yes", "--json"];
    let done = scene.call(&typed).exits(5).says(&["Connection refused", "check the base URL"]);
    assert_eq!(
        (&done.json()["jobs"]["pending"], &done.json()["cost"]["at_risk_credits"]),
        (&3.into(), &0.0.into())
    );
    // A key that is not accepted says so.
    let scene = Scene::with(Options { keys: Some(vec!["another".into()]), ..quick() });
    scene.jobs(3);
    scene.run(&[]).exits(5).says(&["the API refuses the key", "check the key and the base URL"]);
    assert!(scene.stats().creates_received <= 3, "nothing follows what was on the wire");
}

/// A balance that ends is a pause, and a top-up continues.
#[test]
fn an_empty_account_pauses_and_a_full_one_goes_on() {
    let scene = Scene::with(Options { balance: Some(1.2), ..quick() });
    scene.jobs(8);
    let done = scene.run(&[]).exits(5).says(&["top it up"]).json();
    let bought = scene.stats().tasks_created;
    assert_eq!(done["jobs"]["succeeded"], bought);
    assert_eq!(done["jobs"]["pending"], 8 - bought);
    scene.prove();
}

/// The emulator inside the process keeps its tasks: a killed demo resumes.
#[test]
fn a_killed_demo_resumes_like_the_real_thing() {
    let scene = Scene::new("");
    scene.jobs(6);
    let typed = ["run", "m.toml", "--emulate", "--emulate-latency", "2s", "--json", "--progress", "json"];
    let mut command = scene.command(&typed);
    command.env_remove("IMGBATCH_API_KEY");
    let running = scene.spawn(command);
    running.hears_times(6, r#""event":"submitted""#);
    running.signal("KILL");
    scene.finish(running);
    let done = scene.call(&typed).exits(0).json();
    assert_eq!((&done["jobs"]["succeeded"], &done["submissions"]["sent"]), (&6.into(), &0.into()));
    assert!(scene.path("out/scene-emulated/images/j001.png").exists());
}

/// Tasks that outlive everybody's patience are left, named, and not bought again.
#[test]
fn overdue_tasks_are_left_to_the_next_run() {
    let scene = Scene::with(Options { latency: Latency::Fixed(Duration::from_millis(100)), ..quick() });
    scene.manifest(&format!(
        "[run]\noverdue = \"1s\"\n{}",
        support::jobs([("a".into(), "x [emulate: stuck]".into()), ("b".into(), "y".into())])
    ));
    let typed = ["run", "m.toml", "--out", "out", "--base-url", &scene.base_url, "--yes"];
    let done = scene.call(&typed).exits(4);
    assert!(done.stdout.contains("paid and not resubmitted"), "{done}");
    scene.run(&[]).exits(4);
    assert_eq!(scene.stats().tasks_created, 2);
    scene.prove();
}
