//! kill -9 and signals: whatever the moment, nothing is paid twice and nothing
//! that was paid is nameless.

mod support;

use std::time::Duration;

use imgbatch::emulator::{Latency, Options};
use support::{Scene, quick, sized};

#[test]
fn killed_at_random_nothing_is_paid_twice_and_nothing_paid_is_nameless() {
    let kills = sized("IMGBATCH_TEST_KILLS", 40);
    let seed = sized("IMGBATCH_TEST_SEED", 1) as u64;
    let count = kills * 6;
    let scene = Scene::with(Options {
        latency: Latency::Between(Duration::from_millis(50), Duration::from_millis(900)),
        create_latency: Duration::from_millis(60),
        faults: "slow-bytes:1=0.1,429:1=0.02,seed=3".parse().unwrap(),
        ..quick()
    });
    scene.jobs(count);
    let mut random = fastrand::Rng::with_seed(seed);
    let struck = scene.kill_at_random(|| scene.buying(&[]), kills, &mut random, 600);
    let last = scene.run(&[]);
    let unknown = last.json()["jobs"]["unknown"].as_u64().unwrap();
    assert_eq!(last.code, if unknown > 0 { 6 } else { 0 }, "{last}");
    assert!(struck > 3, "the work was over before it could be interrupted");
    scene.prove();
    assert!(scene.billed_again().is_empty(), "{:?}", scene.billed_again());

    // Held is held: another run sends nothing.
    let sent = scene.stats().creates_received;
    scene.run(&[]).exits(last.code);
    assert_eq!(scene.stats().creates_received, sent);

    if unknown > 0 {
        // Half are tried again by decision, half given up.
        let held = scene.rows("SELECT id FROM job_status WHERE status = 'unknown' ORDER BY id");
        let (again, given_up) = held.split_at(held.len() / 2);
        for id in given_up {
            scene.call(&["resolve", "out", "--job", id, "--abandon"]).exits(0);
        }
        if !again.is_empty() {
            scene.call(&["resolve", "out", "--all", "--resubmit"]).exits(0);
        }
        let done = scene.run(&[]).exits(3).json();
        assert_eq!(done["jobs"]["succeeded"], count - given_up.len());
        assert_eq!(done["jobs"]["failed"], given_up.len());
        let twice = scene.billed_again();
        assert!(twice.keys().all(|id| again.contains(id)), "{twice:?} without a decision");
    }
    scene.prove();
}

#[test]
fn killed_on_the_wire_a_submission_is_unknown_and_never_sent_again() {
    let scene = Scene::with(Options { create_latency: Duration::from_secs(3), ..quick() });
    scene.jobs(4);
    let running = scene.spawn(scene.buying(&[]));
    scene.until("four bills", |stats| stats.tasks_created == 4);
    running.signal("KILL");
    scene.finish(running);
    assert_eq!(scene.rows("SELECT count(*) FROM job_status WHERE status = 'submitting'"), ["4"]);

    let done = scene.run(&[]).exits(6).says(&["their outcome is unknown"]);
    assert_eq!(done.json()["jobs"]["unknown"], 4);
    assert_eq!(done.json()["unknown"].as_array().unwrap().len(), 4);
    assert_eq!(scene.stats().creates_received, 4);
    scene.prove();
}

#[test]
fn killed_during_downloads_pictures_come_without_paying() {
    let scene = Scene::new("slow-bytes:2");
    scene.jobs(6);
    let running = scene.spawn(scene.buying(&[]));
    scene.until("downloads", |stats| stats.downloads_in_flight > 2);
    running.signal("KILL");
    scene.finish(running);
    let done = scene.run(&[]).exits(0).json();
    assert_eq!((&done["jobs"]["succeeded"], &done["submissions"]["sent"]), (&6.into(), &0.into()));
    assert_eq!(scene.stats().tasks_created, 6);
    scene.prove();
}

