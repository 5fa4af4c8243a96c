//! The provider and the disk misbehave; the binary must not.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use imgbatch::emulator::{Latency, Options};
use support::{Disk, Scene, files, quick};

/// One submission on the wire at a time: the order of outcomes is certain.
const ONE_BY_ONE: &str = "[run]\nposts = 1\n";

#[test]
fn doubtful_submissions_are_held_priced_and_decided_by_a_person() {
    let doubts = [
        "drop-before",
        "drop-after",
        "500",
        "500 billed",
        "502",
        "504 billed",
        "truncated",
        "html",
        "outcome-unknown",
    ];
    let scene = Scene::new("");
    let mut prompts = Vec::new();
    for (at, doubt) in doubts.iter().enumerate() {
        prompts.push((format!("d{at}"), format!("doubt {at} [emulate: {doubt}]")));
        prompts.push((format!("fine{at}"), format!("fine {at}")));
    }
    scene.manifest(&format!("{ONE_BY_ONE}{}", support::jobs(prompts)));
    let done = scene.run(&["-vvv"]).exits(6).json();
    assert_eq!((&done["jobs"]["succeeded"], &done["jobs"]["unknown"]), (&9.into(), &9.into()));
    assert!(done["cost"]["at_risk_credits"].as_f64().unwrap() > 0.0);
    for unknown in done["unknown"].as_array().unwrap() {
        assert!(unknown["at_risk_credits"].as_f64().unwrap() > 0.0, "{unknown}");
        assert!(unknown["idempotency_key"].as_str().unwrap().starts_with("imgbatch-"));
        assert_ne!(unknown["why"], "");
    }
    let status = scene.call(&["status", "out"]).exits(6);
    assert!(
        status.stdout.contains("credits at risk") && status.stdout.contains("resolve out --all"),
        "{status}"
    );
    assert_eq!(scene.status()["unknown"].as_array().unwrap().len(), 9);
    scene.prove();

    // Neither a second run, nor one that asks for them, nor one that retries failures sends anything.
    for flags in [&[][..], &["--only", "unknown"], &["--only", "failed"]] {
        scene.run(flags).exits(6);
        assert_eq!(scene.stats().creates_received, 18, "{flags:?}");
    }

    // d0 is given up; d1 was billed and its task is named; the rest is ordered again.
    scene.call(&["resolve", "out", "--job", "d0", "--abandon"]).exits(0);
    let key = scene.rows("SELECT idempotency_key FROM attempt_log WHERE job_id = 'd1'").remove(0);
    let task = scene.stats().tasks_by_key[&key][0].clone();
    let taken = scene.rows("SELECT task_id FROM attempt_log WHERE job_id = 'fine0'").remove(0);
    scene
        .call(&["resolve", "out", "--job", "d1", "--adopt", &taken])
        .exits(2)
        .says(&["belongs to job \"fine0\""]);
    scene.call(&["resolve", "out", "--job", "d1", "--adopt", &task]).exits(0);
    scene.call(&["resolve", "out", "--job", "d1", "--resubmit"]).exits(2).says(&["no submission of job"]);
    assert_eq!(scene.stats().creates_received, 18, "a decision sends nothing");
    scene.call(&["resolve", "out", "--all", "--resubmit"]).exits(0);
    assert_eq!(scene.stats().creates_received, 18, "a decision sends nothing");
    let done = scene.run(&[]).exits(3).json();
    assert_eq!((&done["jobs"]["succeeded"], &done["jobs"]["failed"]), (&17.into(), &1.into()));
    assert_eq!(done["failures"][0]["code"], "abandoned");
    assert_eq!(scene.stats().creates_received, 18 + 7);
    assert!(scene.billed_again().keys().all(|id| id.starts_with('d') && id != "d0" && id != "d1"));
    scene.prove();
}

/// Two jobs can't own one task: the second one's picture would be a stranger's
/// and its own task, which is billed, would be forgotten.
#[test]
fn an_answer_that_names_another_jobs_task_is_doubtful() {
    let scene = Scene::new("duplicate-id@2");
    scene.manifest(&format!(
        "{ONE_BY_ONE}{}",
        support::jobs(["a", "b", "c"].map(|id| (id.into(), id.into())))
    ));
    let done = scene.run(&[]).exits(6).json();
    assert_eq!((&done["jobs"]["succeeded"], &done["jobs"]["unknown"]), (&2.into(), &1.into()));
    assert_eq!(done["unknown"][0]["id"], "b");
    scene.prove();
}

