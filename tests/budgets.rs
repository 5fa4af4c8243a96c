//! Limits that hold for all runs of a user, and estimates that prove too low.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use imgbatch::emulator::Options;
use rusqlite::Connection;
use support::{Done, PATIENCE, Scene, quick};

/// The scene's own state folder.
fn state(scene: &Scene) -> PathBuf {
    scene.path(".local/state/imgbatch/account.db")
}

fn account(scene: &Scene) -> Connection {
    let db = Connection::open(state(scene)).unwrap();
    db.busy_timeout(Duration::from_secs(10)).unwrap();
    db
}

/// What the account holds in all, in credits.
fn held(scene: &Scene) -> f64 {
    account(scene).query_row("SELECT ifnull(sum(amount), 0) / 1e6 FROM spend", [], |row| row.get(0)).unwrap()
}

fn into_folder(scene: &Scene, out: &str, flags: &[&str]) -> Command {
    let args = ["run", "m.toml", "--out", out, "--base-url", &scene.base_url, "--json"];
    scene.command(&[&args, flags].concat())
}

fn run(scene: &Scene, out: &str, flags: &[&str]) -> Done {
    scene.finish(scene.spawn(into_folder(scene, out, flags)))
}

fn price(scene: &Scene) -> f64 {
    scene.call(&["plan", "m.toml", "--json"]).json()["jobs"][0]["credits"].as_f64().unwrap()
}

fn billed(scene: &Scene) -> f64 {
    let stats = scene.stats();
    stats.credits_billed - stats.credits_refunded
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-4
}

#[test]
fn a_day_holds_over_folders_and_what_is_paid_is_collected() {
    let scene = Scene::new("fail:content_policy_violation@2");
    scene.jobs(4);
    let limit = price(&scene) * 5.5;
    scene.manifest(&format!(
        "[budget]\nday = \"{limit} credits\"\nmonth = \"9 USD\"\n{}",
        std::fs::read_to_string(scene.path("m.toml")).unwrap().split_once("\"scene\"\n").unwrap().1
    ));
    // A budget of the day is consent enough without a terminal.
    let first = run(&scene, "one", &[]).exits(3).json();
    assert_eq!(first["jobs"]["succeeded"], 3);
    assert!(close(held(&scene), billed(&scene)), "{} {}", held(&scene), billed(&scene));
    let second = run(&scene, "two", &[]).exits(5).says(&[
        "the budget of the day holds for all your runs",
        "credits",
        "are left, and the next submission may cost",
        "it renews on",
    ]);
    let jobs = &second.json()["jobs"];
    assert_eq!((&jobs["succeeded"], &jobs["pending"], &jobs["in_flight"]), (&2.into(), &2.into(), &0.into()));
    assert!(billed(&scene) <= limit && held(&scene) <= limit);
    assert!(close(held(&scene), billed(&scene)));
    // A month that is shorter of money is the one that is named; flags outrank the manifest.
    let month = format!("{limit} credits");
    run(&scene, "two", &["--day-budget", "9 USD", "--month-budget", &month])
        .exits(5)
        .says(&["the budget of the month holds"]);
    run(&scene, "two", &["--day-budget", "9 USD"]).exits(0);
}

#[test]
fn two_processes_at_once_do_not_exceed_a_limit_together() {
    let scene = Scene::new("");
    scene.jobs(40);
    let price = price(&scene);
    let limit = price * 21.0;
    let flags = ["--day-budget", &format!("{limit} credits")];
    let both = ["one", "two"].map(|out| scene.spawn(into_folder(&scene, out, &flags)));
    let done = both.map(|running| scene.finish(running));
    for done in &done {
        assert_eq!(done.code, 5, "{done}");
    }
    let bought = scene.stats().tasks_created;
    // Settled below the estimate, so that some more than 21 fit.
    assert!(bought >= 21, "{bought}");
    assert!(billed(&scene) <= limit, "{} of {limit}", billed(&scene));
    assert!(billed(&scene) + price > limit, "{} of {limit}: more could be bought", billed(&scene));
    assert!(close(held(&scene), billed(&scene)));
}

/// Killed after the reservation and before the intent: too high, never too low.
#[test]
fn a_kill_between_reservation_and_intent_leaves_the_account_too_high() {
    let scene = Scene::new("");
    scene.jobs(2);
    let price = price(&scene);
    let flags = ["--limit", "1", "--day-budget", &format!("{} credits", price * 2.5)];
    run(&scene, "out", &["--limit", "0", "--yes"]).exits(0);
    let endless = "CREATE TRIGGER stuck BEFORE INSERT ON attempt BEGIN
        SELECT (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c); END";
    scene.ledger().execute_batch(endless).unwrap();
    let mut running = scene.spawn(into_folder(&scene, "out", &flags));
    until(|| state(&scene).exists() && reserved(&scene) == 1);
    assert!(!running.is_over());
    running.signal("KILL");
    assert_eq!(scene.finish(running).code, -9);
    scene.ledger().execute_batch("DROP TRIGGER stuck").unwrap();
    assert_eq!((scene.stats().creates_received, reserved(&scene)), (0, 1));
    // One still fits, and a second would not: what was reserved stays.
    run(&scene, "out", &flags).exits(0);
    let done = run(&scene, "out", &flags).exits(5);
    assert!(done.stderr.contains("the budget of the day holds"), "{done}");
    assert_eq!(scene.stats().tasks_created, 1);
}

