//! Datasets and checks, told with the binary: what is in them, what a second
//! export does, what is refused, and what a broken folder looks like.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use imgbatch::emulator::Options;
use imgbatch::job::ContentHash;
use serde_json::{Value, json};
use support::{Done, Scene, files, quick};

const HEAD: &str = "[defaults]\nsize = \"1024x1024\"\nquality = \"low\"\n";

/// Names and values that formats and loaders stumble over.
const AWKWARD: &str = r#"
[[jobs]]
id = "crash-test"
prompt = "=HYPERLINK(\"x\") a fox, \"red\""
meta = { class = "fox", weight = 3, price = 1, sku = "007", id = "own", tags = ["a", "b"] }
[[jobs]]
id = "v1.2/hero"
prompt = "a hero, 狐\nin two lines"
meta = { class = "@hero", weight = 2.5, price = 2, good = true }
[[jobs]]
id = "mug"
prompt = "A {{ colour }} mug"
matrix.colour = ["white", "sage"]
n = 2
meta = { class = "mug", price = -3 }
"#;

fn bought(jobs: &str) -> Scene {
    let scene = Scene::new("");
    buy(&scene, jobs);
    scene
}

/// As [`bought`], every picture drawn: no two are the same.
fn drawn(jobs: &str) -> Scene {
    let scene = Scene::with(Options { cached_pictures: false, ..quick() });
    buy(&scene, jobs);
    scene
}

fn buy(scene: &Scene, jobs: &str) {
    scene.manifest(&format!("{HEAD}{jobs}"));
    scene.run(&[]).exits(0);
}

fn job(id: &str, prompt: &str) -> String {
    format!("[[jobs]]\nid = \"{id}\"\nprompt = \"{prompt}\"\n")
}

fn export(scene: &Scene, format: &str, to: &str, flags: &[&str]) -> Done {
    scene.call(&[&["export", "out", "--format", format, "--to", to], flags].concat())
}

fn rows(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The members of all shards in a folder, by name.
fn members(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for shard in files(folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == "tar")) {
        for entry in tar::Archive::new(fs::File::open(&shard).unwrap()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            assert!(found.insert(name.clone(), bytes).is_none(), "{name} twice");
        }
    }
    found
}

fn names(folder: &Path) -> Vec<String> {
    files(folder).iter().map(|path| path.strip_prefix(folder).unwrap().display().to_string()).collect()
}

#[test]
fn rows_are_those_of_the_ledger_and_columns_have_one_type() {
    let scene = bought(AWKWARD);
    export(&scene, "jsonl", "data/set.jsonl", &[]).exits(0);
    let rows = rows(&scene.path("data/set.jsonl"));
    let found: Vec<String> = rows
        .iter()
        .map(|row| {
            format!("{}|{}|{}", row["id"].as_str().unwrap(), row["number"], row["sha256"].as_str().unwrap())
        })
        .collect();
    let mut known = scene.rows("SELECT job_id, number, sha256 FROM image_files");
    known.sort();
    let mut sorted = found.clone();
    sorted.sort();
    assert_eq!(sorted, known);
    let columns: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    assert!(rows.iter().all(|row| row.as_object().unwrap().keys().collect::<Vec<_>>() == columns));
    assert_eq!(rows[0]["weight"], json!(3.0), "widened by the 2.5 of another row");
    assert_eq!((&rows[0]["price"], &rows[0]["sku"]), (&json!(1), &json!("007")));
    assert_eq!((&rows[0]["meta_id"], &rows[0]["tags"]), (&json!("own"), &json!("[\"a\",\"b\"]")));
    assert_eq!((&rows[1]["good"], &rows[0]["good"]), (&json!(true), &Value::Null));
    assert_eq!(rows[2]["axis_colour"], json!("white"));
    assert!(rows[0]["cost_credits"].as_f64().unwrap() > 0.0);
}