#[test]
fn refusals_that_ask_for_patience_are_sent_again_under_the_same_key() {
    let scene = Scene::new("429:1@1,429:date@3,429:none@5,429:negative@7,503@9-10,429:0@12");
    scene.manifest(&format!(
        "{ONE_BY_ONE}{}",
        support::jobs((0..8).map(|n| (format!("j{n}"), format!("picture {n}"))))
    ));
    let done = scene.run(&["-vvv"]).exits(0).json();
    assert_eq!(done["jobs"]["succeeded"], 8);
    assert_eq!(done["submissions"]["throttled"], 5);
    let stats = scene.stats();
    assert_eq!((stats.tasks_created, stats.creates_received), (8, 15));
    // One attempt a job, so one key, however often it was sent.
    assert_eq!(
        scene.rows("SELECT count(*), count(DISTINCT idempotency_key), max(number) FROM attempt_log"),
        ["8|8|1"]
    );
    scene.prove();
}

#[test]
fn what_a_refusal_left_of_the_pace_is_told_by_the_run_and_by_status() {
    let latency = Latency::Fixed(Duration::from_secs(2));
    let scene = Scene::with(Options { latency, faults: "429:40@2-9".parse().unwrap(), ..quick() });
    scene.manifest(&format!(
        "{ONE_BY_ONE}{}",
        support::jobs((0..3).map(|n| (format!("j{n}"), format!("picture {n}"))))
    ));
    let running = scene.spawn(scene.buying(&[]));
    running.hears("asks for fewer submissions; 40 s, then");
    running.signal("TERM");
    let done = scene.finish(running).exits(4);
    let told = scene.call(&["status", "out"]).stdout;
    let pace = told.lines().find(|line| line.trim_start().starts_with("slowed")).unwrap_or_default();
    assert!(pace.contains("by the API's refusals: none for "), "{told}{done}");
    assert!(pace.ends_with(" s, then 67 % of the pace and 2 tasks at once"), "{told}{done}");
}

#[test]
fn the_first_refusal_of_key_or_balance_pauses_and_what_is_paid_is_collected() {
    for (fault, phrase) in [("401", "refuses the key"), ("402", "top it up"), ("403", "refuses the key")] {
        let scene = Scene::new(&format!("{fault}@4"));
        scene.manifest(&format!(
            "{ONE_BY_ONE}{}",
            support::jobs((0..8).map(|n| (format!("j{n}"), format!("picture {n}"))))
        ));
        let done = scene.run(&["-vvv"]).exits(5).says(&[phrase]).json();
        assert_eq!((&done["jobs"]["succeeded"], &done["jobs"]["pending"]), (&3.into(), &5.into()), "{fault}");
        assert_eq!(scene.stats().creates_received, 4, "{fault}: the first one pauses");
        scene.prove();
        assert_eq!(scene.run(&[]).exits(0).json()["jobs"]["succeeded"], 8);
        assert_eq!(scene.stats().tasks_created, 8);
        scene.prove();
    }
}

#[test]
fn failed_jobs_are_paid_again_only_when_asked() {
    let scene = Scene::new("");
    scene.wishes(&[
        ("fine", ""),
        ("policy", "fail content_policy_violation"),
        ("cancelled", "cancelled"),
        ("refused", "refuse content_policy_violation"),
    ]);
    let done = scene.run(&[]).exits(3).json();
    assert_eq!((&done["jobs"]["succeeded"], &done["jobs"]["failed"]), (&1.into(), &3.into()));
    for failure in done["failures"].as_array().unwrap() {
        assert_eq!(failure["billed"], "no", "{failure}");
    }
    let sent = scene.stats().creates_received;
    scene.run(&[]).exits(3);
    assert_eq!(scene.stats().creates_received, sent, "a plain run does not pay for failures");
    scene.run(&["--only", "failed", "--select", "polic?"]).exits(3);
    assert_eq!(scene.stats().creates_received, sent + 1);
    // The refusal was of the first request only.
    let done = scene.run(&["--only", "failed", "--select", "refused"]).exits(3).json();
    assert_eq!(done["jobs"]["succeeded"], 2);
    assert_eq!(scene.stats().creates_received, sent + 2);
    scene.prove();
}

/// Half a minute by the rules: the one test that waits for it.
#[test]
fn a_service_error_is_worth_one_more_paid_try() {
    let scene = Scene::new("fail:service_error@1");
    scene.jobs(1);
    let done = scene.run(&[]).exits(0).says(&["another paid try in 30"]).json();
    assert_eq!(done["jobs"]["succeeded"], 1);
    assert_eq!(scene.stats().tasks_created, 2);
    assert_eq!(scene.rows("SELECT attempts FROM job_status"), ["2"]);
    scene.prove();
}

