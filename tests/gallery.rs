//! `imgbatch gallery`: the page and its folder from outside, and the page in a
//! real browser where one is installed (`tests/gallery.sh` installs it).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::Scene;

const MANIFEST: &str = r#"
[defaults]
size = "1024x1024"
quality = "low"
[[jobs]]
id = "fox"
prompt = "A {{ coat }} fox, {{ hour }}"
matrix.coat = ["red", "white"]
matrix.hour = ["dawn", "dusk"]
meta = { class = "animal", shelf = "?a=1&b#c" }
[[jobs]]
id = "icon"
n = 3
size = "1024x768"
prompt = "An icon of a boat"
[[jobs]]
id = "refused"
prompt = "Something else [emulate: refuse:content_policy_violation]"
"#;

/// A finished run with failures, several pictures a job, and two axes.
fn scene() -> Scene {
    let scene = Scene::new("");
    scene.manifest(MANIFEST);
    scene.run(&[]).exits(3);
    scene
}

/// The data of a page: its header, and its jobs.
fn data(page: &Path) -> (Value, Vec<Value>) {
    let html = fs::read_to_string(page).unwrap();
    let (_, rest) = html.split_once(r#"<script type="application/json" id="data">"#).unwrap();
    let (json, _) = rest.split_once("</script>").unwrap();
    assert!(!json.contains('<'), "a text could end the element");
    let mut list: Vec<Value> = serde_json::from_str(json).unwrap();
    (list.remove(0), list)
}

fn thumbs(scene: &Scene) -> Vec<(std::path::PathBuf, std::time::SystemTime)> {
    let files = support::files(&scene.out().join("thumbs"));
    files.into_iter().map(|path| (path.clone(), fs::metadata(path).unwrap().modified().unwrap())).collect()
}

#[test]
fn without_a_ledger_there_is_no_page() {
    let scene = Scene::new("");
    scene.call(&["gallery", "nowhere"]).exits(2).says(&["nowhere", "holds no ledger"]);
    assert!(!scene.path("nowhere").exists());
}

#[test]
fn the_page_lies_beside_its_pictures_and_the_ledger_stays_as_it_is() {
    let scene = scene();
    let ledger = fs::read(scene.out().join("ledger.db")).unwrap();
    let done = scene.call(&["gallery", "out"]).exits(0).says(&["7 pictures of 6 jobs"]);
    assert_eq!(done.stdout, "out/gallery.html\n");
    let page = scene.out().join("gallery.html");
    assert_eq!(fs::metadata(&page).unwrap().permissions().mode() & 0o777, 0o600);
    let made = thumbs(&scene);
    assert_eq!(made.len(), 2, "one picture a size, so one thumbnail a size");
    scene.call(&["gallery", "out", "-q"]).exits(0);
    assert_eq!(thumbs(&scene), made, "thumbnails are made once");
    assert_eq!(fs::read(scene.out().join("ledger.db")).unwrap(), ledger);
    let left: Vec<_> = support::files(&scene.out())
        .into_iter()
        .filter(|path| path.to_string_lossy().contains(".imgbatch-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    scene.prove();
}

#[test]
fn the_page_knows_every_job_and_the_pictures_that_stand_for_it() {
    let scene = scene();
    // The dusk fox was made anew: its earlier picture is no longer its picture.
    scene.manifest(&MANIFEST.replace("fox, {{ hour }}", "fox, {{ hour }}, snow"));
    scene.run(&["--select", "fox/coat=red,hour=dusk"]).exits(3);
    assert_eq!(scene.rows("SELECT count(*) FROM image_files WHERE replaced"), ["1"]);
    scene.ledger().execute("UPDATE image SET width = 1000 WHERE path = 'images/icon-2.png'", []).unwrap();
    fs::remove_file(scene.out().join("images/icon-3.png")).unwrap();
    scene.call(&["gallery", "out"]).exits(0);
    let (header, jobs) = data(&scene.out().join("gallery.html"));
    assert_eq!(
        (&header["run"], &header["base"], &header["embedded"]),
        (&json!("scene"), &json!(""), &json!(false))
    );
    let find = |id: &str| jobs.iter().find(|job| job["id"] == id).unwrap_or_else(|| panic!("no {id}"));
    let fox = find("fox/coat=red,hour=dusk");
    assert_eq!(fox["prompt"], "A red fox, dusk, snow");
    assert_eq!(
        (&fox["axes"]["hour"], &fox["meta"]["class"], &fox["attempts"]),
        (&json!("dusk"), &json!("animal"), &json!(2))
    );
    let paths = |job: &Value| {
        job["pictures"].as_array().unwrap().iter().map(|p| p["path"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(paths(fox), ["images/fox/coat=red,hour=dusk.png"]);
    let icon = find("icon");
    assert_eq!(paths(icon), ["images/icon-1.png", "images/icon-2.png", "images/icon-3.png"]);
    assert_eq!((&icon["size"], &icon["pictures"][1]["size"]), (&json!([1024, 768]), &json!([1000, 768])));
    assert_eq!((&icon["pictures"][0]["gone"], &icon["pictures"][2]["gone"]), (&Value::Null, &json!(true)));
    let refused = find("refused");
    assert_eq!(
        (&refused["state"], &refused["failure"]["code"]),
        (&json!("failed"), &json!("content_policy_violation"))
    );
}

#[test]
fn links_lead_from_wherever_the_page_is() {
    let scene = scene();
    fs::create_dir(scene.path("desk")).unwrap();
    scene.call(&["gallery", "out", "--to", "desk/look.html"]).exits(0);
    let (header, _) = data(&scene.path("desk/look.html"));
    assert_eq!(header["base"], "../out/");
    scene
        .call(&["gallery", "out", "--to", "nowhere/look.html"])
        .exits(2)
        .says(&["nowhere/look.html", "--to"]);
    scene.call(&["gallery", "out", "--to", "desk"]).exits(2).says(&["is a folder"]);
}

#[test]
fn an_embedded_page_holds_its_thumbnails() {
    let scene = scene();
    scene.call(&["gallery", "out", "--embed", "--to", "one.html"]).exits(0);
    let (header, jobs) = data(&scene.path("one.html"));
    assert_eq!(header["embedded"], true);
    let pictures: Vec<&Value> = jobs.iter().flat_map(|job| job["pictures"].as_array().unwrap()).collect();
    assert_eq!(pictures.len(), 7);
    for picture in pictures {
        assert!(picture["thumb"].as_str().unwrap().starts_with("data:image/jpeg;base64,"));
    }
}

#[test]
fn a_picture_that_cannot_be_read_is_named_and_the_page_is_made() {
    let scene = scene();
    fs::write(scene.out().join("images/icon-1.png"), "no picture").unwrap();
    fs::remove_dir_all(scene.out().join("thumbs")).unwrap_or_default();
    scene
        .ledger()
        .execute("UPDATE image SET sha256 = zeroblob(32) WHERE path = 'images/icon-1.png'", [])
        .unwrap();
    scene.call(&["gallery", "out"]).exits(0).says(&["images/icon-1.png can't be shown"]);
}

#[test]
fn the_page_says_what_the_last_check_found() {
    let scene = scene();
    fs::copy(scene.out().join("images/icon-2.png"), scene.out().join("images/fox/coat=red,hour=dawn.png"))
        .unwrap();
    scene.call(&["check", "out"]).exits(6);
    scene.call(&["gallery", "out"]).exits(0);
    let (_, jobs) = data(&scene.out().join("gallery.html"));
    let found = |id: &str| {
        let job = jobs.iter().find(|job| job["id"] == id).unwrap();
        job["pictures"][0]["found"][0].clone()
    };
    assert_eq!(found("fox/coat=red,hour=dawn")["kind"], "damaged");
    // The emulator of the tests draws one picture a size.
    assert_eq!(found("fox/coat=white,hour=dusk")["kind"], "similar");
    assert_eq!(found("icon"), Value::Null);

    // What was bought since is another picture.
    scene.ledger().execute("UPDATE image SET saved_at = saved_at + 3600000", []).unwrap();
    scene.call(&["gallery", "out"]).exits(0);
    assert!(!fs::read_to_string(scene.out().join("gallery.html")).unwrap().contains("\"kind\":"));

    fs::write(scene.out().join("check.json"), "{").unwrap();
    scene.call(&["gallery", "out"]).exits(0).says(&["check.json"]);
}

#[test]
fn a_run_that_is_going_can_be_looked_at() {
    let scene = Scene::new("stuck@2");
    scene.jobs(2);
    let mut running = scene.spawn(scene.buying(&[]));
    scene.until("both tasks", |stats| stats.tasks_created == 2);
    scene.call(&["gallery", "out"]).exits(0);
    let (_, jobs) = data(&scene.out().join("gallery.html"));
    assert_eq!(jobs.len(), 2);
    assert!(jobs.iter().any(|job| job["state"] == "in_flight"), "{jobs:?}");
    assert!(!running.is_over());
    running.signal("TERM");
    scene.finish(running);
}

/// Texts that become scripts where a page is careless.
const TRAPS: &[&str] = &[
    "<script>pwned()</script>",
    "</script><script>pwned()</script>",
    "<img src=x onerror=pwned()>",
    "\"><svg onload=pwned()>",
    "' onmouseover='pwned()' autofocus onfocus='pwned()",
    "<!--<script>pwned()</script>-->",
    "<iframe srcdoc='<script>parent.pwned()</script>'>",
    "<a href=javascript:pwned()>x</a>",
    "javascript:pwned()",
    "<style>@import 'http://127.0.0.1:9/x.css';</style>",
    "<link rel=stylesheet href=http://127.0.0.1:9/x.css>",
    "<img src=http://127.0.0.1:9/x.png>",
    "<base href=http://127.0.0.1:9/>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "{{constructor.constructor('pwned()')()}}",
    "${pwned()}",
    "\u{2028}pwned()\u{2029}",
    "<math><mtext></p><script>pwned()</script>",
    "__proto__",
    "constructor",
];

/// A run in which every text that a stranger can write is a trap.
fn trapped() -> Scene {
    let scene = Scene::new("");
    scene.jobs(TRAPS.len());
    scene.run(&[]).exits(0);
    // What a manifest refuses, a ledger from elsewhere may hold.
    let db = scene.ledger();
    db.execute("UPDATE meta SET value = ?1 WHERE key = 'name'", [TRAPS[1]]).unwrap();
    for (at, trap) in TRAPS.iter().enumerate() {
        let table = json!({ *trap: trap }).to_string();
        let state = if at % 2 == 0 { 5 } else { 6 };
        db.execute(
            "UPDATE job SET id = 'job-' || ?1, request = json_set(request, '$.prompt', ?1), axes = ?2, meta = ?2,
                state = ?3, code = ?1, message = ?1, billed = ?1 WHERE seq = ?4",
            rusqlite::params![trap, table, state, at as i64 + 1],
        )
        .unwrap();
        db.execute(
            "UPDATE attempt SET task = ?1 || id WHERE id = (SELECT attempt FROM job WHERE seq = ?2)",
            rusqlite::params![trap, at as i64 + 1],
        )
        .unwrap();
    }
    db.execute("DELETE FROM image WHERE attempt IN (SELECT attempt FROM job WHERE state = 5)", []).unwrap();
    // Paths that would be links to elsewhere.
    for (job, path) in
        [(2, "images/../../x.png"), (4, "images/javascript:pwned()"), (6, "images//127.0.0.1:9/x.png")]
    {
        let sql = "UPDATE image SET path = ?1 WHERE attempt = (SELECT attempt FROM job WHERE seq = ?2)";
        assert_eq!(db.execute(sql, rusqlite::params![path, job]).unwrap(), 1);
    }
    drop(db);
    scene.call(&["gallery", "out"]).exits(0);
    scene
}

/// A folder of ten thousand jobs: one finished job, copied in the ledger.
fn crowded() -> Scene {
    let scene = Scene::new("");
    scene.jobs(1);
    scene.run(&[]).exits(0);
    scene
        .ledger()
        .execute_batch(
            "BEGIN;
             WITH RECURSIVE n(x) AS (SELECT 2 UNION ALL SELECT x + 1 FROM n WHERE x < 10000)
             INSERT INTO job SELECT x, 'job-' || x, fingerprint, request, 'copy-' || x,
                 json_object('tens', '' || x / 10 % 10, 'ones', '' || x % 10), meta, n, width, height, estimate, want, origin, state, tries, due_at, x, code, message, billed
             FROM job, n WHERE seq = 1;
             INSERT INTO attempt (id, job, number, key, fingerprint, n, body_sha256, outcome, intent_at, cost)
             SELECT seq, seq, 1, 'key-' || seq, fingerprint, 1, x'', 'completed', 1, 0 FROM job WHERE seq > 1;
             INSERT INTO image (attempt, number, path, sha256, bytes, width, height, format, saved_at)
             SELECT job.seq, image.number, path.path, image.sha256, image.bytes, image.width, image.height, image.format, image.saved_at
             FROM job, image, (SELECT path FROM image) path WHERE job.seq > 1 AND image.attempt = 1;
             COMMIT;",
        )
        .unwrap();
    scene.call(&["gallery", "out"]).exits(0);
    scene
}

/// Said past the harness, which keeps what tests print to itself.
fn say(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

#[test]
fn the_page_holds_in_a_real_browser() {
    let installed = Path::new("tests/gallery/node_modules/playwright-core").exists()
        && Path::new("/usr/bin/chromium").exists();
    if !installed {
        assert!(std::env::var_os("IMGBATCH_BROWSER").is_none(), "a browser is required and not installed");
        say("SKIPPED: no browser is installed; tests/gallery.sh installs one");
        return;
    }
    let (scene, trapped, crowded) = (scene(), trapped(), crowded());
    scene.call(&["check", "out"]).exits(0);
    scene.ledger().execute("UPDATE image SET width = 1000 WHERE path = 'images/icon-2.png'", []).unwrap();
    scene.call(&["gallery", "out"]).exits(0);
    scene.call(&["gallery", "out", "--embed", "--to", "one.html"]).exits(0);
    let output = Command::new("node")
        .arg("tests/gallery/browser.mjs")
        .args([scene.out(), trapped.out(), crowded.out(), scene.path("one.html")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    say(&said);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // What the page saves, the program reads.
    let picks = fs::read_to_string(scene.out().join("picks.txt")).unwrap();
    let chosen: imgbatch::job::Chosen = picks.parse().unwrap();
    assert_eq!(chosen.ids().collect::<Vec<_>>(), ["fox/coat=red,hour=dawn", "icon"], "{picks}");
    assert!(chosen.has_picture("icon", 2) && !chosen.has_picture("icon", 1));
}
