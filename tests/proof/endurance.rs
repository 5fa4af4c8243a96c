//! One long run through faults: its memory stays what it was, and its sums are
//! the emulator's.

use std::fs;
use std::time::Duration;

use imgbatch::emulator::{Latency, Options};
use serde_json::json;

use crate::round::{record, seed};
use crate::support::{Running, Scene, quick, sized};

/// One job in twenty meets one of these, some reads of tasks aside. Each can be
/// survived without a doubt, so that the sums must agree.
const FAULTS: &str =
    "503=0.0145,429:1=0.0005,fail:service_error=0.015,damaged-once=0.01,short-once=0.01,read-500=0.01";

/// Below this many jobs a run is over before its memory has settled.
const LONG: usize = 20_000;

/// Resident memory of a process in KiB.
fn resident(running: &Running) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", running.child.id())).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
}

fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

#[test]
fn a_long_run_through_faults_keeps_its_memory_and_its_sums() {
    let count = sized("IMGBATCH_TEST_LONG_RUN", 300);
    let scene = Scene::with(Options {
        latency: Latency::Between(Duration::from_millis(50), Duration::from_millis(900)),
        faults: format!("{FAULTS},seed={}", seed()).parse().unwrap(),
        ..quick()
    });
    scene.manifest(&format!(
        "[[jobs]]\nid = 'p'\nprompt = 'picture'\nsize = '3:1'\nquality = 'low'\nrepeat = {count}\n"
    ));
    let run = ["run", "m.toml", "--out", "out", "--base-url", &scene.base_url, "--yes", "--json"];
    let mut command = scene.command(&run);
    command.env("IMGBATCH_RATE", "2000/s");
    let mut running = scene.spawn(command);
    let mut memory = Vec::new();
    while !running.is_over() {
        memory.extend(resident(&running));
        std::thread::sleep(Duration::from_millis(100));
    }
    let done = scene.finish(running);
    assert!([0, 3].contains(&done.code), "{done}");

    let (told, stats) = (done.json(), scene.stats());
    let sum = |pointer: &str| told.pointer(pointer).unwrap().as_u64().unwrap();
    let (succeeded, failed) = (sum("/jobs/succeeded"), sum("/jobs/failed"));
    assert_eq!(succeeded + failed, count as u64, "{told}");
    assert_eq!(sum("/images/saved"), succeeded, "{told}");
    assert_eq!(sum("/submissions/sent"), stats.creates_received);
    assert_eq!(sum("/submissions/accepted"), stats.tasks_created);
    assert_eq!(sum("/submissions/throttled"), stats.throttled);
    let used = told.pointer("/cost/used_credits").unwrap().as_f64().unwrap();
    let billed = stats.credits_billed - stats.credits_refunded;
    assert!((used - billed).abs() < 1e-6 * billed, "{used} in the ledger, {billed} in the books");
    let struck: u64 = stats.faults.values().sum();
    scene.prove();
    assert_eq!(scene.billed_again().len() as u64, stats.tasks_created - count as u64);

    let fifth = memory.len() / 5;
    let (early, late) = (median(&memory[fifth..=2 * fifth]), median(&memory[4 * fifth..]));
    if count >= LONG {
        assert!(struck * 25 > count as u64, "{struck} faults in {count} jobs");
        assert!(late * 100 < early * 105, "memory grew from {early} to {late} KiB: {memory:?}");
    }
    record(
        "endurance",
        json!({ "jobs": count, "faults": struck, "tasks": stats.tasks_created, "failed": failed,
                "early_kib": early, "late_kib": late, "samples": memory.len() }),
    );
}
