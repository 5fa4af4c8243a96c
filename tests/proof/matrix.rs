//! Dies at every point of a picture's life, under every policy: each cell ends
//! with the picture billed at most once, or listed.

use std::collections::BTreeSet;
use std::time::Duration;

use imgbatch::emulator::{Latency, Options};
use serde_json::json;

use crate::policy::Policy;
use crate::round::record;
use crate::support::{Scene, files, jobs, quick};

/// What a death leaves behind, before anything resolves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaves {
    /// The ledger knows how it stands.
    Nothing,
    /// Unknown, and nothing had left.
    UnsentDoubt,
    /// Unknown, and billed.
    BilledDoubt,
}

/// The table of the submit window, in the order of a picture's life.
const POINTS: [(&str, Leaves); 11] = [
    ("intent-uncommitted", Leaves::Nothing),
    ("intent-committed", Leaves::UnsentDoubt),
    // "sent", where the answer does not come: see `killed_after_the_bill`.
    ("answer-in-memory", Leaves::BilledDoubt),
    ("answer-uncommitted", Leaves::BilledDoubt),
    ("answer-committed", Leaves::Nothing),
    ("picture-written", Leaves::Nothing),
    ("picture-synced", Leaves::Nothing),
    ("picture-renamed", Leaves::Nothing),
    ("picture-in-place", Leaves::Nothing),
    ("picture-recorded", Leaves::Nothing),
    ("callback-stored", Leaves::Nothing),
];

/// Points on the way up the ladder: the first death leaves a doubt, the second
/// interrupts what resolves it.
const LADDER: [(&str, &str); 4] = [
    ("answer-in-memory@2", "replay-committed"),
    ("answer-in-memory@2", "replay-in-memory"),
    ("answer-in-memory@2", "answer-uncommitted"),
    ("intent-committed@2", "replay-in-memory"),
];

const JOBS: usize = 3;

fn scene(policy: Policy, faults: &str) -> Scene {
    let scene = Scene::with(policy.options(Options {
        latency: Latency::Fixed(Duration::from_millis(400)),
        faults: faults.parse().unwrap(),
        ..quick()
    }));
    let prompts = (1..=JOBS).map(|n| (format!("j{n}"), format!("picture {n}")));
    scene.manifest(&format!("[run]\nposts = 1\n{}{}", policy.manifest(), jobs(prompts)));
    scene
}

/// Runs until the named point and dies there.
#[track_caller]
fn die(scene: &Scene, point: &str) {
    let mut command = scene.buying(&[]);
    command.env("IMGBATCH_CRASH_AT", point);
    let died = scene.finish(scene.spawn(command));
    assert_eq!(died.code, -6, "{point} was not reached: {died}");
}

/// A minute later: keys are asked about again after a quarter of one.
fn a_minute_passes(scene: &Scene) {
    scene.ledger().execute("UPDATE attempt SET intent_at = intent_at - 60000", []).unwrap();
}

/// The next run, and what it leaves unknown.
#[track_caller]
fn ends(scene: &Scene, cell: &str) -> u64 {
    let done = scene.run(&[]);
    assert!([0, 6].contains(&done.code), "{cell}: {done}");
    let json = done.json();
    let unknown = json["jobs"]["unknown"].as_u64().unwrap();
    assert_eq!(json["jobs"]["succeeded"].as_u64().unwrap() + unknown, JOBS as u64, "{cell}: {done}");
    scene.prove();
    assert!(scene.billed_again().is_empty(), "{cell}: {:?}", scene.billed_again());
    unknown
}

#[track_caller]
fn judge(policy: Policy, leaves: Leaves, unknown: u64, cell: &str) {
    let expected: &[u64] = match (leaves, policy) {
        (Leaves::Nothing, _) | (_, Policy::Keys) | (Leaves::BilledDoubt, Policy::List) => &[0],
        // A callback that came while nobody listened comes again, or the run is over before.
        (Leaves::BilledDoubt, Policy::Callback) => &[0, 1],
        (Leaves::BilledDoubt, Policy::None) | (Leaves::UnsentDoubt, _) => &[1],
    };
    assert!(expected.contains(&unknown), "{cell}: {unknown} unknown, not {expected:?}");
}

#[test]
fn every_death_under_every_policy_is_billed_at_most_once_or_listed() {
    let mut cells = 0;
    for (point, leaves) in POINTS {
        std::thread::scope(|scope| {
            for policy in Policy::ALL {
                if point == "callback-stored" && policy != Policy::Callback {
                    continue;
                }
                cells += 1;
                scope.spawn(move || {
                    let cell = format!("{point}, {policy:?}");
                    let scene = scene(policy, "");
                    let nth = if point == "callback-stored" { 1 } else { 2 };
                    die(&scene, &format!("{point}@{nth}"));
                    a_minute_passes(&scene);
                    judge(policy, leaves, ends(&scene, &cell), &cell);
                });
            }
        });
    }
    record("matrix", json!({ "cells": cells }));
}

/// The row that no point inside the process can mark: billed, and the answer
/// never comes.
#[test]
fn killed_after_the_bill_and_before_the_answer() {
    for policy in Policy::ALL {
        let scene = scene(policy, "hang-after@2");
        let running = scene.spawn(scene.buying(&[]));
        scene.until("a bill without an answer", |stats| stats.tasks_created == 2);
        running.signal("KILL");
        scene.finish(running);
        a_minute_passes(&scene);
        let cell = format!("sent, {policy:?}");
        judge(policy, Leaves::BilledDoubt, ends(&scene, &cell), &cell);
    }
}

#[test]
fn a_death_on_the_ladder_leaves_the_ladder_as_it_was() {
    for (first, second) in LADDER {
        let cell = format!("{first}, then {second}");
        let scene = scene(Policy::Keys, "");
        die(&scene, first);
        a_minute_passes(&scene);
        die(&scene, second);
        a_minute_passes(&scene);
        assert_eq!(ends(&scene, &cell), 0, "{cell}");
    }
}

/// Every point in the sources has its cell here.
#[test]
fn no_point_is_forgotten() {
    let named: BTreeSet<&str> = POINTS
        .iter()
        .map(|(point, _)| *point)
        .chain(LADDER.iter().map(|(_, point)| *point))
        .chain(["answer-rescued"]) // see `signals.rs`
        .collect();
    let sources = files(std::path::Path::new("src"));
    let texts: Vec<String> = sources.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let placed: BTreeSet<&str> = texts
        .iter()
        .flat_map(|text| text.split("crash_point!(\"").skip(1))
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(placed, named);
}
