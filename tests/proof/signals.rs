//! Graceful stops, pauses, and a full disk in the middle of it.

use std::fs;
use std::time::Duration;

use imgbatch::emulator::{Latency, Options};
use serde_json::json;

use crate::round::{record, seed};
use crate::support::{Disk, Scene, quick, sized};

fn scene(count: usize) -> Scene {
    let scene = Scene::with(Options {
        latency: Latency::Between(Duration::from_millis(50), Duration::from_millis(900)),
        create_latency: Duration::from_millis(80),
        ..quick()
    });
    scene.jobs(count);
    scene
}

/// What was seen after runs that were stopped.
pub(crate) struct Stopped {
    pub(crate) scene: Scene,
    pub(crate) unknown: u64,
}

/// Stops so many runs of one folder with `signal`, each some time after its
/// first submission.
pub(crate) fn stop_at_random(signal: &str, stops: usize, seed: u64) -> Stopped {
    let mut random = fastrand::Rng::with_seed(seed);
    let scene = scene(stops * 25);
    for _ in 0..stops {
        let running = scene.spawn(scene.buying(&["--rate", "40/s"]));
        let before = scene.stats().creates_received;
        scene.until("a submission", |stats| stats.creates_received > before);
        std::thread::sleep(Duration::from_millis(random.u64(0..300)));
        running.signal(signal);
        if signal == "KILL" {
            scene.finish(running).exits(-9);
            // What it was at is left to the next command.
            scene.call(&["collect", "out"]);
        } else {
            scene.finish(running).exits(4);
        }
        scene.prove();
    }
    let unknown = scene.status()["jobs"]["unknown"].as_u64().unwrap();
    Stopped { scene, unknown }
}

/// A graceful stop knows every outcome.
#[test]
fn sigterm_at_random_leaves_no_unknown() {
    let stops = sized("IMGBATCH_TEST_STOPS", 10);
    let Stopped { scene, unknown } = stop_at_random("TERM", stops, seed());
    assert_eq!(unknown, 0);
    let tasks = scene.stats().tasks_created;
    record("sigterm", json!({ "stops": stops, "unknown": unknown, "tasks": tasks }));
    let (done, count) = (scene.run(&[]).exits(0).json(), stops * 25);
    assert_eq!(done["jobs"]["succeeded"], count);
    assert_eq!(scene.stats().tasks_created, count as u64);
    scene.prove();
}

/// A laptop's lid: time passes for everybody else. A run that lost answers in
/// its sleep may end with unknowns, and never with a second bill.
#[test]
fn sigstop_at_random_pays_nothing_twice() {
    let pauses = sized("IMGBATCH_TEST_PAUSES", 4);
    let longest = sized("IMGBATCH_TEST_PAUSE_MS", 1500) as u64;
    let mut random = fastrand::Rng::with_seed(seed());
    let scene = scene(pauses * 40);
    let mut running = scene.spawn(scene.buying(&["--rate", "60/s"]));
    let mut stops = 0;
    while stops < pauses {
        std::thread::sleep(Duration::from_millis(random.u64(50..400)));
        if running.is_over() {
            break;
        }
        running.signal("STOP");
        std::thread::sleep(Duration::from_millis(random.u64(100..longest)));
        running.signal("CONT");
        stops += 1;
    }
    let done = scene.finish(running);
    assert!([0, 6].contains(&done.code), "{done}");
    let unknown = done.json()["jobs"]["unknown"].as_u64().unwrap();
    scene.prove();
    assert!(scene.billed_again().is_empty());
    record("sigstop", json!({ "pauses": stops, "longest_ms": longest, "unknown": unknown }));
}

/// The disk is full when answers come, and the process dies right after it has
/// kept a task id beside the ledger: the next start knows it.
#[test]
fn a_death_after_the_rescue_loses_no_task() {
    let scene = Scene::with(Options { create_latency: Duration::from_secs(5), ..quick() });
    let Some(disk) = Disk::mount(&scene.out(), "64m") else { return };
    scene.jobs(6);
    let mut command = scene.buying(&[]);
    command.env("IMGBATCH_CRASH_AT", "answer-rescued");
    let running = scene.spawn(command);
    scene.until("bills", |stats| stats.tasks_created >= 4);
    disk.fill();
    let died = scene.finish(running);
    assert_eq!(died.code, -6, "{died}");
    fs::remove_file(disk.ballast()).unwrap();
    let done = scene.run(&[]);
    let rescued = scene.rows("SELECT count(*) FROM attempt_log WHERE task_id IS NOT NULL");
    assert_ne!(rescued, ["0"], "{done}");
    assert!(done.stderr.contains("task ids that the ledger could not take"), "{done}");
    scene.prove();
    assert!(scene.billed_again().is_empty());
}