#[test]
fn columns_are_chosen_and_an_unknown_one_is_named() {
    let scene = bought(AWKWARD);
    export(&scene, "jsonl", "set.jsonl", &["--columns", "class,id"]).exits(0);
    assert_eq!(
        fs::read_to_string(scene.path("set.jsonl")).unwrap().lines().next().unwrap(),
        r#"{"class":"fox","id":"crash-test"}"#
    );
    export(&scene, "csv", "set.csv", &["--columns", "clas"]).exits(2).says(&["\"clas\"", "class"]);
    assert!(!scene.path("set.csv").exists());
}

#[test]
fn a_csv_runs_nothing_in_a_spreadsheet_unless_it_is_exact() {
    let scene = bought(AWKWARD);
    let read = |flags: &[&str]| {
        export(&scene, "csv", "set.csv", &[flags, &["--columns", "prompt,price,class,weight"]].concat())
            .exits(0);
        let mut reader = csv::Reader::from_path(scene.path("set.csv")).unwrap();
        let rows: Vec<Vec<String>> =
            reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        rows
    };
    let safe = read(&[]);
    assert_eq!(safe[0][0], "'=HYPERLINK(\"x\") a fox, \"red\"");
    assert_eq!((safe[1][2].as_str(), safe[2][1].as_str(), safe[0][3].as_str()), ("'@hero", "-3", "3.0"));
    let exact = read(&["--exact"]);
    assert_eq!((exact[0][0].as_str(), exact[1][2].as_str()), ("=HYPERLINK(\"x\") a fox, \"red\"", "@hero"));
}

