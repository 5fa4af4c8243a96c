//! kill -9 at random moments, under every policy.

use std::time::Duration;

use imgbatch::emulator::{Latency, Options};
use serde_json::json;

use crate::policy::Policy;
use crate::round::{record, seed};
use crate::support::{Scene, jobs, quick, sized};

/// What a loop of kills did, by the emulator's books.
pub(crate) struct Killed {
    pub(crate) scene: Scene,
    pub(crate) struck: usize,
}

/// Kills runs of many jobs; `sabotage` makes the binary wrong on purpose.
pub(crate) fn kill(policy: Policy, kills: usize, seed: u64, sabotage: Option<&str>) -> Killed {
    let scene = Scene::with(policy.options(Options {
        latency: Latency::Between(Duration::from_millis(50), Duration::from_millis(900)),
        create_latency: Duration::from_millis(60),
        faults: format!("slow-bytes:1=0.1,429:1=0.02,seed={seed}").parse().unwrap(),
        ..quick()
    }));
    let prompts = (1..=kills * 6).map(|n| (format!("j{n:05}"), format!("picture {n}")));
    scene.manifest(&format!("{}{}", policy.manifest(), jobs(prompts)));
    let run = || {
        let mut command = scene.buying(&[]);
        command.env("IMGBATCH_SABOTAGE", sabotage.unwrap_or_default());
        command
    };
    let struck = scene.kill_at_random(run, kills, &mut fastrand::Rng::with_seed(seed), 600);
    Killed { scene, struck }
}

fn is_proven(policy: Policy) {
    let kills = sized("IMGBATCH_TEST_KILLS", 12);
    let Killed { scene, struck } = kill(policy, kills, seed(), None);
    scene.ledger().execute("UPDATE attempt SET intent_at = intent_at - 60000", []).unwrap();
    let last = scene.run(&[]);
    let unknown = last.json()["jobs"]["unknown"].as_u64().unwrap();
    assert!([0, 6].contains(&last.code), "{last}");
    assert!(struck > 3, "the work was over before it could be interrupted");
    scene.prove();
    assert!(scene.billed_again().is_empty(), "{:?}", scene.billed_again());
    let stats = scene.stats();
    record(
        &format!("kills-{}", format!("{policy:?}").to_lowercase()),
        json!({ "kills": struck, "tasks": stats.tasks_created, "paid_twice": stats.duplicate_keys,
                "nameless": 0, "replays": stats.idempotent_replays, "unknown_at_the_end": unknown }),
    );
}

#[test]
fn killed_where_nothing_resolves() {
    is_proven(Policy::None);
}

#[test]
fn killed_where_keys_are_honoured() {
    is_proven(Policy::Keys);
}

#[test]
fn killed_where_the_list_is_ours_alone() {
    is_proven(Policy::List);
}

#[test]
fn killed_where_callbacks_come() {
    is_proven(Policy::Callback);
}