fn reserved(scene: &Scene) -> i64 {
    let rows = account(scene).query_row("SELECT count(*) FROM spend", [], |row| row.get(0));
    // Before the first process has made the table.
    rows.unwrap_or(0)
}

fn until(holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a crash left unknown is held, in the account as well, until a person decides.
#[test]
fn an_unknown_outcome_stays_reserved_and_a_start_brings_the_decision_in() {
    let scene = Scene::new("drop-after@1");
    scene.jobs(1);
    let price = price(&scene);
    run(&scene, "out", &["--day-budget", "9 USD"]).exits(6);
    assert!(close(held(&scene), price));
    scene.call(&["resolve", "out", "--all", "--resubmit"]).exits(0);
    assert!(close(held(&scene), price), "told at the next start");
    run(&scene, "out", &["--day-budget", "9 USD", "--limit", "0"]).exits(0);
    assert!(close(held(&scene), 0.0));
    // An account that was lost is filled from the ledger.
    run(&scene, "out", &["--day-budget", "9 USD"]).exits(0);
    let spent = held(&scene);
    std::fs::remove_dir_all(state(&scene).parent().unwrap()).unwrap();
    run(&scene, "out", &["--day-budget", "9 USD"]).exits(0);
    assert!(spent > 0.0 && close(held(&scene), spent));
}

#[test]
fn a_new_day_begins_at_the_users_midnight() {
    let scene = Scene::new("");
    scene.jobs(2);
    let limit = format!("{} credits", price(&scene) * 1.2);
    let flags = ["--day-budget", limit.as_str()];
    let in_zone = |zone: &str| {
        let mut command = into_folder(&scene, "out", &flags);
        command.env("TZ", zone);
        scene.finish(scene.spawn(command))
    };
    // A zone in which it is about noon.
    let now = jiff::Timestamp::now().as_second();
    in_zone(&zone(43_200 - now.rem_euclid(86_400))).exits(5).says(&["it renews on"]);
    assert_eq!(scene.stats().tasks_created, 1);
    // The next second is midnight in another one.
    let latest: i64 = account(&scene).query_row("SELECT max(at) FROM spend", [], |row| row.get(0)).unwrap();
    let midnight = latest / 1000 + 1;
    until(|| jiff::Timestamp::now().as_second() >= midnight);
    in_zone(&zone(-midnight.rem_euclid(86_400))).exits(0);
    assert_eq!(scene.stats().tasks_created, 2);
}

/// A POSIX zone so many seconds east.
fn zone(east: i64) -> String {
    // POSIX counts westwards; a day more or less is another date, not another midnight.
    let west = -east;
    let west = if west > 43_200 { west - 86_400 } else { west };
    let sign = if west < 0 { "-" } else { "" };
    let west = west.abs();
    format!("TST{sign}{}:{:02}:{:02}", west / 3600, west / 60 % 60, west % 60)
}

#[test]
fn without_limits_no_account_is_made_and_an_existing_one_is_kept() {
    let scene = Scene::new("");
    scene.jobs(1);
    run(&scene, "one", &["--yes"]).exits(0);
    let emulated = ["run", "m.toml", "--emulate", "--day-budget", "0.0001 credits", "--out", "emulated"];
    scene.call(&emulated).exits(0);
    assert!(!state(&scene).exists());
    run(&scene, "two", &["--day-budget", "1 USD"]).exits(0);
    let before = held(&scene);
    run(&scene, "three", &["--yes"]).exits(0);
    assert!(close(held(&scene), 2.0 * before), "{before} {}", held(&scene));
}

#[test]
fn a_limit_that_cannot_be_kept_buys_nothing() {
    let scene = Scene::new("");
    scene.jobs(1);
    scene.write("file", "");
    let mut command = into_folder(&scene, "out", &["--day-budget", "1 USD"]);
    command.env("IMGBATCH_STATE_DIR", Path::new("file/below"));
    scene.finish(scene.spawn(command)).exits(2).says(&["set IMGBATCH_STATE_DIR to a folder of yours"]);
    assert_eq!(scene.stats().creates_received, 0);
    assert!(!scene.out().exists());
}

#[test]
fn an_estimate_that_proves_too_low_is_raised_before_the_next_one_leaves() {
    let scene = Scene::with(Options { price_factor: 3.0, ..quick() });
    scene.jobs(20);
    let price = price(&scene);
    // Room for one at its estimate and less than one more at its true price.
    let budget = format!("{} credits", price * 4.5);
    let typed =
        ["run", "m.toml", "--out", "out", "--base-url", &scene.base_url, "--json", "--rate", "1/200ms"];
    let with = |budget: &str| scene.call(&[&typed[..], &["--budget", budget]].concat());
    let done = with(&budget);
    done.exits(5).says(&["from now on this kind reserves as much more", "the budget holds"]);
    assert_eq!(scene.stats().tasks_created, 1);
    assert!(billed(&scene) <= price * 4.5);
    // It survives a restart, and is not told again.
    let again = with(&budget).exits(5);
    assert!(!again.stderr.contains("reserves as much more"), "{again}");
    assert_eq!(scene.stats().tasks_created, 1);
    // A second kind has its own price, and the first one reserves what it costs.
    let done = with(&format!("{} credits", price * 9.5)).exits(5);
    assert!(!done.stderr.contains("reserves as much more"), "{done}");
    assert_eq!(scene.stats().tasks_created, 3);
    let estimates = scene.rows("SELECT round(estimated_credits, 2) FROM attempt_log ORDER BY intended_at");
    assert!(estimates[0] < estimates[1] && estimates[1] == estimates[2], "{estimates:?}");
    scene.prove();
}

#[test]
fn a_price_that_proved_too_low_is_known_in_every_folder() {
    let scene = Scene::with(Options { price_factor: 2.0, ..quick() });
    scene.jobs(1);
    let price = price(&scene);
    let limit = format!("{} credits", price * 3.5);
    run(&scene, "one", &["--day-budget", &limit]).exits(0);
    // Half of what is left would do by the estimate; by what it costs it does not.
    let paused = run(&scene, "two", &["--day-budget", &limit]).exits(5).json();
    let why = paused["paused"].as_str().unwrap();
    assert!(why.contains("the budget of the day") && why.contains("the next submission may cost"), "{why}");
    assert_eq!(scene.stats().creates_received, 1);
    let planned = |flags: &[&str]| {
        let typed = ["plan", "m.toml", "--json", "--base-url", &scene.base_url];
        scene.call(&[&typed[..], flags].concat()).exits(0).json()
    };
    for out in ["one", "two", "three"] {
        let plan = planned(&["--out", out, "--day-budget", &limit]);
        let limits = &plan["limits"][0];
        assert_eq!(limits["span"], "day");
        assert!(close(limits["spent_credits"].as_f64().unwrap(), billed(&scene)), "{plan}");
        if out != "one" {
            let credits = plan["jobs"][0]["credits"].as_f64().unwrap();
            assert!((credits / price - 2.0).abs() < 0.1, "{credits} by what the provider charged");
            assert!(plan["warnings"].to_string().contains("the budget of the day may be"), "{plan}");
        }
    }
}

#[test]
fn figures_are_told_apart_and_reuse_is_counted() {
    let scene = Scene::new("drop-after@3");
    scene.manifest(
        "[run]\nposts = 1\n
         [defaults]\nsize = \"1024x1024\"\nquality = \"low\"\n
         [[jobs]]\nid = \"m\"\nprompt = \"{{ look }}\"\nmatrix.look = [\"flat\", \"soft\"]\nmeta = { class = \"mug\" }\n
         [[jobs]]\nid = \"f\"\nprompt = \"a fox\"\nmeta = { class = \"fox\" }\n
         [[jobs]]\nid = \"none\"\nprompt = \"nothing\"\n",
    );
    let done = scene.run(&["--limit", "2"]).exits(0).json();
    assert_eq!(done["cost"]["saved_credits"], 0.0);
    let done = scene.run(&[]).exits(6).json();
    let used = done["cost"]["used_credits"].as_f64().unwrap();
    let saved = done["cost"]["saved_credits"].as_f64().unwrap();
    assert!(saved > 0.0 && saved < used, "{saved} of {used}");
    let by =
        |column: &str| scene.call(&["status", "out", "--by", column, "--json"]).exits(6).json()["by"].clone();
    let classes = by("class");
    let rows: Vec<(String, u64, u64)> = classes["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (row["value"].to_string(), row["jobs"].as_u64().unwrap(), row["succeeded"].as_u64().unwrap())
        })
        .collect();
    let expected = [("\"fox\"", 1, 0), ("\"mug\"", 2, 2), ("null", 1, 1)];
    assert_eq!(rows, expected.map(|(value, jobs, done)| (value.to_owned(), jobs, done)));
    let sum = |name: &str| -> f64 {
        classes["groups"].as_array().unwrap().iter().map(|row| row[name].as_f64().unwrap()).sum()
    };
    for name in ["estimated_credits", "used_credits", "at_risk_credits", "reserved_credits", "saved_credits"]
    {
        assert!(close(sum(name), done["cost"][name].as_f64().unwrap()), "{name}: {classes}");
    }
    assert_eq!(by("look")["groups"].as_array().unwrap().len(), 3);
    assert_eq!(by("id")["groups"].as_array().unwrap().len(), 4);
    assert_eq!(scene.status()["cost"]["saved_credits"], saved);
    let text = scene.call(&["status", "out", "--by", "class"]).exits(6);
    assert!(text.stdout.contains("class   jobs  succeeded"), "{text}");
    scene
        .call(&["status", "out", "--by", "klass"])
        .exits(2)
        .says(&["no job has a column \"klass\"", "class, look"]);
}
