//! What a user sees and types when a submission's outcome is unknown.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod support;

use std::time::Duration;

use imgbatch::emulator::{Idempotency, Options};
use support::{Scene, jobs, quick};

fn scene(idempotency: Idempotency, faults: &str) -> Scene {
    Scene::with(Options { idempotency, faults: faults.parse().unwrap(), ..quick() })
}

fn one(provider: &str) -> String {
    format!("[provider]\n{provider}\n{}", jobs([("fox".to_owned(), "a fox".to_owned())]))
}

/// Killed with four submissions on the wire; the key brings their tasks back.
#[test]
fn killed_on_the_wire_the_next_run_asks_again_under_the_same_keys() {
    let scene = Scene::with(Options {
        create_latency: Duration::from_secs(3),
        idempotency: Idempotency::Honoured,
        ..quick()
    });
    scene.manifest(&format!(
        "[provider]\nidempotency = true\n{}",
        jobs((1..=4).map(|n| (format!("j{n}"), format!("picture {n}"))))
    ));
    let running = scene.spawn(scene.buying(&[]));
    scene.until("four bills", |stats| stats.tasks_created == 4);
    running.signal("KILL");
    scene.finish(running);
    let status = scene.call(&["status", "out"]).exits(4);
    // Not yet settled by a start: the ledger still says that they are on their way.
    assert!(status.stdout.contains("4 in flight"), "{status}");
    let done = scene.run(&[]).exits(0).json();
    assert_eq!((&done["jobs"]["succeeded"], &done["jobs"]["unknown"]), (&4.into(), &0.into()));
    scene.prove();
    let replays = scene.rows("SELECT sum(replays) FROM attempt_log");
    assert_eq!(replays, ["4"]);
    let decided = scene.rows("SELECT DISTINCT kind FROM decision_log");
    assert_eq!(decided, ["adopted: replayed"]);
}

#[test]
fn status_says_what_is_at_risk_and_what_happens_by_itself() {
    let scene = scene(Idempotency::Honoured, "drop-after@1");
    scene.manifest(&one(""));
    scene.run(&[]).exits(6);
    let status = scene.call(&["status", "out"]).exits(6);
    for phrase in [
        "unknown   fox:",
        "credits at risk",
        "next: nothing by itself: you decide",
        "it may be task-unified-",
        "Unknown means:",
        "--all --resubmit",
    ] {
        assert!(status.stdout.contains(phrase), "nothing about {phrase:?}: {status}");
    }
    let json = scene.status();
    assert_eq!(json["unknown"][0]["candidates"].as_array().unwrap().len(), 1);

    // The manifest says so now, and a run that may not begin anything learns it.
    scene.manifest(&one("idempotency = true"));
    scene.run(&["--time-limit", "1ms"]).exits(6);
    let next = scene.status()["unknown"][0]["next"].as_str().unwrap().to_owned();
    assert!(next.contains("asks again under its key, until"), "{next}");
}

/// The ladder by itself: it resolves and buys nothing.
#[test]
fn resolve_without_a_decision_tries_everything_and_buys_nothing() {
    let scene = scene(Idempotency::Ignored, "drop-after@1");
    scene.manifest(&one("exclusive_key = false"));
    scene.run(&[]).exits(6);
    let done = scene.call(&["resolve", "out", "--json"]).exits(6).json();
    assert_eq!(done["jobs"]["unknown"], 1);
    scene.manifest(&one("exclusive_key = true"));
    let done = scene.run(&["--only", "unknown"]).exits(0).says(&["the task list shows"]).json();
    assert_eq!(done["jobs"]["succeeded"], 1);
    assert_eq!((scene.stats().tasks_created, scene.stats().creates_received), (1, 1));
    scene.prove();
}

/// The balance shows what became of it, and decides nothing.
#[test]
fn the_balance_is_evidence_that_is_shown() {
    for (fault, grown) in [("drop-before@1", false), ("drop-after@1", true)] {
        let scene = Scene::new(fault);
        scene.jobs(1);
        scene.run(&[]).exits(6);
        // The task ends, and is billed, before it is looked at again.
        scene.until("the end of what was bought", |stats| stats.tasks_created == u64::from(grown));
        let looked = scene.call(&["resolve", "out"]).exits(6);
        let zero = looked.stdout.contains("grew by 0.00 credits that this folder can't explain");
        assert!(looked.stdout.contains("can't explain"), "{looked}");
        assert_eq!(zero, !grown, "{looked}");
        assert_eq!(scene.status()["jobs"]["unknown"], 1);
        assert_eq!(scene.stats().creates_received, 1);
    }
}

