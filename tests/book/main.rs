//! The book in docs/ is true: its manifests are planned, its commands run, its
//! reference is the schema's.

#[path = "../support/mod.rs"]
mod support;

mod pages;
mod reference;
mod run;

use std::fs;

/// The pages with their text, in the order of their names.
fn pages() -> Vec<(String, String)> {
    let mut pages: Vec<(String, String)> = fs::read_dir("docs")
        .expect("docs/ is there")
        .filter_map(|entry| {
            let path = entry.expect("docs/ can be read").path();
            let name = path.file_name()?.to_str()?.to_owned();
            let is_page = path.extension().is_some_and(|extension| extension == "md") && name != "SUMMARY.md";
            is_page.then(|| (name, fs::read_to_string(&path).expect("a page is text")))
        })
        .collect();
    pages.sort();
    pages
}

/// The fenced blocks of a page, each with its language.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}
