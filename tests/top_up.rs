//! A task may bring fewer pictures than were asked for. What came is kept, and
//! the others are bought when that is asked for.

mod support;

use std::fs;

use support::{Done, Scene, files};

const QUARTET: &str = "[[jobs]]\nid = \"fox\"\nprompt = \"a fox\"\nsize = \"1024x1024\"\nn = 4\n";

/// The quartet of which so many came.
fn short(faults: &str) -> Scene {
    let scene = Scene::new(faults);
    scene.manifest(QUARTET);
    scene
}

fn names(scene: &Scene, folder: &str) -> Vec<String> {
    let name =
        |path: &std::path::PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    files(&scene.out().join(folder)).iter().map(name).collect()
}

fn all() -> [&'static str; 4] {
    ["fox-1.png", "fox-2.png", "fox-3.png", "fox-4.png"]
}

fn action(done: &Done) -> (String, f64) {
    let json = done.json();
    let job = &json["jobs"][0];
    (job["action"].as_str().unwrap_or_default().to_owned(), job["credits"].as_f64().unwrap_or_default())
}

fn plan(scene: &Scene, flags: &[&str]) -> Done {
    scene.call(&[&["plan", "m.toml", "--out", "out", "--json"][..], flags].concat()).exits(0)
}

#[test]
fn the_missing_pictures_are_bought_once_and_stand_beside_the_others() {
    let scene = short("fewer:1@1");
    let price = action(&plan(&scene, &[])).1;
    let status = scene.run(&[]).exits(0);
    assert_eq!(status.json()["images"]["missing"], 3);
    let shown = scene.call(&["status", "out"]);
    assert!(shown.stdout.contains("1 job has fewer pictures than asked for; --only short buys"), "{shown}");
    let (reuse, reason) = (plan(&scene, &[]), "3 fewer than asked for");
    assert_eq!(action(&reuse), ("reuse".into(), 0.0));
    assert!(reuse.stdout.contains(reason), "{reuse}");
    let (word, credits) = action(&plan(&scene, &["--only", "short"]));
    assert!(word == "short" && (credits / price - 0.75).abs() < 0.01, "{word} {credits} of {price}");
    scene.run(&[]).exits(0);
    assert_eq!((scene.stats().tasks_created, names(&scene, "images").len()), (1, 1));

    let done = scene.run(&["--only", "short"]).exits(0).json();
    assert_eq!((&done["images"]["saved"], &done["images"]["missing"]), (&4.into(), &0.into()));
    assert_eq!(names(&scene, "images"), all());
    let used = done["cost"]["used_credits"].as_f64().unwrap();
    assert!((used / price - 1.0).abs() < 0.02, "{used} of {price}: no picture is paid twice");
    assert_eq!(scene.rows("SELECT count(DISTINCT task_id) FROM image_files"), ["2"]);
    for flags in [&[][..], &["--only", "short"]] {
        scene.run(flags).exits(0);
    }
    assert_eq!(scene.stats().tasks_created, 2);
    scene.prove();
}

#[test]
fn pictures_of_both_tasks_are_fetched_again_where_they_are_gone() {
    let scene = short("fewer:2@1");
    scene.run(&[]).exits(0);
    scene.run(&["--only", "short"]).exits(0);
    let before = all().map(|name| fs::read(scene.picture(name)).unwrap());
    fs::remove_dir_all(scene.out().join("images")).unwrap();
    let again = scene.run(&[]).exits(0).json();
    assert_eq!(again["images"]["saved"], 4);
    assert_eq!(all().map(|name| fs::read(scene.picture(name)).unwrap()), before);
    assert_eq!(scene.stats().tasks_created, 2);
    scene.prove();
}

#[test]
fn a_top_up_that_fails_leaves_what_was_there() {
    let scene = short("fewer@1,fail:content_policy_violation@2,429:0@4");
    scene.run(&[]).exits(0);
    let used = scene.status()["cost"]["used_credits"].clone();
    let told = scene.run(&["--only", "short"]);
    assert!(told.stderr.contains("content_policy_violation"), "{told}");
    let status = scene.status();
    assert_eq!((&status["jobs"]["succeeded"], &status["images"]["saved"]), (&1.into(), &3.into()));
    assert_eq!(status["cost"]["used_credits"], used, "a failed task is refunded");
    assert_eq!(action(&plan(&scene, &[])).0, "reuse");
    // Asked for once more, throttled once, and here.
    let done = scene.run(&["--only", "short"]).exits(0).json();
    assert_eq!(done["images"]["saved"], 4);
    assert_eq!(names(&scene, "images"), all());
    scene.prove();
}

#[test]
fn a_top_up_of_unknown_outcome_holds_its_share_and_a_person_decides() {
    for (decision, saved, bought) in [("--abandon", 3, 2), ("--resubmit", 4, 3)] {
        let scene = short("fewer@1,drop-after@2");
        scene.run(&[]).exits(0);
        let held = scene.run(&["--only", "short"]).exits(6).json();
        assert_eq!((&held["jobs"]["unknown"], &held["images"]["saved"]), (&1.into(), &3.into()));
        let (estimated, risk) = (&held["cost"]["estimated_credits"], &held["cost"]["at_risk_credits"]);
        let share = risk.as_f64().unwrap() / estimated.as_f64().unwrap();
        assert!((share - 0.25).abs() < 0.01, "one of four is at risk: {share}");
        scene.call(&["resolve", "out", "--all", decision]).exits(0);
        let done = scene.run(&[]).exits(0).json();
        assert_eq!((&done["jobs"]["succeeded"], &done["images"]["saved"]), (&1.into(), &saved.into()));
        assert_eq!(scene.stats().tasks_created, bought, "{decision}");
    }
}

#[test]
fn a_topped_up_job_that_changes_keeps_all_of_its_pictures() {
    let scene = short("fewer@1");
    scene.run(&[]).exits(0);
    scene.run(&["--only", "short"]).exits(0);
    scene.manifest(&QUARTET.replace("a fox", "an owl"));
    scene.run(&[]).exits(0);
    assert_eq!((names(&scene, "images").len(), names(&scene, "replaced").len()), (4, 4));
    // And back before anything else is bought.
    scene.manifest(QUARTET);
    assert_eq!(action(&plan(&scene, &[])).0, "changed");
    scene.prove();
}

#[test]
fn a_top_up_that_was_killed_is_not_bought_again() {
    let scene = short("fewer@1,hang-after@2");
    scene.run(&[]).exits(0);
    let running = scene.spawn(scene.buying(&["--only", "short"]));
    scene.until("the second task is bought", |stats| stats.tasks_created == 2);
    running.signal("KILL");
    running.end();
    scene.run(&[]).exits(6);
    assert_eq!(scene.stats().tasks_created, 2);
    assert_eq!(names(&scene, "images").len(), 3);
}
