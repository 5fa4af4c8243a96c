//! Budgets, changes and names: what is paid, and what is not paid again.

mod support;

use std::fs;

use support::{Scene, files, jobs};

fn two(first: &str, second: &str) -> String {
    jobs([("a".to_owned(), first.to_owned()), ("b".to_owned(), second.to_owned())])
}

#[test]
fn a_budget_holds_across_reruns_and_is_never_exceeded() {
    let scene = Scene::new("drop-after@3,429:0@5,fail:content_policy_violation@2");
    scene.jobs(30);
    // Without a terminal a budget is consent enough.
    let typed = ["run", "m.toml", "--out", "out", "--base-url", &scene.base_url, "--json", "--budget"];
    let with = |budget: &str| scene.call(&[&typed[..], &[budget]].concat());
    let price = scene.call(&["plan", "m.toml", "--json"]).json()["jobs"][0]["credits"].as_f64().unwrap();
    for (count, held) in [(6.5, 1), (6.5, 1), (10.2, 1)] {
        let budget = price * count;
        let done = with(&format!("{budget} credits"));
        assert_eq!(done.code, 6, "the unknown one outranks the pause: {done}");
        assert!(
            done.stderr.contains("the budget holds") || done.stdout.contains("the budget holds"),
            "{done}"
        );
        let json = done.json();
        assert_eq!(json["jobs"]["unknown"], held);
        let spent: f64 = ["used_credits", "reserved_credits", "at_risk_credits"]
            .iter()
            .map(|name| json["cost"][*name].as_f64().unwrap())
            .sum();
        assert!(spent <= budget, "{spent} of {budget}");
        let stats = scene.stats();
        assert!(stats.credits_billed - stats.credits_refunded <= budget + 1e-6, "{stats:?}");
        assert!(spent + price > budget, "{spent} of {budget}: more could be bought");
    }
    scene.prove();
    // Giving the unknown one up frees nothing: its money counts as spent.
    scene.call(&["resolve", "out", "--all", "--abandon"]).exits(0);
    let sent = scene.stats().tasks_created;
    with(&format!("{} credits", price * 10.2)).exits(5);
    assert_eq!(scene.stats().tasks_created, sent);
    let done = scene.run(&[]).exits(3).json();
    assert_eq!((&done["jobs"]["succeeded"], &done["jobs"]["failed"]), (&28.into(), &2.into()));
    scene.prove();
}

#[test]
fn a_budget_below_one_picture_buys_nothing() {
    let scene = Scene::new("");
    scene.jobs(3);
    scene.run(&["--budget", "0.001 USD"]).exits(5).says(&["raise --budget"]);
    assert_eq!(scene.stats().creates_received, 0);
    scene.manifest(&format!("[run]\nbudget = \"0.1 credits\"\n{}", two("x", "y")));
    scene.run(&[]).exits(5);
    assert_eq!(scene.stats().creates_received, 0);
    scene.run(&["--budget", "1 USD"]).exits(0);
    assert_eq!(scene.stats().creates_received, 2);
}