#[test]
fn tasks_that_report_strangely_end_well() {
    let scene = Scene::new("read-500@1,read-html@2");
    scene.wishes(&[
        ("no-links", "no-links"),
        ("backwards", "backwards"),
        ("weird", "weird-status"),
        ("object", "object-results"),
        ("at-once", "completed-at-once"),
        ("slow", "slow 3"),
    ]);
    assert_eq!(scene.run(&[]).exits(0).json()["jobs"]["succeeded"], 6);
    assert_eq!(scene.stats().tasks_created, 6);
    scene.prove();
}

#[test]
fn downloads_that_fail_once_end_well() {
    let scene = Scene::new("");
    let names = [
        "damaged-once",
        "short-once",
        "empty-once",
        "missing-once",
        "html-picture-once",
        "forbidden-once",
        "gone-once",
        "bomb-once",
        "redirect",
        "other-host",
        "jpeg",
        "wrong-size",
        "slow-bytes 1",
    ];
    let wishes: Vec<(String, &str)> = names.iter().map(|name| (name.replace(' ', "-"), *name)).collect();
    let wishes: Vec<(&str, &str)> = wishes.iter().map(|(id, wish)| (id.as_str(), *wish)).collect();
    scene.wishes(&wishes);
    let done = scene.run(&["-vvv"]).exits(0).says(&["(expected 1024x1024)"]).json();
    assert_eq!(done["images"]["saved"], names.len());
    assert!(scene.picture("jpeg.jpg").exists(), "named by its content");
    assert_eq!(scene.stats().tasks_created, names.len() as u64);
    scene.prove();
}

#[test]
fn pictures_that_can_not_be_fetched_are_left_to_the_next_run() {
    let state = tempfile::TempDir::new().unwrap();
    let options = || Options { state: Some(state.path().to_owned()), ..quick() };
    let faults =
        "damaged@1,short@2,empty@3,missing@4,html-picture@5,redirect-away@6,bomb@7,forbidden@8,short:clean@9";
    let mut scene = Scene::with(Options { faults: faults.parse().unwrap(), ..options() });
    scene.jobs(10);
    let done = scene.run(&["-vvv"]).exits(6).says(&["left for the next run"]).json();
    assert_eq!((&done["jobs"]["succeeded"], &done["jobs"]["in_flight"]), (&1.into(), &9.into()));
    assert_eq!(files(&scene.out().join("images")).len(), 1);
    scene.prove();
    // Another day, the same tasks: what was paid comes.
    scene.restart(options());
    let done = scene.run(&[]).exits(0).json();
    assert_eq!((&done["jobs"]["succeeded"], &done["submissions"]["sent"]), (&10.into(), &0.into()));
    scene.prove();
}

#[test]
fn links_to_forbidden_places_are_never_followed() {
    let scene = Scene::new("");
    scene.wishes(&[("file", "file-link"), ("private", "private-link"), ("fine", "")]);
    let done = scene.run(&["-vvv"]).exits(6);
    let phrases = ["file: the link is refused", "private: the link is refused: it is not encrypted"];
    let done = done.says(&phrases).json();
    assert_eq!((&done["jobs"]["succeeded"], &done["jobs"]["in_flight"]), (&1.into(), &2.into()));
    assert_eq!(files(&scene.out().join("images")).len(), 1);
    scene.prove();
}

#[test]
fn deleted_and_truncated_pictures_are_fetched_again_for_nothing() {
    let scene = Scene::new("");
    scene.jobs(4);
    scene.run(&[]).exits(0);
    fs::remove_file(scene.picture("j001.png")).unwrap();
    let file = fs::OpenOptions::new().write(true).open(scene.picture("j002.png")).unwrap();
    file.set_len(100).unwrap();
    // Not ours to move: a folder under a picture's name stops the run before it buys.
    fs::rename(scene.picture("j003.png"), scene.path("elsewhere.png")).unwrap();
    fs::create_dir(scene.picture("j003.png")).unwrap();
    scene.run(&[]).exits(2).says(&["out/images/j003.png is not a regular file"]);
    fs::remove_dir(scene.picture("j003.png")).unwrap();
    let done = scene.run(&[]).exits(0).json();
    assert_eq!((&done["images"]["saved"], &done["submissions"]["sent"]), (&4.into(), &0.into()));
    assert_eq!(scene.stats().tasks_created, 4);
    scene.prove();
}

#[test]
fn a_deleted_picture_whose_link_is_dead_is_reported_and_not_bought() {
    let scene = Scene::new("");
    scene.jobs(2);
    scene.run(&[]).exits(0);
    fs::remove_file(scene.picture("j001.png")).unwrap();
    scene.ledger().execute("UPDATE image SET expires_at = 1", []).unwrap();
    for _ in 0..2 {
        let done = scene.run(&[]).exits(6).json();
        assert_eq!(
            (&done["jobs"]["failed"], &done["failures"][0]["code"]),
            (&1.into(), &"picture_lost".into())
        );
        assert_eq!(done["failures"][0]["billed"], "yes");
        assert_eq!((&done["images"]["saved"], &done["images"]["missing"]), (&1.into(), &1.into()));
    }
    assert_eq!(scene.stats().creates_received, 2);
    scene.run(&["--only", "failed"]).exits(0);
    assert_eq!(scene.stats().creates_received, 3);
    scene.prove();
}