#[test]
fn a_decision_needs_to_say_which() {
    let scene = Scene::new("drop-after@1");
    scene.jobs(1);
    scene.run(&[]).exits(6);
    scene.call(&["resolve", "out", "--all"]).exits(2);
    scene.call(&["resolve", "out", "--abandon"]).exits(2);
    scene.call(&["resolve", "out", "--job", "nobody", "--abandon"]).exits(2).says(&["nobody"]);
    scene.call(&["resolve", "nowhere"]).exits(2).says(&["holds no ledger"]);
}

/// Taken for new when it was sent again: the doubt is shown, held against the
/// budget, and a person ends it.
#[test]
fn what_may_have_been_billed_twice_is_shown_until_a_person_decides() {
    let scene = scene(Idempotency::Honoured, "drop-before@1");
    scene.manifest(&one("idempotency = true"));
    let done = scene.run(&[]).exits(0);
    assert!(done.json()["cost"]["at_risk_credits"].as_f64().unwrap() > 0.0, "{done}");
    let status = scene.call(&["status", "out"]).exits(0);
    assert!(status.stdout.contains("may have been billed twice"), "{status}");
    let done = scene.call(&["resolve", "out", "--job", "fox", "--resubmit"]).exits(0);
    assert!(done.stdout.contains("released"), "{done}");
    assert_eq!(scene.status()["cost"]["at_risk_credits"], 0.0);
    scene.call(&["resolve", "out", "--job", "fox", "--resubmit"]).exits(2);
    assert_eq!(scene.stats().tasks_created, 1);
}

#[test]
fn doctor_proves_keys_once_and_every_later_run_knows() {
    let scene = scene(Idempotency::Honoured, "drop-after@3");
    let doctor = |flags: &[&str]| {
        let base = ["doctor", "--base-url", &scene.base_url];
        scene.call(&[&base[..], flags].concat())
    };
    let checked = doctor(&[]).exits(0);
    for word in ["key", "balance", "clock", "disk", "folder", "--prove-idempotency"] {
        assert!(checked.stdout.contains(word), "{word}: {checked}");
    }
    assert_eq!(scene.stats().tasks_created, 0);
    doctor(&["--prove-idempotency"]).exits(2).says(&["--yes", "0.11 credits"]);
    assert_eq!(scene.stats().tasks_created, 0);
    let proven = doctor(&["--prove-idempotency", "--yes"]).exits(0);
    assert!(proven.stdout.contains("keys are honoured"), "{proven}");
    assert_eq!((scene.stats().tasks_created, scene.stats().idempotent_replays), (1, 1));
    let spent = rusqlite::Connection::open(scene.path(".local/state/imgbatch/account.db")).unwrap();
    let spent: i64 = spent.query_row("SELECT sum(amount) FROM spend", [], |row| row.get(0)).unwrap();
    assert!((100_000..300_000).contains(&spent), "about 0.11 credits, and once: {spent}");
    // Nobody declared it, and the third submission's lost answer comes back all the same.
    scene.manifest(&one(""));
    scene.run(&[]).exits(0);
    assert_eq!(scene.stats().tasks_created, 2);
}

#[test]
fn doctor_names_what_is_wrong_and_what_to_do() {
    let scene = Scene::with(Options { keys: Some(vec!["another".into()]), ..quick() });
    let refused = scene.call(&["doctor", "--base-url", &scene.base_url]).exits(5);
    assert!(refused.stdout.contains("FAIL  key      refused: HTTP 401"), "{refused}");
    let nowhere = scene.call(&["doctor"]).exits(2);
    assert!(nowhere.stdout.contains("--base-url"), "{nowhere}");
    let closed = scene.call(&["doctor", "--base-url", "http://127.0.0.1:9", "--json"]).exits(5).json();
    let failed: Vec<&str> = closed["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["verdict"] == "fail")
        .map(|check| check["name"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["reach"]);
}