/// The file was there and the ledger did not know it yet: between the two, the
/// process died, the links died, and a person ran another command.
#[test]
fn a_picture_that_a_crash_kept_out_of_the_ledger_is_adopted() {
    let scene = Scene::with(Options { link_life: Duration::from_secs(6), ..quick() });
    scene.wishes(&[("kept", ""), ("held", "drop-after")]);
    scene.run(&[]).exits(6);
    // Back to the moment before the record, as a kill leaves it.
    let db = scene.ledger();
    db.execute_batch(
        "UPDATE image SET saved_at = NULL, path = NULL, sha256 = NULL, link = 'http://127.0.0.1:9/dead';
         UPDATE job SET state = 3 WHERE id = 'kept';
         INSERT OR REPLACE INTO meta VALUES ('open', '1');",
    )
    .unwrap();
    drop(db);
    let before = std::fs::read(scene.picture("kept.png")).unwrap();
    scene.call(&["resolve", "out", "--all", "--abandon"]).exits(0);
    let done = scene.run(&[]).exits(3).json();
    assert_eq!(done["jobs"]["succeeded"], 1);
    assert_eq!(std::fs::read(scene.picture("kept.png")).unwrap(), before);
    assert!(!scene.out().join("replaced").exists(), "the picture was taken for a stranger's");
    scene.prove();
}

#[test]
fn ctrl_c_stops_buying_collects_and_names_the_command_that_resumes() {
    let scene = Scene::with(Options { latency: Latency::Fixed(Duration::from_millis(900)), ..quick() });
    scene.jobs(60);
    let typed = ["run", "m.toml", "--out", "out", "--base-url", &scene.base_url, "--yes", "--rate", "20/s"];
    let running = scene.spawn(scene.command(&typed));
    scene.until("some bills", |stats| stats.tasks_created >= 5);
    running.signal("INT");
    let done = scene.finish(running).exits(4).says(&["no new submissions"]);
    let bought = scene.stats().tasks_created;
    assert!(bought < 40, "{bought}");
    assert!(done.stdout.contains(&format!("{bought} of 60 jobs succeeded")), "{done}");
    scene.prove();

    // The command it names, word for word.
    let resume = done.stdout.lines().find(|line| line.contains("imgbatch run")).unwrap().trim();
    let words: Vec<&str> = resume.split(' ').skip(1).collect();
    scene.call(&words).exits(0);
    assert_eq!(scene.stats().tasks_created, 60);
    scene.prove();
}

#[test]
fn a_second_ctrl_c_leaves_at_once() {
    let scene = Scene::with(Options { latency: Latency::Fixed(Duration::from_secs(50)), ..quick() });
    scene.jobs(3);
    let running = scene.spawn(scene.buying(&[]));
    scene.until("bills", |stats| stats.tasks_created == 3);
    running.signal("INT");
    running.hears("once more to leave at once");
    running.signal("INT");
    scene.finish(running).exits(130).says(&["the ledger is safe", "imgbatch run m.toml"]);
    assert!(scene.rows("SELECT 1 FROM job_status WHERE status = 'pending'").is_empty());
    scene.prove_silence();
}

#[test]
fn sigterm_leaves_in_seconds_with_every_outcome_known() {
    for bills in [1, 9] {
        let scene = Scene::with(Options {
            latency: Latency::Fixed(Duration::from_secs(5)),
            create_latency: Duration::from_millis(300),
            ..quick()
        });
        scene.jobs(30);
        let running = scene.spawn(scene.buying(&["--rate", "50/s"]));
        scene.until("some bills", |stats| stats.tasks_created >= bills);
        running.signal("TERM");
        let done = scene.finish(running).exits(4);
        let json = done.json();
        assert_eq!(json["jobs"]["unknown"], 0);
        // It waited for no task: everything that was accepted is still to be collected.
        assert_eq!(json["jobs"]["in_flight"].as_u64().unwrap(), scene.stats().tasks_created);
        scene.prove();
        let done = scene.run(&[]).exits(0).json();
        assert_eq!(done["jobs"]["succeeded"], 30);
        assert_eq!(scene.stats().tasks_created, 30);
        scene.prove();
    }
}

/// Stopped while answers are on their way, for longer than they take: whoever
/// wakes up and takes the silence for a loss would order again.
#[test]
fn a_pause_of_the_process_pays_nothing_twice() {
    let scene = Scene::with(Options { create_latency: Duration::from_millis(250), ..quick() });
    scene.jobs(40);
    let running = scene.spawn(scene.buying(&["--rate", "30/s"]));
    let mut random = fastrand::Rng::with_seed(7);
    for bills in [1, 8, 16, 24, 32] {
        scene.until("the next bill", |stats| stats.tasks_created >= bills);
        running.signal("STOP");
        std::thread::sleep(Duration::from_millis(random.u64(300..700)));
        running.signal("CONT");
    }
    let done = scene.finish(running).exits(0).json();
    assert_eq!(done["jobs"]["succeeded"], 40);
    assert_eq!(scene.stats().tasks_created, 40);
    scene.prove();
}
