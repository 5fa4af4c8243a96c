//! The server's description and its page: true, and complete.

use std::collections::BTreeSet;

use imgbatch::emulator::{FAULT_MEANINGS, Options};
use serde_json::Value;

use crate::client::{options, start};

#[tokio::test(start_paused = true)]
async fn every_described_path_exists_with_its_method() {
    let (_emulator, client) = start(options()).await;
    let described = client.document("/openapi.json").await;
    assert_eq!(
        (&described["openapi"], &described["servers"][0]["url"]),
        (&"3.1.0".into(), &client.base.clone().into())
    );
    for (path, methods) in described["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let url = format!("{}{}", client.base, path.replace(['{', '}'], ""));
            let method = method.to_uppercase().parse().unwrap();
            let answer = client.http.request(method, url).send().await.unwrap();
            let body: Value = answer.json().await.unwrap();
            assert_ne!(body["error"]["message"], "No such endpoint", "{path}");
            assert_ne!(body["error"]["code"], "method_not_allowed", "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_switched_off_is_not_described() {
    let (_emulator, client) = start(Options { list: false, batch: false, ..options() }).await;
    let described = client.document("/openapi.json").await;
    assert!(described["paths"].get("/v1/tasks").is_none());
    assert!(described["paths"].get("/v1/tasks/batch").is_none());
    assert!(described["paths"].get("/v1/tasks/{id}").is_some());
}

/// Rows of the tables below a heading of the page: what stands between the first backticks, and
/// the line.
fn rows(heading: &str) -> Vec<(String, String)> {
    let page = std::fs::read_to_string("docs/emulator.md").unwrap();
    let section = page.split(&format!("\n{heading}\n")).nth(1).expect(heading);
    let section = section.split("\n#").next().unwrap();
    let lines = section.lines().filter(|line| line.starts_with("| `"));
    lines.map(|line| (line.split('`').nth(1).unwrap().to_owned(), line.to_owned())).collect()
}

#[test]
fn the_page_lists_every_fault_as_the_code_means_it() {
    let wanted: Vec<_> = FAULT_MEANINGS
        .iter()
        .map(|fault| format!("| `{}` | {} | {} |", fault.name, fault.site, fault.meaning))
        .collect();
    let listed: Vec<_> = rows("### The list").into_iter().map(|(_, line)| line).collect();
    assert_eq!(listed, wanted);
}

#[test]
fn the_page_lists_every_option_and_no_other() {
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_imgbatch")).args(["help", "emulator"]).output();
    let help = String::from_utf8(help.unwrap().stdout).unwrap();
    let (options, _faults) = help.split_once("\nFaults").unwrap();
    // `-v`, `-q` and what every command takes is in the README.
    let general = ["--verbose", "--quiet", "--color", "--progress", "--log-format", "--help", "--version"];
    let flags = options.lines().filter_map(|line| {
        let entry = line.trim_start().strip_prefix('-')?;
        let flag = &entry[entry.find('-')?..];
        Some(format!("--{}", flag.trim_start_matches('-').split([' ', '.']).next()?))
    });
    let offered: BTreeSet<String> = flags.filter(|flag| !general.contains(&flag.as_str())).collect();
    let listed: BTreeSet<String> =
        rows("## Options").into_iter().map(|(flag, _)| flag.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(listed, offered);
}
