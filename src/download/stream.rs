//! The transfer itself: redirects followed by hand, then bytes into a file.

use std::error::Error;
use std::fs::File;
use std::time::Duration;

use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncWriteExt, BufWriter};
use url::Url;

use super::error::FetchError;
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

/// Writes the body into `file`; gives its hash and length.
pub(super) async fn receive(
    mut response: Response,
    file: File,
    limit: u64,
) -> Result<(ContentHash, u64), FetchError> {
    let declared = response.content_length();
    if declared.is_some_and(|length| length > limit) {
        return Err(Damage::TooLong { limit }.into());
    }
    let mut writer = BufWriter::with_capacity(BUFFER, tokio::fs::File::from_std(file));
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        bytes += chunk.len() as u64;
        if bytes > limit {
            return Err(Damage::TooLong { limit }.into());
        }
        hasher.update(&chunk);
        writer.write_all(&chunk).await.map_err(FetchError::Disk)?;
    }
    writer.flush().await.map_err(FetchError::Disk)?;
    match declared {
        Some(length) if length != bytes => {
            Err(FetchError::transient(format!("{bytes} of {length} bytes arrived")))
        }
        _ => Ok((ContentHash::finish(hasher), bytes)),
    }
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
