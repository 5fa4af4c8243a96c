//! What was uploaded, given out again: to clients, and to tasks that refer to it.

use axum::body::Bytes;
use axum::extract::{Path, State as Extract};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use url::Url;

use super::super::answer::Refusal;
use super::super::hosts;
use super::super::state::{Shared, State};
use super::LIFE_MS;

/// `GET /files/...`
pub(in crate::emulator) async fn file(
    Extract(state): Extract<Shared>,
    Path((id, _name)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let media_type = state.books().uploads.get(&id).map(|upload| upload.media_type.clone());
    match (read(&state, &id), media_type) {
        (Some(bytes), Some(kind)) => Ok(([(header::CONTENT_TYPE, kind)], bytes).into_response()),
        _ => Err(Refusal::new(404, "not_found", "The file does not exist or has expired")),
    }
}

fn read(state: &State, id: &str) -> Option<Bytes> {
    let now = state.clock.now();
    let upload = state.books().uploads.get(id).filter(|upload| now < upload.uploaded + LIFE_MS).cloned()?;
    state.blobs.get(&upload.blob).ok()
}

/// One of our own links.
pub(in crate::emulator) enum Own {
    Here(Bytes),
    Gone,
}

/// Reads one of our own links, under whatever host and port they reached the
/// caller. `None` says that the link is not ours.
pub(in crate::emulator) fn own(state: &State, link: &str) -> Option<Own> {
    let link = Url::parse(link).ok()?;
    let id = link.path().strip_prefix("/files/")?.split('/').next()?;
    match read(state, id) {
        Some(bytes) => Some(Own::Here(bytes)),
        None => (id.starts_with("file-") && hosts::is_loopback(&link)).then_some(Own::Gone),
    }
}