#[test]
fn a_picture_that_can_not_be_looked_at_is_not_given_up() {
    let scene = Scene::new("");
    scene.jobs(2);
    scene.run(&[]).exits(0);
    scene.ledger().execute("UPDATE image SET expires_at = 1", []).unwrap();
    let (images, aside) = (scene.out().join("images"), scene.path("aside"));
    fs::rename(&images, &aside).unwrap();
    fs::write(&images, "not a folder").unwrap();
    scene.run(&[]).exits(2).says(&["Not a directory"]);
    fs::remove_file(&images).unwrap();
    fs::rename(&aside, &images).unwrap();
    let done = scene.run(&[]).exits(0).json();
    assert_eq!((&done["jobs"]["succeeded"], &done["images"]["saved"]), (&2.into(), &2.into()));
    assert_eq!(scene.stats().creates_received, 2);
    scene.prove();
}

#[test]
fn a_strangers_file_in_the_way_is_kept() {
    let scene = Scene::new("");
    scene.jobs(2);
    fs::create_dir_all(scene.out().join("images")).unwrap();
    fs::write(scene.picture("j001.png"), b"somebody's only copy").unwrap();
    scene.run(&[]).exits(0);
    let kept = files(&scene.out().join("replaced"));
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(fs::read(&kept[0]).unwrap(), b"somebody's only copy");
    scene.prove();
}

/// As root nothing is read-only, so the binary runs as nobody there.
#[test]
fn a_folder_that_can_not_be_written_is_an_error_that_names_it() {
    use std::os::unix::process::CommandExt;
    let scene = Scene::new("");
    scene.jobs(1);
    fs::create_dir(scene.out()).unwrap();
    fs::set_permissions(scene.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(scene.out(), fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = scene.buying(&[]);
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    scene.finish(scene.spawn(command)).exits(2).says(&["can't use out/ledger.lock", "ermission denied"]);
    assert_eq!(scene.stats().creates_received, 0);
    fs::set_permissions(scene.out(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_disk_that_fills_while_answers_are_coming_loses_no_task() {
    let scene = Scene::with(Options { create_latency: Duration::from_millis(1500), ..quick() });
    let Some(disk) = Disk::mount(&scene.out(), "64m") else { return };
    scene.jobs(12);
    let running = scene.spawn(scene.buying(&[]));
    scene.until("bills", |stats| stats.tasks_created >= 4);
    disk.fill();
    let billed = scene.stats().tasks_created;
    let done = scene.finish(running).exits(1).says(&["the run ended early", "disk is full"]);
    assert_eq!(scene.stats().tasks_created, billed, "nothing is bought on a full disk: {done}");
    // Full as it is, the next start buys nothing either.
    let full = scene.run(&[]);
    assert!([1, 4, 6].contains(&full.code), "{full}");
    assert_eq!(scene.stats().tasks_created, billed);

    fs::remove_file(disk.ballast()).unwrap();
    let last = scene.run(&[]).exits(0);
    let rescued = "task ids that the ledger could not take";
    assert!(full.stderr.contains(rescued) || last.stderr.contains(rescued), "{full}\n{last}");
    let done = last.json();
    assert_eq!((&done["jobs"]["succeeded"], &done["jobs"]["unknown"]), (&12.into(), &0.into()));
    assert_eq!(scene.stats().tasks_created, 12);
    scene.prove();
}

#[test]
fn a_disk_without_room_buys_nothing_and_goes_on_once_there_is_some() {
    let scene = Scene::with(Options { latency: Latency::Fixed(Duration::from_millis(900)), ..quick() });
    let Some(disk) = Disk::mount(&scene.out(), "24m") else { return };
    scene.jobs(30);
    fs::write(disk.ballast(), vec![7; 21 << 20]).unwrap();
    let done = scene.run(&[]).exits(4).says(&["make room and run again"]);
    assert_eq!((scene.stats().creates_received, done.json()["jobs"]["pending"].clone()), (0, 30.into()));
    fs::remove_file(disk.ballast()).unwrap();
    let done = scene.run(&[]).exits(0).says(&["submissions wait until some of that is here"]);
    assert_eq!(done.json()["jobs"]["succeeded"], 30);
    assert_eq!(scene.stats().tasks_created, 30);
    scene.prove();
}
