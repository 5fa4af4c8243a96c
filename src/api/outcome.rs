//! What the answer to a submission means for money. Pure: section 5 of the
//! API facts as one function.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::answer::{Refusal, evidence, refusal, request_id, wait};
use super::task::Task;

/// The outcome of one submission.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Submission {
    /// The task exists and is billed.
    Accepted(Box<Accepted>),
    /// Not billed; the same request will be refused again. The job fails.
    Refused(Refusal),
    /// Not billed; the key or its account has no credits left. Pause.
    BalanceRefused(Refusal),
    /// Not billed; the key is not accepted, here or for this model. Pause.
    KeyRefused(Refusal),
    /// Not billed; slow down and send again.
    Throttled(Delay),
    /// Not billed: one of the four documented 503s. Back off, send again with
    /// the same key.
    Unavailable(Delay),
    /// The idempotency key was used with another body. Nothing new was
    /// bought; what the key bought before is not known from this.
    Conflict(Refusal),
    /// The provider has not decided about an earlier arrival of the same
    /// idempotency key. Wait a minute, same key.
    Undecided(Delay),
    /// Refused or unresolvable before a byte of the request left. Not billed.
    NeverSent {
        /// Without URL or key.
        why: String,
    },
    /// It may have arrived and may have been billed. Never sent again
    /// silently.
    Unknown(Doubt),
}

/// A task that was created, or found again by its idempotency key.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// Its id and state; it may be complete already.
    pub task: Task,
    /// The provider says that this is the task of an earlier submission with
    /// the same idempotency key.
    pub replayed: bool,
    /// What support asks for.
    pub request_id: Option<String>,
}

/// A refusal that asks for patience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay {
    /// The answer.
    pub refusal: Refusal,
    /// The wait that the provider asks for, capped at one hour.
    pub retry_after: Option<Duration>,
}

/// Everything known about a submission whose outcome is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubt {
    /// What happened, without URL or key.
    pub why: String,
    /// HTTP status, where an answer began.
    pub http_status: Option<u16>,
    /// The first 4 KiB of the answer, unescaped.
    pub response: Option<String>,
    /// What support asks for.
    pub request_id: Option<String>,
    /// The wait that the answer asks for: a hint for the pace, not a leave
    /// to send again.
    pub retry_after: Option<Duration>,
}

impl Doubt {
    /// A doubt about an answer of which at least the head arrived.
    pub(super) fn about(
        why: impl Into<String>,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Self {
        let json = serde_json::from_slice(body).unwrap_or(Value::Null);
        Self {
            why: why.into(),
            http_status: Some(status.as_u16()),
            response: evidence(body),
            request_id: request_id(headers, &json),
            retry_after: wait(headers),
        }
    }
}

/// A balance that is used up, under whichever 4xx status it comes.
const BALANCE: [&str; 3] = ["insufficient_quota", "insufficient_user_quota", "key_quota_exhausted"];
/// A fault of the request itself, also where it comes as 403.
const REQUEST: [&str; 3] = ["content_policy_violation", "invalid_parameters", "invalid_request"];
/// The 503s that are documented as not billed.
const UNAVAILABLE: [&str; 4] =
    ["service_unavailable", "no_available_channel", "model_unavailable", "channel_selection_failed"];

/// Classifies a complete answer to a submission.
///
/// | answer | becomes |
/// |---|---|
/// | 2xx, JSON object with a plausible `id` and no `error` | `Accepted` |
/// | any other 2xx, every 1xx and 3xx | `Unknown` |
/// | anything else that is not JSON in the API's error shape, 429 and 401 included | `Unknown` |
/// | code `idempotency_conflict`, `paid_outcome_unknown` | `Conflict`, `Undecided` |
/// | 503 with one of four codes | `Unavailable` |
/// | every other 5xx; 408, 409, 425, 499 | `Unknown` |
/// | 4xx with a code for an empty balance; 402 | `BalanceRefused` |
/// | 429 | `Throttled` |
/// | 401; 403 unless the code blames the request | `KeyRefused` |
/// | every other 4xx | `Refused` |
///
/// A 429 or 401 page in HTML is most likely not billed. But a gateway may
/// have tried one upstream, been billed there, and report the refusal of the
/// next; section 5 calls "anything not JSON" unknown, and a false unknown
/// costs a look while a false "not billed" costs money. A 408, 409 or 499
/// speaks of a request that may go on elsewhere.
pub fn classify_submit(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Submission {
    let unknown = |why: &str| Submission::Unknown(Doubt::about(why, status, headers, body));
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        return unknown("the answer is not JSON");
    };
    if status.is_success() {
        return accepted(headers, &json).unwrap_or_else(unknown);
    }
    if !status.is_client_error() && !status.is_server_error() {
        return unknown("the answer is neither a success nor an error");
    }
    match refusal(status, headers, &json) {
        Some(refusal) => refused(refusal, wait(headers))
            .unwrap_or_else(|| unknown("the answer does not say whether a task was created")),
        None => unknown("the answer is an error, but not in the API's shape"),
    }
}

fn accepted(headers: &HeaderMap, json: &Value) -> Result<Submission, &'static str> {
    if json.get("error").is_some_and(|error| !error.is_null()) {
        return Err("the answer is a success that carries an error");
    }
    let task = Task::from_json(json).ok_or("the answer is a success without a usable task id")?;
    let replayed = headers
        .get("idempotency-replayed")
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
    Ok(Submission::Accepted(Box::new(Accepted { task, replayed, request_id: request_id(headers, json) })))
}

/// `None` where even the API's own error leaves the outcome open.
fn refused(refusal: Refusal, retry_after: Option<Duration>) -> Option<Submission> {
    let (status, code) = (refusal.http_status, refusal.code.as_str());
    let class = match (status, code) {
        (_, "idempotency_conflict") => Submission::Conflict,
        (_, "paid_outcome_unknown") => return Some(Submission::Undecided(Delay { refusal, retry_after })),
        (503, code) if UNAVAILABLE.contains(&code) => {
            return Some(Submission::Unavailable(Delay { refusal, retry_after }));
        }
        (500.. | 408 | 409 | 425 | 499, _) => return None,
        (402, _) => Submission::BalanceRefused,
        (_, code) if BALANCE.contains(&code) => Submission::BalanceRefused,
        (429, _) => return Some(Submission::Throttled(Delay { refusal, retry_after })),
        (403, code) if REQUEST.contains(&code) => Submission::Refused,
        (401 | 403, _) => Submission::KeyRefused,
        (_, _) => Submission::Refused,
    };
    Some(class(refusal))
}
