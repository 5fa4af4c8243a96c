//! Selection files: which jobs a person chose, as a gallery writes them and
//! anybody can with an editor.
//!
//! UTF-8 text, one job id a line, as `imgbatch status` and the ledger show it.
//! Empty lines and lines that begin with `#` say nothing. Where only some
//! pictures of a job are meant, a tab and their numbers follow, with commas
//! between them: `hero<TAB>1,3`. A line that begins with `"` holds the id as a
//! JSON string, for ids that begin with `#` or `"` or with a space.
//!
//! ```text
//! # winter-catalog: picked, 3 jobs
//! mug/colour=sage,style=studio,surface=oak
//! fox/1b4f0e98#2
//! icon<TAB>1,4
//! ```
//!
//! A JSON list of ids is as good: `["hero", "fox/1b4f0e98#2"]`.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// The jobs that a selection file names, and of some only some pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen(BTreeMap<String, Pictures>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pictures {
    All,
    Some(BTreeSet<u32>),
}

/// A line that is not a part of a selection file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the selection is wrong: {why}")]
pub struct SelectionError {
    /// Counting from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl Chosen {
    /// Whether the job with this id is chosen, with one picture or all.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// Whether this picture of the job is chosen; numbers count from 1.
    #[must_use]
    pub fn has_picture(&self, id: &str, number: u32) -> bool {
        self.0.get(id).is_some_and(|pictures| match pictures {
            Pictures::All => true,
            Pictures::Some(numbers) => numbers.contains(&number),
        })
    }

    /// The ids, in the order of their text.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// How many jobs are chosen.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Nothing is chosen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same job on two lines is chosen with the pictures of both.
    fn add(&mut self, id: String, pictures: Pictures) {
        let known = self.0.entry(id).or_insert_with(|| Pictures::Some(BTreeSet::new()));
        match (known, pictures) {
            (Pictures::Some(numbers), Pictures::Some(more)) => numbers.extend(more),
            (known, Pictures::All) => *known = Pictures::All,
            (Pictures::All, Pictures::Some(_)) => {}
        }
    }
}

impl FromStr for Chosen {
    type Err = SelectionError;

    fn from_str(text: &str) -> Result<Self, SelectionError> {
        let mut chosen = Self::default();
        let text = text.trim_start_matches('\u{feff}');
        if text.trim_start().starts_with('[') && text.trim_end().ends_with(']') {
            let ids: Vec<String> = serde_json::from_str(text).map_err(|error| SelectionError {
                line: error.line(),
                why: format!("not a JSON list of job ids: {error}"),
            })?;
            return Ok(Self(ids.into_iter().map(|id| (id, Pictures::All)).collect()));
        }
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (id, pictures) = entry(line).map_err(|why| SelectionError { line: at + 1, why })?;
            chosen.add(id, pictures);
        }
        Ok(chosen)
    }
}

fn entry(line: &str) -> Result<(String, Pictures), String> {
    let (id, numbers) = match line.split_once('\t') {
        Some((id, numbers)) => (id, Some(numbers)),
        None => (line, None),
    };
    let id = if id.starts_with('"') {
        serde_json::from_str(id.trim_end()).map_err(|_| format!("{id} is not a JSON string"))?
    } else {
        id.trim_end().to_owned()
    };
    match numbers.map(str::trim).filter(|numbers| !numbers.is_empty()) {
        None => Ok((id, Pictures::All)),
        Some(numbers) => Ok((id, Pictures::Some(numbers.split(',').map(picture).collect::<Result<_, _>>()?))),
    }
}

fn picture(text: &str) -> Result<u32, String> {
    match text.trim().parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{text:?} is not the number of a picture; they count from 1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(text: &str) -> Chosen {
        text.parse().unwrap()
    }

    #[test]
    fn a_line_is_an_id_and_what_is_special_about_it() {
        let chosen = chosen(
            "\u{feff}# a title\r\nhero\r\n\nfox/1b4f#2  \nmug/colour=dark oak\n\"# odd \\u003cb>\"\nicon\t1, 3\n狐\n",
        );
        let ids: Vec<&str> = chosen.ids().collect();
        assert_eq!(ids, ["# odd <b>", "fox/1b4f#2", "hero", "icon", "mug/colour=dark oak", "狐"]);
        assert!(chosen.has_picture("hero", 7) && !chosen.has("title"));
        assert_eq!([1, 2, 3].map(|number| chosen.has_picture("icon", number)), [true, false, true]);
    }

    #[test]
    fn a_job_on_two_lines_has_the_pictures_of_both() {
        assert!(chosen("a\t1\na\t2\n").has_picture("a", 2));
        assert!(chosen("a\t1\na\n").has_picture("a", 9));
        assert!(chosen("a\na\t1\n").has_picture("a", 9));
    }

    #[test]
    fn a_json_list_names_the_same_jobs() {
        assert_eq!(chosen(" [\"hero\",\n \"fox#2\"]\n"), chosen("hero\nfox#2\n"));
        assert_eq!("[\n1]".parse::<Chosen>().unwrap_err().line, 2);
    }

    #[test]
    fn nothing_is_chosen_by_comments() {
        assert!(chosen("# nothing\n\n").is_empty());
        assert!(chosen("").is_empty());
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, line, part) in
            [("a\n\"b\n", 2, "JSON string"), ("a\t0\n", 1, "count from 1"), ("#\n\na\t1,x\n", 3, "\"x\"")]
        {
            let error = text.parse::<Chosen>().unwrap_err();
            assert_eq!(error.line, line, "{text:?}");
            assert!(error.why.contains(part), "{error}");
        }
    }
}
