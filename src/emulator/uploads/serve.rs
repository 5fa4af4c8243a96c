//! What was uploaded, given out again: to clients, and to tasks that refer to it.

use axum::body::Bytes;
use axum::extract::{Path, State as Extract};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use url::Url;

use super::super::answer::Refusal;
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

/// The bytes of an upload that is alive.
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

/// Reads one of our own links, under whatever host and port it reached the
/// caller. `None` says that no upload ever had it.
pub(in crate::emulator) fn own(state: &State, link: &str) -> Option<Own> {
    let link = Url::parse(link).ok()?;
    let id = link.path().strip_prefix("/files/")?.split('/').next()?;
    let known = state.books().uploads.contains_key(id);
    known.then(|| read(state, id).map_or(Own::Gone, Own::Here))
}
