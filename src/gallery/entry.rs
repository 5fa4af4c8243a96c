//! What the page knows of a run: one header, and one entry a job.
//!
//! A gallery is shown to others, so it says what a picture is and not where
//! things lie on this machine: local references by their names, links without
//! their queries, no callback.

use serde::Serialize;
use serde_json::Value;

use crate::check::Finding;
use crate::job::{ContentHash, Credits, Reference, Request, State};
use crate::ledger::{Exhibit, Failure, Shown, Wish};

/// The first line of the page's data.
#[derive(Debug, Serialize)]
pub(super) struct Header {
    pub(super) version: u32,
    /// The run's name.
    pub(super) run: String,
    /// Tells this run from others where the page keeps picks.
    pub(super) key: ContentHash,
    /// In milliseconds since 1970.
    pub(super) made_at: u64,
    /// What stands before every path: nothing, or a path that ends with `/`.
    pub(super) base: String,
    /// Thumbnails are in the page; pictures may not be beside it.
    pub(super) embedded: bool,
}

/// How the page refers to a picture.
#[derive(Debug)]
pub(super) struct Image {
    /// A path below the output folder, or a data link.
    pub(super) thumb: Option<String>,
    /// The file is on disk.
    pub(super) here: bool,
    /// What the last check found.
    pub(super) found: Vec<Finding>,
}

/// One job.
#[derive(Debug, Serialize)]
pub(super) struct Entry<'e> {
    id: &'e str,
    state: &'static str,
    prompt: &'e str,
    params: Params<'e>,
    #[serde(skip_serializing_if = "Option::is_none")]
    axes: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Value>,
    /// Promised width and height.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<(u32, u32)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimate: Option<Credits>,
    credits: Credits,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Reason<'e>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'e str>,
    pictures: Vec<Picture<'e>>,
}

#[derive(Debug, Serialize)]
struct Params<'e> {
    model: &'e str,
    size: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<&'e str>,
    quality: &'e str,
    n: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    background: Option<&'e str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mask: Option<String>,
}

#[derive(Debug, Serialize)]
struct Reason<'e> {
    code: &'e str,
    message: &'e str,
    billed: &'e str,
}

#[derive(Debug, Serialize)]
struct Picture<'e> {
    number: u32,
    path: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumb: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    gone: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    found: Vec<Finding>,
    size: (u32, u32),
    bytes: u64,
    format: &'e str,
    saved_at: i64,
    sha256: ContentHash,
}

impl<'e> Entry<'e> {
    pub(super) fn of(job: &'e Exhibit, show: impl Fn(&Shown) -> Image) -> Self {
        Self {
            id: &job.id,
            state: state(job),
            prompt: &job.request.prompt,
            params: Params::of(&job.request),
            axes: job.axes.as_deref().and_then(table),
            meta: job.meta.as_deref().and_then(table),
            size: job.size,
            estimate: job.estimate,
            credits: job.cost,
            attempts: job.attempts,
            task: job.task.as_deref(),
            failure: job.failure.as_ref().filter(|_| job.state == State::Failed).map(Reason::of),
            why: job.why.as_deref(),
            pictures: job.pictures.iter().map(|shown| Picture::of(shown, show(shown))).collect(),
        }
    }
}

impl<'e> Params<'e> {
    fn of(request: &'e Request) -> Self {
        Self {
            model: &request.model,
            size: &request.size,
            resolution: request.resolution.as_deref(),
            quality: &request.quality,
            n: request.n,
            background: request.background.as_deref(),
            images: request.images.iter().map(name).collect(),
            mask: request.mask.as_ref().map(name),
        }
    }
}

impl<'e> Reason<'e> {
    fn of(failure: &'e Failure) -> Self {
        Self { code: &failure.code, message: &failure.message, billed: &failure.billed }
    }
}

impl<'e> Picture<'e> {
    fn of(shown: &'e Shown, image: Image) -> Self {
        Self {
            number: shown.number,
            path: &shown.path,
            thumb: image.thumb,
            gone: !image.here,
            found: image.found,
            size: shown.size,
            bytes: shown.bytes,
            format: &shown.format,
            saved_at: shown.saved_at,
            sha256: shown.sha256,
        }
    }
}

/// As a person counts: what is under way is one thing.
fn state(job: &Exhibit) -> &'static str {
    match (job.wish, job.state) {
        (Wish::Skip, _) => "skipped",
        (Wish::Removed, _) => "removed",
        (Wish::Run, State::Pending) => "pending",
        (Wish::Run, State::Submitting | State::Submitted | State::Ready) => "in_flight",
        (Wish::Run, State::Unknown) => "unknown",
        (Wish::Run, State::Failed) => "failed",
        (Wish::Run, State::Done) => "succeeded",
    }
}

/// A stored table, if it is one.
fn table(json: &str) -> Option<Value> {
    serde_json::from_str(json).ok().filter(Value::is_object)
}

fn name(reference: &Reference) -> String {
    match reference {
        Reference::File { path, .. } => {
            path.file_name().map_or_else(|| "file".into(), |name| name.to_string_lossy().into_owned())
        }
        Reference::Url(link) => {
            let plain = link.split(['?', '#']).next().unwrap_or_default();
            match plain.split_once("://").map(|(_, rest)| rest.split_once('@')) {
                Some(Some((_, host))) => host.to_owned(),
                _ => plain.to_owned(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_say_nothing_of_this_machine_and_carry_no_secret() {
        let file = Reference::File {
            path: "/home/somebody/photos/cup.png".into(),
            sha256: ContentHash::of(b""),
            scaled_to: None,
        };
        assert_eq!(name(&file), "cup.png");
        for (link, shown) in [
            ("https://example.com/a.png?X-Signature=secret#x", "https://example.com/a.png"),
            ("https://user:secret@example.com/a.png", "example.com/a.png"),
        ] {
            assert_eq!(name(&Reference::Url(link.into())), shown);
        }
    }
}
