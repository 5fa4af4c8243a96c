//! Who may import whom. The layout under `src/` is the architecture; this test
//! keeps it so.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Each room and the rooms it may use; its own files it always may.
const ALLOWED: &[(&str, &[&str])] = &[
    ("job", &[]),
    ("manifest", &[]),
    ("pacer", &[]),
    ("callback", &[]),
    ("account", &["job"]),
    ("emulator", &[]),
    ("model", &["job"]),
    ("events", &["job"]),
    ("api", &["job"]),
    ("download", &["job"]),
    ("ledger", &["job"]),
    ("plan", &["manifest", "model", "job"]),
    ("enrol", &["plan", "manifest", "ledger", "job"]),
    ("export", &["ledger", "job"]),
    // Of `download` only how a file is verified.
    ("check", &["ledger", "job", "download"]),
    // Of `manifest` only the units: rates, limits, numbers at once.
    ("runner", &["account", "api", "callback", "pacer", "download", "ledger", "events", "job", "manifest"]),
    // Of `check` only what it found.
    ("gallery", &["ledger", "job", "check"]),
    (
        "cli",
        &[
            "manifest", "plan", "model", "job", "enrol", "account", "api", "callback", "pacer", "download",
            "ledger", "events", "runner", "emulator", "gallery", "export", "check",
        ],
    ),
];

#[test]
fn rooms_import_only_what_they_may() {
    let mut faults = Vec::new();
    for (room, allowed) in ALLOWED {
        for (file, text) in sources(&Path::new("src").join(room)) {
            for used in used_rooms(&text) {
                if used != *room && !allowed.contains(&used.as_str()) {
                    faults.push(format!("{file}: {room} uses {used}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_room_has_its_row() {
    let rooms: BTreeSet<String> = fs::read_dir("src")
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let rows: BTreeSet<String> = ALLOWED.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(rooms, rows);
}

#[test]
fn the_runner_takes_only_units_from_the_manifest() {
    for (file, text) in sources(Path::new("src/runner")) {
        for line in text.lines().filter(|line| line.contains("crate::manifest")) {
            assert!(line.contains("crate::manifest::units"), "{file}: {line}");
        }
    }
}

fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

/// The rooms behind `crate::room` and `crate::{room, ..}`.
fn used_rooms(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![rest],
        };
        for name in names {
            let word: String =
                name.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if ALLOWED.iter().any(|(room, _)| *room == word) {
                rooms.insert(word);
            }
        }
    }
    rooms
}
