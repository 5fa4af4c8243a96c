//! Builds that are wrong on purpose: a proof that they pass is no proof.

use std::time::Duration;

use imgbatch::emulator::Options;

use crate::kills::{Killed, kill};
use crate::policy::Policy;
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