#[test]
fn an_image_folder_links_the_pictures_and_grows() {
    let scene = drawn(&(job("a", "one") + &job("b", "two")));
    export(&scene, "imagefolder", "set", &[]).exits(0);
    let ino = |path: &str| fs::metadata(scene.path(path)).unwrap().ino();
    assert_eq!(ino("set/train/a.png"), ino("out/images/a.png"));
    let old = ino("set/train/b.png");

    // One is new, one is bought again in another form, one is gone.
    buy(&scene, &(job("b", "two, at night") + &job("c", "three")));
    fs::write(scene.path("set/note.txt"), "mine").unwrap();
    let done = export(&scene, "imagefolder", "set", &["--json"]).exits(0).json();
    assert_eq!((&done["rows"], &done["added"], &done["kept"]), (&json!(2), &json!(2), &json!(0)));
    assert_ne!(ino("set/train/b.png"), old);
    assert_eq!(
        names(&scene.path("set")),
        [
            ".imgbatch-export.jsonl",
            "README.md",
            "note.txt",
            "train/b.png",
            "train/c.png",
            "train/metadata.jsonl"
        ]
    );
    let rows = rows(&scene.path("set/train/metadata.jsonl"));
    assert_eq!(
        rows.iter().map(|row| row["file_name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["b.png", "c.png"]
    );
    for row in &rows {
        let bytes = fs::read(scene.path("set/train").join(row["file_name"].as_str().unwrap())).unwrap();
        assert_eq!(ContentHash::of(&bytes).to_string(), row["sha256"].as_str().unwrap());
    }
    let done = export(&scene, "imagefolder", "set", &["--json", "--copy"]).exits(0).json();
    assert_eq!(done["added"], json!(2), "links become copies");
    assert_ne!(ino("set/train/b.png"), ino("out/images/b.png"));
    let done = export(&scene, "imagefolder", "set", &["--json", "--copy"]).exits(0).json();
    assert_eq!(done["kept"], json!(2), "and stay as they are");
}

#[test]
fn a_picture_takes_the_name_of_one_that_is_gone() {
    let named = |id: &str, prompt: &str| job(id, prompt) + "out = \"cover\"\n";
    let scene = drawn(&named("old", "one"));
    export(&scene, "imagefolder", "set", &[]).exits(0);
    buy(&scene, &named("new", "another"));
    export(&scene, "imagefolder", "set", &[]).exits(0);
    let rows = rows(&scene.path("set/train/metadata.jsonl"));
    let bytes = fs::read(scene.path("set/train/cover.png")).unwrap();
    assert_eq!(rows[0]["id"], json!("new"));
    assert_eq!(ContentHash::of(&bytes).to_string(), rows[0]["sha256"].as_str().unwrap());
}

#[test]
fn an_export_that_was_cut_off_is_finished_by_the_next() {
    let scene = bought(&(job("a", "one") + &job("b", "two")));
    export(&scene, "imagefolder", "set", &[]).exits(0);
    let whole = names(&scene.path("set"));
    // As a crash leaves it: decided, the journal in place, the pictures not.
    fs::create_dir_all(scene.path("set/.imgbatch-ready/train")).unwrap();
    fs::rename(scene.path("set/train/a.png"), scene.path("set/.imgbatch-ready/train/a.png")).unwrap();
    // And one that was not decided yet.
    fs::create_dir_all(scene.path("set/.imgbatch-new/train")).unwrap();
    fs::write(scene.path("set/.imgbatch-new/train/half.png"), "half").unwrap();
    let done = export(&scene, "imagefolder", "set", &["--json"]).exits(0).json();
    assert_eq!(done["kept"], json!(2));
    assert_eq!(names(&scene.path("set")), whole);
}

#[test]
fn shards_hold_every_picture_once_and_grow() {
    let scene = bought(AWKWARD);
    export(&scene, "webdataset", "set", &["--shard-samples", "2"]).exits(0);
    assert_eq!(names(&scene.path("set")).iter().filter(|name| name.contains(".tar")).count(), 3);
    check_shards(&scene, "set");
    let before = fs::read(scene.path("set/train-000000.tar")).unwrap();
    buy(&scene, &(AWKWARD.to_owned() + &job("new", "one more")));
    let done = export(&scene, "webdataset", "set", &["--json", "--shard-samples", "2"]).exits(0).json();
    assert_eq!((&done["added"], &done["kept"]), (&json!(1), &json!(6)));
    assert_eq!(fs::read(scene.path("set/train-000000.tar")).unwrap(), before);
    check_shards(&scene, "set");
    // The shard of a picture that is gone is written anew, the others stay.
    buy(&scene, &AWKWARD.replace("crash-test", "other").replace("a fox", "a vixen"));
    let done = export(&scene, "webdataset", "set", &["--json", "--shard-samples", "2"]).exits(0).json();
    assert!(!scene.path("set/train-000000.tar").exists());
    assert_eq!(done["rows"], json!(6));
    check_shards(&scene, "set");
}

fn check_shards(scene: &Scene, folder: &str) {
    let members = members(&scene.path(folder));
    let known = scene.rows(
        "SELECT path, sha256, id, prompt FROM image_files JOIN job_status ON id = job_id
         WHERE status = 'succeeded' AND replaced = 0",
    );
    let samples: Vec<&String> = members.keys().filter(|name| name.contains(".json")).collect();
    assert_eq!(samples.len(), known.len());
    for name in samples {
        let row: Value = serde_json::from_slice(&members[name]).unwrap();
        let key = name.strip_suffix(".json").unwrap();
        assert!(!key.contains(['.', '/']));
        let picture = &members[&format!("{key}.png")];
        assert_eq!(ContentHash::of(picture).to_string(), row["sha256"].as_str().unwrap());
        assert_eq!(members[&format!("{key}.txt")], row["prompt"].as_str().unwrap().as_bytes());
    }
}

#[test]
fn splits_are_stable_and_leave_nothing_out() {
    let many: String = (0..24).map(|n| job(&format!("j{n}"), &format!("picture {n}"))).collect();
    let scene = bought(&many);
    let split = ["--split", "train=0.5,val=0.5"];
    export(&scene, "jsonl", "set", &split).exits(0);
    let of = |name: &str| rows(&scene.path(&format!("set/{name}.jsonl")));
    let (train, val) = (of("train"), of("val"));
    assert_eq!(train.len() + val.len(), 24);
    assert!(train.iter().all(|row| row["split"] == "train") && !val.is_empty() && !train.is_empty());
    buy(&scene, &(job("first", "before all") + &many));
    export(&scene, "jsonl", "set", &split).exits(0);
    let stayed = of("val").iter().filter(|row| val.contains(row)).count();
    assert_eq!(stayed, val.len());
    export(&scene, "imagefolder", "pictures", &split).exits(0);
    let card = fs::read_to_string(scene.path("pictures/README.md")).unwrap();
    assert!(card.contains("split: val\n    path: \"val/**\""), "{card}");
    export(&scene, "csv", "x", &["--split", "a=0.5"]).exits(2).says(&["add up"]);
}

#[test]
fn jobs_are_selected_by_glob_by_file_and_by_state() {
    let scene = Scene::new("");
    scene.manifest(&format!("{HEAD}{}{}{}", job("a", "x"), job("b", "y"), job("bad", "z [emulate: fail]")));
    scene.run(&[]);
    scene.write("picks.txt", "# liked\nb\nbad\nnowhere\n");
    let ids = |flags: &[&str]| {
        export(&scene, "jsonl", "set.jsonl", flags).exits(0);
        let rows = rows(&scene.path("set.jsonl"));
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&[]), ["a", "b"]);
    assert_eq!(ids(&["--all"]), ["a", "b", "bad"]);
    assert_eq!(ids(&["--select", "b*", "--all"]), ["b", "bad"]);
    assert_eq!(ids(&["--select-from", "picks.txt"]), ["b"]);
    export(&scene, "jsonl", "set.jsonl", &["--all"]).exits(0);
    let bad = &rows(&scene.path("set.jsonl"))[2];
    assert_eq!(
        (&bad["status"], &bad["path"], &bad["number"]),
        (&json!("failed"), &Value::Null, &Value::Null)
    );
}

#[test]
fn what_is_missing_or_damaged_is_named_and_never_left_out_in_silence() {
    let scene = bought(&(job("a", "one") + &job("b", "two") + &job("c", "three")));
    fs::remove_file(scene.picture("a.png")).unwrap();
    let mut bytes = fs::read(scene.picture("b.png")).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    fs::remove_file(scene.picture("b.png")).unwrap();
    fs::write(scene.picture("b.png"), bytes).unwrap();
    for format in ["jsonl", "csv", "imagefolder", "webdataset", "parquet"] {
        let done = export(&scene, format, format, &["--json"]).exits(6).says(&["images/a.png is missing"]);
        let reads = ["webdataset", "parquet"].contains(&format);
        assert_eq!(done.json()["troubles"], json!(1 + u64::from(reads)), "{format}");
    }
    let done = scene.call(&["check", "out"]).exits(6);
    assert!(done.stdout.contains("missing  images/a.png\n"), "{done}");
    assert!(done.stdout.contains("damaged  images/b.png: "), "{done}");
}

#[test]
fn nothing_is_written_over_that_is_not_an_earlier_export() {
    let scene = bought(&job("a", "one"));
    fs::create_dir(scene.path("photos")).unwrap();
    scene.write("photos/mine.jpg", "mine");
    for (format, to, phrase) in [
        ("imagefolder", "photos", "not an earlier export"),
        ("imagefolder", "m.toml", "not a folder"),
        ("jsonl", "m.toml", "--replace"),
        ("csv", "photos", "not a regular file"),
        ("webdataset", "out", "not an earlier export"),
        ("webdataset", "out/images/set", "among the run's own pictures"),
    ] {
        export(&scene, format, to, &[]).exits(2).says(&[phrase]);
    }
    assert_eq!(names(&scene.path("photos")), ["mine.jpg"]);

    export(&scene, "jsonl", "set.jsonl", &[]).exits(0);
    export(&scene, "jsonl", "set.jsonl", &[]).exits(0);
    export(&scene, "csv", "set.jsonl", &[]).exits(2).says(&["as jsonl"]);
    scene.write("set.jsonl", "edited");
    export(&scene, "jsonl", "set.jsonl", &[]).exits(2).says(&["was changed"]);
    export(&scene, "jsonl", "set.jsonl", &["--replace"]).exits(0);
    assert_eq!(rows(&scene.path("set.jsonl")).len(), 1);

    export(&scene, "imagefolder", "set", &[]).exits(0);
    export(&scene, "webdataset", "set", &[]).exits(2).says(&["as imagefolder"]);
    export(&scene, "jsonl", "x.jsonl", &["--copy"]).exits(2).says(&["--copy is for imagefolder"]);
}

#[test]
fn a_folder_without_a_ledger_is_a_usage_error() {
    let scene = Scene::new("");
    for command in [&["check", "nowhere"][..], &["export", "nowhere", "--format", "csv", "--to", "x.csv"]] {
        scene.call(command).exits(2).says(&["holds no ledger"]);
    }
    assert!(!scene.path("x.csv").exists() && !scene.path("nowhere").exists());
}

#[test]
fn metadata_is_embedded_in_copies_only() {
    let scene = bought(&job("a", "one, 狐"));
    export(&scene, "imagefolder", "set", &["--embed-metadata", "--sidecar"]).exits(0);
    let (mine, theirs) =
        (fs::read(scene.picture("a.png")).unwrap(), fs::read(scene.path("set/train/a.png")).unwrap());
    assert_ne!(mine, theirs);
    let pixels = |bytes: &[u8]| image::load_from_memory(bytes).unwrap().into_bytes();
    assert_eq!(pixels(&mine), pixels(&theirs));
    let text = String::from_utf8_lossy(&theirs).into_owned();
    assert!(text.contains("Description\0") && text.contains("one, 狐"));
    let sidecar: Value =
        serde_json::from_str(&fs::read_to_string(scene.path("set/sidecars/train/a.png.json")).unwrap())
            .unwrap();
    assert_eq!(sidecar["parameters"]["quality"], json!("low"));
    scene.call(&["check", "out"]).exits(0);
    let done = export(&scene, "imagefolder", "set", &["--embed-metadata", "--sidecar", "--json"]).exits(0);
    assert_eq!(done.json()["kept"], json!(1));
    export(&scene, "imagefolder", "set", &[]).exits(0);
    assert!(!scene.path("set/sidecars").exists(), "what is no longer wanted goes");
    assert_eq!(fs::read(scene.path("set/train/a.png")).unwrap(), mine);
}

#[test]
fn a_check_tells_what_is_strange_and_keeps_its_result() {
    // The quick emulator gives one picture to all: every later one is similar.
    let scene = bought(&(job("a", "one") + &job("b", "two")));
    scene.write("out/images/stranger.png", "?");
    let done = scene.call(&["check", "out"]).exits(0);
    assert!(done.stdout.contains("similar  images/b.png: nearly the same as images/a.png\n"), "{done}");
    assert!(done.stdout.contains("unknown  images/stranger.png\n"), "{done}");
    let json = scene.call(&["check", "out", "--json"]).exits(0);
    let kept: Value =
        serde_json::from_str(&fs::read_to_string(scene.path("out/check.json")).unwrap()).unwrap();
    assert_eq!(json.json(), kept);
    assert_eq!(kept["totals"]["pictures"], json!(2));
    assert_eq!(
        kept["findings"][0],
        json!({ "kind": "similar", "path": "images/b.png", "id": "b", "number": 1, "like": "images/a.png", "distance": 0 })
    );
    assert!(scene.path("out/images/stranger.png").exists(), "nothing is deleted");
}

#[test]
fn a_selection_of_nothing_changes_nothing() {
    let scene = Scene::new("");
    scene.jobs(2);
    scene.run(&[]).exits(0);
    let export = |flags: &[&str]| {
        let typed = ["export", "out", "--format", "imagefolder", "--to", "set"];
        scene.call(&[&typed[..], flags].concat())
    };
    export(&[]).exits(0);
    let before = support::files(&scene.path("set"));
    export(&["--select", "zzz*"]).exits(2).says(&["nothing was changed"]);
    assert_eq!(support::files(&scene.path("set")), before);
    scene.call(&["export", "out", "--format", "csv", "--to", "-"]).exits(2).says(&["name it with --to"]);
}
