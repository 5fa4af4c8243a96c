//! What else of the pages a machine can tell: links, flags, queries.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::{Connection, OpenFlags};

use super::{blocks, pages};

#[test]
fn the_flags_of_the_schedules_exist() {
    let page = fs::read_to_string("docs/schedules.md").unwrap();
    let help = Command::new(env!("CARGO_BIN_EXE_imgbatch")).args(["run", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut flags = BTreeSet::new();
    for line in page.lines().filter(|line| line.contains("imgbatch run") || line.contains("args: [run")) {
        flags.extend(line.split([' ', '[', ',']).filter(|word| word.starts_with("--")));
    }
    assert!(flags.len() > 5, "{flags:?}");
    for flag in flags {
        assert!(help.contains(flag), "{flag}");
    }
}

#[test]
fn the_book_has_every_page_and_no_link_is_dead() {
    let pages = pages();
    let summary = fs::read_to_string("docs/SUMMARY.md").unwrap();
    for (name, _) in &pages {
        assert!(summary.contains(&format!("({name})")), "{name} is not in docs/SUMMARY.md");
    }
    for (name, page) in pages.iter().chain([&("SUMMARY.md".to_owned(), summary.clone())]) {
        for link in page.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let leads = link.is_empty() || link.contains("://") || Path::new("docs").join(link).exists();
            assert!(leads, "{name} links to {link}");
        }
    }
}

#[test]
fn ledgers_answer_the_queries_of_their_page() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = "[[jobs]]\nid = 'mug'\nprompt = 'a {{ colour }} mug'\nmatrix.colour = ['red', 'sage']\nmeta = { class = 'mug' }\n\
                [[jobs]]\nid = 'bad'\nprompt = 'no [emulate: fail content_policy_violation]'\n";
    let head = "version = 1\nname = 'queries'\n[defaults]\nsize = '1024x1024'\nquality = 'low'\n";
    fs::write(folder.path().join("m.toml"), format!("{head}{jobs}")).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_imgbatch"))
        .args(["run", "m.toml", "--emulate", "--emulate-latency", "20ms", "--out", "out"])
        .current_dir(folder.path())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(3));
    let db =
        Connection::open_with_flags(folder.path().join("out/ledger.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)
            .unwrap();
    let page = fs::read_to_string("docs/ledger.md").unwrap();
    let blocks = blocks(&page);
    let sql = blocks.iter().filter(|(language, _)| *language == "sql");
    let queries: Vec<&str> = sql
        .flat_map(|(_, block)| block.split_inclusive(";\n"))
        .filter(|query| !query.trim().is_empty())
        .collect();
    assert_eq!(queries.len(), 10);
    let rows = queries.iter().map(|query| {
        let mut statement = db.prepare(query).unwrap_or_else(|error| panic!("{error}: {query}"));
        let mut rows = statement.query([]).unwrap();
        let mut count = 0;
        while rows.next().unwrap_or_else(|error| panic!("{error}: {query}")).is_some() {
            count += 1;
        }
        count
    });
    // Classes, one failure, nothing odd or open; one quality, one sum, no second attempts, one hour, two colours.
    assert_eq!(rows.collect::<Vec<i32>>(), [2, 1, 0, 0, 0, 1, 1, 0, 1, 2]);
}
