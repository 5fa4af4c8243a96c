//! `plan --probe`: are the pictures behind links there, and are they what the
//! API takes? Each link is asked for once, by the rules of downloads.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use futures::StreamExt;
use image::ImageReader;
use url::Url;

use super::connect::is_loopback;
use crate::download::{Downloader, FetchError, Format, Policy, Remote};
use crate::events::{counted, printable};
use crate::job::{Reference, Wanted};
use crate::manifest::{Diagnostic, Diagnostics, Manifest};

/// Links asked for at once.
const AT_ONCE: usize = 8;
/// Links of one plan; more of them are not a manifest but a crawl.
const LINKS: usize = 10_000;
/// Links of which is said what is behind them.
const LISTED: usize = 20;
/// The largest reference that the API takes (section 2 of the API facts).
const MAX_BYTES: u64 = 50_000_000;
/// The most pixels of a reference.
const MAX_PIXELS: u64 = 178_956_970;

/// The links of a plan, each with the first job that names it.
#[derive(Debug, Default)]
pub(super) struct Links {
    first: BTreeMap<String, String>,
    masks: BTreeMap<Pair, String>,
    left_out: u64,
}

/// A mask and the picture that it belongs to; at least one of them is a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    mask: Place,
    picture: Place,
}

/// Where a picture is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Link(String),
    File(std::path::PathBuf),
}

type Answers = BTreeMap<String, Result<Remote, FetchError>>;

impl Links {
    /// Takes the links of a job.
    pub(super) fn add(&mut self, wanted: &Wanted) {
        let request = &wanted.request;
        for reference in request.images.iter().chain(&request.mask) {
            let Reference::Url(link) = reference else { continue };
            if self.first.contains_key(link) {
                continue;
            }
            if self.first.len() < LINKS {
                self.first.insert(link.clone(), wanted.id.clone());
            } else {
                self.left_out += 1;
            }
        }
        let (Some(mask), Some(picture)) = (&request.mask, request.images.first()) else { return };
        let pair = Pair { mask: Place::of(mask), picture: Place::of(picture) };
        let both_local = matches!((&pair.mask, &pair.picture), (Place::File(_), Place::File(_)));
        if !both_local && self.masks.len() < LINKS {
            self.masks.entry(pair).or_insert_with(|| wanted.id.clone());
        }
    }

    /// Asks for all of them; says what is behind each, or what is wrong.
    pub(super) fn ask(&self, manifest: &Manifest, base_url: Option<&str>) -> anyhow::Result<String> {
        let downloader = Downloader::new(policy(manifest, base_url)).context("can't prepare the probe")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answers: Answers = runtime.block_on(
            futures::stream::iter(self.first.keys())
                .map(|link| async { (link.clone(), downloader.look(link).await) })
                .buffer_unordered(AT_ONCE)
                .collect(),
        );
        let problems = self.problems(manifest, &answers);
        if !problems.is_empty() {
            return Err(problems.into());
        }
        if self.left_out > 0 {
            tracing::warn!(links = self.left_out, "more than {LINKS} links: the rest was not asked for");
        }
        Ok(told(&answers))
    }

    fn problems(&self, manifest: &Manifest, answers: &Answers) -> Diagnostics {
        let mut problems = Diagnostics::default();
        for (link, answer) in answers {
            if let Err(error) = answer {
                let job = self.first.get(link).map_or("", String::as_str);
                problems.push(located(manifest, link, job, format!("{link}: {error}")));
            }
        }
        for (pair, job) in &self.masks {
            if let Some(rule) = broken_rule(pair, answers) {
                problems.push(located(manifest, pair.mask.text(), job, rule));
            }
        }
        problems.sort();
        problems
    }
}

/// What is behind the links, the first of them each in a line.
fn told(answers: &Answers) -> String {
    let mut text = String::new();
    let found = answers.iter().filter_map(|(link, answer)| Some((link, answer.as_ref().ok()?)));
    // Writing to a string can't fail.
    for (link, Remote { format, width, height, .. }) in found.take(LISTED) {
        let _ = writeln!(text, "{}  {} {width}x{height}", printable(link), format.name());
    }
    let links = counted(answers.len() as u64, "link");
    let _ = writeln!(text, "{links} asked for: a picture that the API takes is behind each");
    text
}

fn located(manifest: &Manifest, text: &str, job: &str, message: String) -> Diagnostic {
    manifest.at_text(text, message).with_note(format!("in the job `{job}`"))
}

/// References are judged like results: https, and no private host unless the
/// manifest allows it; `http` only beside an API on this machine.
fn policy(manifest: &Manifest, base_url: Option<&str>) -> Policy {
    let provider = &manifest.provider;
    let base_url = base_url.or(provider.base_url.as_deref()).and_then(|url| Url::parse(url).ok());
    Policy {
        loopback_http: base_url.is_some_and(|url| is_loopback(&url)),
        private_hosts: provider.allow_private_hosts,
        max_bytes: MAX_BYTES,
        max_pixels: MAX_PIXELS,
        ..Policy::default()
    }
}

/// The rule for masks that a pair breaks; what did not answer is a problem of
/// its own.
fn broken_rule(pair: &Pair, answers: &Answers) -> Option<String> {
    let mask = pair.mask.text();
    if let Place::Link(link) = &pair.mask {
        let remote = answers.get(link)?.as_ref().ok()?;
        if remote.format != Format::Png {
            return Some(format!("{mask}: a mask must be a PNG"));
        }
        if !remote.alpha {
            return Some(format!(
                "{mask}: the mask has no alpha channel; its transparent part is what is painted anew"
            ));
        }
    }
    let ((w, h), (pw, ph)) = (pair.mask.size(answers)?, pair.picture.size(answers)?);
    ((w, h) != (pw, ph))
        .then(|| format!("{mask}: the mask is {w}x{h}, but the picture is {pw}x{ph}; they must be equal"))
}

impl Place {
    fn of(reference: &Reference) -> Self {
        match reference {
            Reference::Url(link) => Self::Link(link.clone()),
            Reference::File { path, .. } => Self::File(path.clone()),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Link(link) => link,
            Self::File(path) => path.to_str().unwrap_or_default(),
        }
    }

    fn size(&self, answers: &Answers) -> Option<(u32, u32)> {
        match self {
            Self::Link(link) => answers.get(link)?.as_ref().ok().map(|remote| (remote.width, remote.height)),
            Self::File(path) => size_of(path),
        }
    }
}

/// A local picture was looked at by the plan; here only its size matters.
fn size_of(path: &Path) -> Option<(u32, u32)> {
    ImageReader::open(path).ok()?.with_guessed_format().ok()?.into_dimensions().ok()
}
