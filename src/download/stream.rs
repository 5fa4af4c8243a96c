//! The transfer itself: redirects followed by hand, then bytes into a file.

use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use url::Url;

use super::error::FetchError;
use super::fetch::blocking;
use super::hosts::{Refused, Rules};
use super::link::check;
use super::verify::Damage;
use crate::job::ContentHash;

/// Redirects that are followed.
const HOPS: usize = 3;
/// No server may ask for a longer wait.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// Bytes gathered before a write.
const BUFFER: usize = 256 * 1024;

/// Requests the link and up to [`HOPS`] redirects; every address on the way
/// is checked before it is connected.
pub(super) async fn open(client: &Client, link: &str, rules: Rules) -> Result<Response, FetchError> {
    let mut url = check(link, rules)?;
    for _ in 0..=HOPS {
        let response = client.get(url.clone()).send().await.map_err(lost)?;
        if !response.status().is_redirection() {
            return judge(response);
        }
        url = check(target(&response, &url)?.as_str(), rules)?;
    }
    Err(FetchError::transient(format!("it redirects more than {HOPS} times")))
}

fn target(response: &Response, from: &Url) -> Result<Url, FetchError> {
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| FetchError::transient("it redirects to nowhere"))?;
    from.join(location).map_err(|_| FetchError::Forbidden { why: "it redirects to what is no URL".into() })
}

fn judge(response: Response) -> Result<Response, FetchError> {
    let status = response.status();
    let passing =
        matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
    if status == StatusCode::OK {
        Ok(response)
    } else if status.is_client_error() && !passing {
        // Storage hosts answer expired signatures with 400, 401 or 403.
        Err(FetchError::Gone { status: status.as_u16() })
    } else {
        let why = format!("HTTP {}", status.as_u16());
        Err(FetchError::Transient { why, retry_after: retry_after(&response) })
    }
}

/// Seconds only: what a file host sends. Dates are the API's habit.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let seconds = value.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// A body on its way into a temporary file.
struct Sink {
    temp: NamedTempFile,
    hasher: Sha256,
}

/// A whole body.
pub(super) enum Arrived {
    /// A small one.
    InMemory(Vec<u8>),
    /// In its temporary file, which vanishes with this value.
    InFile { temp: NamedTempFile, sha256: ContentHash, bytes: u64 },
}

/// Writes a body that is not small into the file that `make` makes. Hashing
/// and writing happen beside the reactor, a buffer at a time.
pub(super) async fn receive(
    mut response: Response,
    limit: u64,
    make: impl FnOnce() -> io::Result<NamedTempFile> + Send + 'static,
) -> Result<Arrived, FetchError> {
    let declared = response.content_length();
    if declared.is_some_and(|length| length > limit) {
        return Err(Damage::TooLong { limit }.into());
    }
    let room = declared.map_or(BUFFER, |length| BUFFER.min(length as usize));
    let (mut buffer, mut bytes) = (Vec::with_capacity(room), 0);
    let (mut make, mut sink) = (Some(make), None);
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        bytes += chunk.len() as u64;
        if bytes > limit {
            return Err(Damage::TooLong { limit }.into());
        }
        if buffer.len() + chunk.len() > BUFFER {
            (sink, buffer) = pour(make.take(), sink, buffer).await?;
        }
        buffer.extend_from_slice(&chunk);
    }
    if let Some(length) = declared.filter(|length| *length != bytes) {
        return Err(FetchError::transient(format!("{bytes} of {length} bytes arrived")));
    }
    if sink.is_none() {
        return if buffer.is_empty() { Err(Damage::Empty.into()) } else { Ok(Arrived::InMemory(buffer)) };
    }
    match pour(make.take(), sink, buffer).await?.0 {
        Some(Sink { temp, hasher }) => {
            Ok(Arrived::InFile { temp, sha256: ContentHash::finish(hasher), bytes })
        }
        None => Err(Damage::Empty.into()),
    }
}

/// Empties the buffer into the sink; the first time that is made.
async fn pour(
    make: Option<impl FnOnce() -> io::Result<NamedTempFile> + Send + 'static>,
    sink: Option<Sink>,
    mut buffer: Vec<u8>,
) -> Result<(Option<Sink>, Vec<u8>), FetchError> {
    blocking(move || {
        let mut sink = match (sink, make) {
            (Some(sink), _) => sink,
            (None, Some(make)) => Sink { temp: make().map_err(FetchError::Disk)?, hasher: Sha256::new() },
            (None, None) => return Ok((None, buffer)),
        };
        sink.hasher.update(&buffer);
        sink.temp.write_all(&buffer).map_err(FetchError::Disk)?;
        buffer.clear();
        Ok((Some(sink), buffer))
    })
    .await
}

/// A refused address is the link's fault, everything else may pass.
pub(super) fn lost(error: reqwest::Error) -> FetchError {
    let error = error.without_url();
    let mut why = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(Refused(rule)) = inner.downcast_ref() {
            return FetchError::Forbidden { why: (*rule).to_owned() };
        }
        let words = inner.to_string();
        if !why.ends_with(&words) {
            why = format!("{why}: {words}");
        }
        cause = inner.source();
    }
    FetchError::transient(why)
}
