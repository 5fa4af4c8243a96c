//! Rules of single values: ranges, names, links, and which keys exclude each
//! other. Everything that needs no template and no other file.

use url::Url;

use super::diagnostics::{Diagnostic, Diagnostics};
use super::document::Document;
use super::file::{File, Provider, Run};
use super::job::Job;
use super::node::Step;

/// Checks a whole file. In one that is not `complete` a missing name says
/// nothing: it may be among what could not be decoded.
pub(super) fn file(file: &File, complete: bool, document: &Document, problems: &mut Diagnostics) {
    let mut checks = Checks { document, problems };
    checks.header(file, complete);
    checks.provider(&file.provider);
    checks.run(&file.run);
    if let Err((key, message)) = file.callback.address() {
        checks.refuse(&["callback".into(), key.into()], message, None);
    }
    for job in &file.jobs {
        if checks.problems.is_full() {
            return;
        }
        checks.job(job);
    }
}

struct Checks<'a> {
    document: &'a Document,
    problems: &'a mut Diagnostics,
}

impl Checks<'_> {
    fn refuse(&mut self, path: &[Step], message: impl Into<String>, help: Option<&str>) {
        self.problems.push(self.document.at(path, message).with_help(help));
    }

    fn header(&mut self, file: &File, complete: bool) {
        if let Some(version) = file.version.filter(|&version| version != 1) {
            let message = format!("version {version} of the manifest format is not known here");
            self.refuse(&["version".into()], message, Some("write `version = 1`, or use a newer imgbatch"));
        }
        match &file.name {
            Some(name) if !is_plain_name(name) => {
                let message = format!("the name {name:?} is not a plain file name");
                self.refuse(
                    &["name".into()],
                    message,
                    Some("letters, digits, spaces, `-`, `_` and `.` are fine; no `/`"),
                );
            }
            None if file.run.out.is_none() && complete => {
                let missing = Diagnostic::new("the manifest has neither `name` nor `run.out`");
                self.problems.push(missing.with_help(Some("add a line such as name = \"winter-catalog\"")));
            }
            _ => {}
        }
        if file.run.out.as_deref().is_some_and(|out| out.trim().is_empty()) {
            self.refuse(&["run".into(), "out".into()], "`run.out` is empty", None);
        }
    }

    fn provider(&mut self, provider: &Provider) {
        for (key, link) in [("base_url", &provider.base_url), ("files_url", &provider.files_url)] {
            let Some(rule) = link.as_deref().and_then(link_rule) else { continue };
            let help = Some("write it like https://api.example.com");
            self.refuse(&["provider".into(), key.into()], format!("`{key}` {rule}"), help);
        }
        let name = &provider.api_key_env;
        if name.is_empty()
            || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            || name.as_bytes()[0].is_ascii_digit()
        {
            let help =
                Some("it takes the name of the variable, such as IMGBATCH_API_KEY, and never the key itself");
            self.refuse(
                &["provider".into()],
                "`api_key_env` is not the name of an environment variable",
                help,
            );
        }
    }

    fn run(&mut self, run: &Run) {
        let ranges = [
            ("in_flight", run.in_flight, 1, 100_000),
            ("downloads", run.downloads, 1, 256),
            ("attempts", run.attempts, 1, 10),
        ];
        for (key, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                let message = format!("`{key}` is {value}; {low} to {high} are allowed");
                self.refuse(&["run".into(), key.into()], message, None);
            }
        }
    }

    fn job(&mut self, job: &Job) {
        let at = |key: &str| [Step::from("jobs"), job.place.into(), key.into()];
        let sources = [
            ("prompt", job.prompt.is_some()),
            ("prompt_file", job.prompt_file.is_some()),
            ("prompts", job.prompts.is_some()),
        ];
        let given: Vec<&str> = sources.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect();
        if let [first, second, ..] = given[..] {
            let message = format!("a job has one source of words, not both `{first}` and `{second}`");
            self.refuse(
                &at(second),
                message,
                Some("keep one of them; use `vars` or `rows` for parts that vary"),
            );
        }
        if job.repeat == Some(0) {
            self.refuse(
                &at("repeat"),
                "`repeat` is 0; 1 is the least",
                Some("use `skip = true` to leave a job out"),
            );
        }
        if job.sample == Some(0) {
            self.refuse(
                &at("sample"),
                "`sample` is 0; 1 is the least",
                Some("use `skip = true` to leave a job out"),
            );
        }
        if job.seed.is_some() && job.sample.is_none() {
            self.refuse(&at("seed"), "`seed` has no effect without `sample`", None);
        }
    }
}

/// One component of a path, without anything that shells or file systems
/// would take for something else.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let odd = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    !name.trim().is_empty()
        && name.trim() == name
        && !name.starts_with(['.', '-', '~'])
        && !name.contains(odd)
        && name.len() <= 100
}

/// The rule for an API's address that `link` breaks.
fn link_rule(link: &str) -> Option<&'static str> {
    match Url::parse(link) {
        Err(_) => Some("is not a link"),
        Ok(url) if !matches!(url.scheme(), "https" | "http") => Some("must begin with https://"),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Some("must not carry a user or a password")
        }
        Ok(url) if !url.has_host() => Some("names no host"),
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            Some("must not carry a query or a fragment")
        }
        Ok(_) => None,
    }
}
