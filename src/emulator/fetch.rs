//! Getting the bytes behind a link: a reference, a mask, a file to upload.
//!
//! By default only hosts of this machine are asked, never through a proxy, so
//! that a demo keeps to itself. Every hop of a redirect is checked again.

use axum::http::header;
use bytes::{Bytes, BytesMut};
use reqwest::Response;
use url::Url;

use super::hosts;
use super::state::State;
use super::task::Failure;
use super::uploads::{self, Own};

/// A file may have this many bytes (section 2).
pub(super) const MOST_BYTES: usize = 50 * 1024 * 1024;

const MOST_HOPS: usize = 3;

/// There are no bytes to use behind a link.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{link} could not be fetched: {why}")]
    Missing { link: String, why: String },
    #[error("{link} has more than 50 MB")]
    TooLarge { link: String },
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        let code = match &error {
            FetchError::Missing { .. } => "resource_not_found",
            FetchError::TooLarge { .. } => "invalid_parameters",
        };
        Self::new(code, error.to_string())
    }
}

/// The bytes behind a link; our own uploads are read without a request.
pub(super) async fn fetch(state: &State, link: &str) -> Result<Bytes, FetchError> {
    match uploads::own(state, link) {
        Some(Own::Here(bytes)) => Ok(bytes),
        Some(Own::Gone) => Err(missing(link, "the upload does not exist or has expired")),
        None => collect(link, follow(state, link).await?).await,
    }
}

fn missing(link: &str, why: &str) -> FetchError {
    FetchError::Missing { link: link.to_owned(), why: why.to_owned() }
}

/// The answer at the end of the redirects.
async fn follow(state: &State, link: &str) -> Result<Response, FetchError> {
    let unreachable = |error: reqwest::Error| missing(link, &error.without_url().to_string());
    let mut target = Url::parse(link).map_err(|_| missing(link, "not a URL"))?;
    for _ in 0..=MOST_HOPS {
        permit(state, &target).map_err(|why| missing(link, why))?;
        let answer = state.client.get(target.clone()).send().await.map_err(unreachable)?;
        if !answer.status().is_redirection() {
            return answer.error_for_status().map_err(unreachable);
        }
        let next = answer.headers().get(header::LOCATION).and_then(|next| next.to_str().ok());
        let next = next.and_then(|next| target.join(next).ok());
        target = next.ok_or_else(|| missing(link, "it redirects to nowhere"))?;
    }
    Err(missing(link, "it redirects too often"))
}

fn permit(state: &State, target: &Url) -> Result<(), &'static str> {
    if !matches!(target.scheme(), "http" | "https") {
        Err("it is neither http nor https")
    } else if !hosts::is_loopback(target) && !state.options.allow_remote_hosts {
        Err("this emulator stays on its machine (`allow_remote_hosts` is off)")
    } else if hosts::is_loopback(target) && !state.options.allow_local_references {
        Err("local addresses are not allowed")
    } else {
        Ok(())
    }
}

/// The body, up to the limit.
async fn collect(link: &str, mut answer: Response) -> Result<Bytes, FetchError> {
    let mut bytes = BytesMut::new();
    loop {
        let piece = answer.chunk().await.map_err(|error| missing(link, &error.without_url().to_string()))?;
        let Some(piece) = piece else { return Ok(bytes.freeze()) };
        if bytes.len() + piece.len() > MOST_BYTES {
            return Err(FetchError::TooLarge { link: link.to_owned() });
        }
        bytes.extend_from_slice(&piece);
    }
}
