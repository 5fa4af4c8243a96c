//! Builds that are wrong on purpose: a proof that they pass is no proof.

use std::process::Command;
use std::time::Duration;

use imgbatch::emulator::Options;

use crate::kills::{Killed, kill};
use crate::policy::Policy;
use crate::signals::stop_at_random;
use crate::support::{Scene, quick};

/// Unknown submissions are sent again: the kill loop must see the second bill.
#[test]
fn a_build_that_resubmits_is_caught_by_the_kill_loop() {
    let caught = (1..=5).any(|seed| {
        let Killed { scene, .. } = kill(Policy::None, 12, seed, Some("resubmit"));
        scene.stats().duplicate_keys > 0
    });
    assert!(caught, "nothing was paid twice by a build that resubmits");
}

/// And by the matrix, without chance.
#[test]
fn a_build_that_resubmits_is_caught_by_the_matrix() {
    let scene = Scene::new("");
    scene.jobs(1);
    let mut command = scene.buying(&[]);
    command.env("IMGBATCH_CRASH_AT", "answer-in-memory");
    assert_eq!(scene.finish(scene.spawn(command)).code, -6);
    let mut command = scene.buying(&[]);
    command.env("IMGBATCH_SABOTAGE", "resubmit");
    scene.finish(scene.spawn(command));
    assert_eq!(scene.stats().duplicate_keys, 1);
}

/// The same for a test as a whole, in a process of its own; it must fail in
/// these words.
fn is_caught_by(test: &str, sabotage: &str, words: &str, sizes: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test]).envs(sizes.iter().copied());
    command.env_remove("IMGBATCH_TEST_RESULTS").env("IMGBATCH_TEST_SEED", "1");
    command.env("IMGBATCH_SABOTAGE", sabotage);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("running 1 test"), "no test {test}: {said}");
    let skipped = String::from_utf8_lossy(&output.stderr).contains("SKIPPED");
    assert!(skipped || said.contains(words), "{test} with {sabotage}, and no word of {words:?}: {said}");
}

#[test]
fn a_build_that_forgets_doubts_is_caught_by_the_plans() {
    let test = "plans::whatever_goes_wrong_every_obtainable_picture_is_obtained";
    is_caught_by(test, "forget-doubts", "panicked at tests/proof/plans.rs", &[("IMGBATCH_TEST_JOBS", "60")]);
}

#[test]
fn a_build_that_resubmits_is_caught_by_the_sweep() {
    let test = "syscalls::every_write_may_be_the_last_or_fail";
    is_caught_by(
        test,
        "resubmit",
        "a key was billed twice",
        &[("IMGBATCH_TEST_STRIDE", "3"), ("IMGBATCH_TEST_CALLS", "pwrite64")],
    );
}

/// What is killed instead of stopped leaves what a graceful stop must not.
#[test]
fn a_death_is_told_from_a_graceful_stop() {
    let told = (1..=5).any(|seed| stop_at_random("KILL", 3, seed).unknown > 0);
    assert!(told, "no death left a submission of unknown outcome");
}

/// The time between the refused submission and the next.
fn pause_after_a_refusal(sabotage: &str) -> Duration {
    let scene = Scene::with(Options { faults: "429:4@1".parse().unwrap(), ..quick() });
    scene.jobs(1);
    let mut command = scene.buying(&[]);
    command.env("IMGBATCH_SABOTAGE", sabotage);
    scene.finish(scene.spawn(command)).exits(0);
    let arrivals: Vec<u64> = scene.stats().create_arrivals_ms.into_iter().collect();
    Duration::from_millis(arrivals[1] - arrivals[0])
}

#[test]
fn a_build_that_ignores_retry_after_is_caught() {
    let asked = Duration::from_secs(4);
    assert!(pause_after_a_refusal("") >= asked);
    assert!(pause_after_a_refusal("ignore-retry-after") < asked);
}
