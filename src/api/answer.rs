//! One answer of the API: its head, and its body read up to a bound.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::{retry_after, wire};

/// The longest body that is read.
pub(super) const BODY_LIMIT: usize = 1024 * 1024;
/// As much of a body that explains nothing is kept as evidence.
const EVIDENCE: usize = 4096;

/// The API said no, in its own error shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub http_status: u16,
    /// The API's code; an integer is kept as its digits, a missing one as "".
    pub code: String,
    /// The API's words, at most 2,000 characters, unescaped.
    pub message: String,
    /// What support asks for.
    pub request_id: Option<String>,
}

/// A complete answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    pub(super) fn refusal(&self) -> Option<Refusal> {
        refusal(self.status, &self.headers, &self.json()?)
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        wait(&self.headers)
    }
}

/// The wait that a `Retry-After` header asks for.
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    if sabotaged!("ignore-retry-after") {
        return Some(Duration::ZERO);
    }
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    retry_after::parse(value, SystemTime::now())
}

/// The API's error shape: an `error` object with a code or a message.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap, json: &Value) -> Option<Refusal> {
    let error = json.get("error").filter(|error| error.is_object())?;
    let (code, message) = (wire::code(error, "code"), wire::text(error, "message"));
    if code.is_none() && message.is_none() {
        return None;
    }
    Some(Refusal {
        http_status: status.as_u16(),
        code: code.unwrap_or_default(),
        message: message.unwrap_or_default(),
        request_id: request_id(headers, json),
    })
}

/// The id that support asks for: from the headers, else from the body.
pub(super) fn request_id(headers: &HeaderMap, json: &Value) -> Option<String> {
    let of_header = |name| {
        let value = headers.get(name)?.to_str().ok()?;
        (!value.is_empty()).then(|| value.chars().take(200).collect())
    };
    of_header("x-request-id")
        .or_else(|| of_header("x-oneapi-request-id"))
        .or_else(|| wire::code(json.get("error")?, "request_id"))
}

/// The first 4 KiB of a body as text; `None` where it is empty.
pub(super) fn evidence(body: &[u8]) -> Option<String> {
    let start = &body[..body.len().min(EVIDENCE)];
    (!start.is_empty()).then(|| String::from_utf8_lossy(start).into_owned())
}