#[test]
fn a_changed_job_is_bought_again_alone_and_the_old_picture_is_kept() {
    let scene = Scene::new("");
    scene.manifest(&two("a fox", "a hare"));
    scene.run(&[]).exits(0);
    let old = fs::read(scene.picture("b.png")).unwrap();
    let same = fs::metadata(scene.picture("a.png")).unwrap().modified().unwrap();
    scene.manifest(&format!("{}quality = \"medium\"\n", two("a fox", "a hare")));
    let plan = scene.call(&["plan", "m.toml", "--out", "out", "--json"]).exits(0).json();
    let actions: Vec<&str> =
        plan["jobs"].as_array().unwrap().iter().map(|job| job["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["reuse", "changed"]);
    // Nobody confirmed.
    scene
        .call(&["run", "m.toml", "--out", "out", "--base-url", &scene.base_url])
        .exits(2)
        .says(&["--yes", "--budget"]);
    assert_eq!((scene.stats().tasks_created, fs::read(scene.picture("b.png")).unwrap() == old), (2, true));
    scene.run(&[]).exits(0);
    assert_eq!(scene.stats().tasks_created, 3);
    assert_eq!(fs::metadata(scene.picture("a.png")).unwrap().modified().unwrap(), same);
    let kept = files(&scene.out().join("replaced"));
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(fs::read(&kept[0]).unwrap(), old);
    scene.run(&[]).exits(0);
    assert_eq!(scene.stats().tasks_created, 3);
    scene.prove();
}

/// Changed while its first version is on the wire: both are paid, both kept.
#[test]
fn a_job_that_changes_while_it_is_in_flight_loses_no_picture() {
    let scene = Scene::new("");
    scene.manifest(&two("a fox", "a hare"));
    let typed = ["submit", "m.toml", "--out", "out", "--base-url", &scene.base_url, "--yes", "--json"];
    scene.call(&typed).exits(4);
    scene.manifest(&two("a fox", "a badger"));
    let done = scene.run(&[]).exits(0).json();
    assert_eq!(done["jobs"]["succeeded"], 2);
    assert_eq!(scene.stats().tasks_created, 3);
    assert_eq!(files(&scene.out().join("replaced")).len(), 1);
    scene.prove();
}

#[test]
fn names_and_paths_are_free() {
    let scene = Scene::new("");
    scene.manifest(&two("a fox", "a hare"));
    scene.run(&[]).exits(0);
    let (fox, hare) = (fs::read(scene.picture("a.png")).unwrap(), fs::read(scene.picture("b.png")).unwrap());
    // Renamed: the file moves along.
    scene.manifest(&two("a fox", "a hare").replace("id = \"b\"", "id = \"c\""));
    scene.run(&[]).exits(0);
    assert_eq!(fs::read(scene.picture("c.png")).unwrap(), hare);
    assert!(!scene.picture("b.png").exists());
    // Swapped output paths.
    let swapped = two("a fox", "a hare")
        .replace("id = \"a\"", "id = \"a\"\nout = \"c.{{ ext }}\"")
        .replace("id = \"b\"", "id = \"c\"\nout = \"a.{{ ext }}\"");
    scene.manifest(&swapped);
    scene.run(&[]).exits(0);
    assert_eq!(
        (fs::read(scene.picture("c.png")).unwrap(), fs::read(scene.picture("a.png")).unwrap()),
        (fox, hare)
    );
    scene.prove();
    // Moved, reformatted, removed: nothing to pay.
    let gone =
        "[defaults]\nquality = \"LOW\"\nsize = \"1024×1024\"\n\n[[jobs]]\nprompt = \"a fox\"\nid = \"a\"\n";
    scene.manifest(gone);
    let done = scene.run(&[]).exits(0).json();
    assert_eq!((&done["jobs"]["total"], &done["jobs"]["succeeded"]), (&1.into(), &1.into()));
    assert_eq!(files(&scene.out().join("images")).len(), 2, "a removed job's picture stays");
    // And it comes back for nothing.
    scene.manifest(&swapped);
    scene.run(&[]).exits(0);
    assert_eq!(scene.stats().creates_received, 2);
    scene.prove();
}

#[test]
fn two_jobs_of_one_name_or_one_path_are_refused_before_paying() {
    let scene = Scene::new("");
    scene.manifest(&jobs([("x".into(), "a".into()), ("x".into(), "b".into())]));
    scene.run(&[]).exits(2).says(&["x"]);
    for other in ["A", "a.png", "a.png.PNG"] {
        scene.manifest(&two("a", "b").replace("id = \"b\"", &format!("id = \"{other}\"")));
        scene.run(&[]).exits(2).says(&["would both write images/a.*"]);
    }
    assert_eq!(scene.stats().creates_received, 0);
    // Identical requests under two names are two pictures.
    scene.manifest(&two("the same", "the same"));
    scene.run(&[]).exits(0);
    assert_eq!(scene.stats().tasks_created, 2);
}

#[test]
fn several_pictures_of_a_job_are_numbered_and_fewer_are_told() {
    let scene = Scene::new("");
    scene.manifest("[defaults]\nsize = \"1024x1024\"\n[[jobs]]\nid = \"trio\"\nprompt = \"x\"\nn = 3\n[[jobs]]\nid = \"pair\"\nprompt = \"y [emulate: fewer]\"\nn = 2\n");
    let done = scene.run(&[]).json();
    let names: Vec<String> = files(&scene.out().join("images"))
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, ["pair-1.png", "trio-1.png", "trio-2.png", "trio-3.png"]);
    assert_eq!(
        (&done["images"]["expected"], &done["images"]["saved"], &done["images"]["missing"]),
        (&5.into(), &4.into(), &1.into())
    );
    scene.run(&[]);
    assert_eq!(scene.stats().tasks_created, 2);
    scene.prove();
}

#[test]
fn limit_select_and_only_buy_what_they_name() {
    let scene = Scene::new("");
    scene.jobs(12);
    let bought = || scene.stats().tasks_created;
    scene.run(&["--limit", "3"]).exits(0);
    assert_eq!(bought(), 3);
    scene.run(&["--limit", "0"]).exits(0);
    assert_eq!(bought(), 3);
    scene.run(&["--select", "j01*"]).exits(0);
    assert_eq!(bought(), 3 + 3);
    scene.run(&["--select", "nothing*"]).exits(0);
    scene.run(&["--only", "changed"]).exits(0);
    scene.run(&["--only", "failed"]).exits(0);
    assert_eq!(bought(), 6);
    scene.run(&["--only", "new", "--limit", "2"]).exits(0);
    assert_eq!(bought(), 8);
    scene.run(&[]).exits(0);
    assert_eq!(bought(), 12);
    scene.prove();
}

/// A mistyped address must not bind a folder; one that took money must.
#[test]
fn a_folder_belongs_to_the_first_that_took_money() {
    let scene = Scene::new("");
    scene.jobs(1);
    let run = |url: &str, flags: &[&str]| {
        scene.call(&[&["run", "m.toml", "--out", "out", "--base-url", url, "--json"], flags].concat())
    };
    // Nobody said yes; nobody is there.
    run("http://127.0.0.1:1", &[]).exits(2);
    let begun = std::time::Instant::now();
    run("http://127.0.0.1:1", &["--yes", "--time-limit", "1s"]).exits(4).says(&["the time limit is reached"]);
    assert!(begun.elapsed().as_secs() < 4, "{:?}", begun.elapsed());
    run(&scene.base_url, &["--yes"]).exits(0);
    let phrases = ["belongs to base URL", "--out"];
    run("http://127.0.0.1:1", &["--yes"]).exits(2).says(&phrases);
    let text = fs::read_to_string(scene.path("m.toml")).unwrap();
    scene.write("m.toml", &text.replace("\"scene\"", "\"another\""));
    run(&scene.base_url, &["--yes"]).exits(2).says(&["belongs to name \"scene\""]);
    assert_eq!(scene.stats().creates_received, 1);
    scene.prove();
}

/// The provider's limit is the user's too: no window holds more, restarts included.
#[test]
fn the_rate_holds_across_restarts() {
    let scene = Scene::new("");
    scene.jobs(12);
    for _ in 0..3 {
        let typed = ["submit", "m.toml", "--out", "out", "--base-url", &scene.base_url, "--yes"];
        scene.call(&[&typed[..], &["--rate", "4/2s", "--limit", "4"]].concat()).exits(4);
    }
    let arrivals: Vec<u64> = scene.stats().create_arrivals_ms.into_iter().collect();
    assert_eq!(arrivals.len(), 12);
    for window in arrivals.windows(5) {
        assert!(window[4] - window[0] >= 1950, "5 submissions in {} ms", window[4] - window[0]);
    }
    scene.prove();
}
