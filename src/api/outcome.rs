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

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: &str = r#"{"id":"task-unified-1757156493-imcg5zqt","status":"pending"}"#;

    fn class(status: u16, body: &str) -> &'static str {
        match classify_submit(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes()) {
            Submission::Accepted(_) => "accepted",
            Submission::Refused(_) => "refused",
            Submission::BalanceRefused(_) => "balance",
            Submission::KeyRefused(_) => "key",
            Submission::Throttled(_) => "throttled",
            Submission::Unavailable(_) => "unavailable",
            Submission::Conflict(_) => "conflict",
            Submission::Undecided(_) => "undecided",
            Submission::NeverSent { .. } => "never sent",
            Submission::Unknown(_) => "unknown",
        }
    }

    fn error(code: &str) -> String {
        format!(r#"{{"error":{{"code":{code},"message":"m","type":"t"}}}}"#)
    }

    /// Section 5 of the API facts, row by row.
    #[test]
    fn every_documented_answer_has_its_class() {
        for (status, code, expected) in [
            (400, "invalid_request", "refused"),
            (400, "invalid_parameters", "refused"),
            (400, "content_policy_violation", "refused"),
            (400, "nobody_documented_this", "refused"),
            (413, "invalid_request", "refused"),
            (415, "invalid_request", "refused"),
            (422, "invalid_parameters", "refused"),
            (404, "model_not_found", "refused"),
            (401, "unauthorized", "key"),
            (401, "anything", "key"),
            (402, "insufficient_quota", "balance"),
            (402, "insufficient_user_quota", "balance"),
            (402, "key_quota_exhausted", "balance"),
            (402, "key_expired", "balance"),
            (402, "anything", "balance"),
            (403, "insufficient_user_quota", "balance"),
            (429, "insufficient_quota", "balance"),
            (403, "model_access_denied", "key"),
            (403, "permission_denied", "key"),
            (403, "content_policy_violation", "refused"),
            (429, "rate_limit_exceeded", "throttled"),
            (429, "anything", "throttled"),
            (503, "service_unavailable", "unavailable"),
            (503, "no_available_channel", "unavailable"),
            (503, "model_unavailable", "unavailable"),
            (503, "channel_selection_failed", "unavailable"),
            (503, "insufficient_quota", "unknown"),
            (503, "rate_limit_exceeded", "unknown"),
            (503, "anything", "unknown"),
            (500, "service_unavailable", "unknown"),
            (500, "internal_error", "unknown"),
            (502, "no_available_channel", "unknown"),
            (504, "model_unavailable", "unknown"),
            (529, "service_unavailable", "unknown"),
            (408, "invalid_request", "unknown"),
            (409, "invalid_request", "unknown"),
            (425, "invalid_request", "unknown"),
            (499, "invalid_request", "unknown"),
            (409, "idempotency_conflict", "conflict"),
            (422, "idempotency_conflict", "conflict"),
            (409, "paid_outcome_unknown", "undecided"),
            (503, "paid_outcome_unknown", "undecided"),
            (200, "paid_outcome_unknown", "unknown"),
            (200, "rate_limit_exceeded", "unknown"),
            (302, "invalid_request", "unknown"),
        ] {
            assert_eq!(class(status, &error(&format!("{code:?}"))), expected, "{status} {code}");
        }
    }

    #[test]
    fn what_is_not_the_apis_own_error_is_unknown_under_every_status() {
        let strange = [
            "",
            "<html>429 Too Many Requests</html>",
            "{",
            "null",
            "[]",
            "7",
            "{}",
            r#"{"message":"no"}"#,
            r#"{"error":"no"}"#,
            r#"{"error":{}}"#,
            r#"{"error":null}"#,
            r#"{"error":{"code":null}}"#,
            r#"{"error":{"code":"","message":""}}"#,
            "{\"error\":{\"code\":\"x\"}} trailing",
            "\u{feff}{}",
        ];
        for status in
            [199, 200, 201, 204, 301, 307, 400, 401, 402, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504]
        {
            for body in strange {
                assert_eq!(class(status, body), "unknown", "{status} {body}");
            }
        }
    }

    #[test]
    fn codes_may_be_numbers_or_missing() {
        assert_eq!(class(400, &error("400")), "refused");
        assert_eq!(class(429, &error("429")), "throttled");
        assert_eq!(class(401, r#"{"error":{"message":"bad key"}}"#), "key");
        assert_eq!(class(503, &error("503")), "unknown");
    }

    #[test]
    fn only_a_plain_success_with_a_usable_id_is_a_task() {
        for (status, body, expected) in [
            (200, TASK, "accepted"),
            (201, TASK, "accepted"),
            (202, r#"{"id":"t"}"#, "accepted"),
            (200, r#"{"id":"t","error":null}"#, "accepted"),
            (200, r#"{"id":"t","error":{"code":"x"}}"#, "unknown"),
            (200, r#"{"id":"t","error":"x"}"#, "unknown"),
            (200, r#"{"id":7}"#, "unknown"),
            (200, r#"{"id":""}"#, "unknown"),
            (200, r#"{"id":"a/b"}"#, "unknown"),
            (200, r#"{"id":"a b"}"#, "unknown"),
            (200, r#"{"id":"t""#, "unknown"),
            (302, TASK, "unknown"),
            (500, TASK, "unknown"),
            (400, TASK, "unknown"),
        ] {
            assert_eq!(class(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn headers_and_evidence_are_kept() {
        let headers: HeaderMap =
            [("retry-after", "7"), ("x-oneapi-request-id", "r-1"), ("Idempotency-Replayed", "True")]
                .iter()
                .map(|(name, value)| {
                    (name.parse::<reqwest::header::HeaderName>().unwrap(), value.parse().unwrap())
                })
                .collect();
        let classify = |status: u16, body: &str| {
            classify_submit(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
        };
        let Submission::Throttled(delay) = classify(429, &error("\"rate_limit_exceeded\"")) else {
            panic!("no delay")
        };
        assert_eq!(delay.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(delay.refusal.request_id.as_deref(), Some("r-1"));
        let Submission::Accepted(accepted) = classify(200, TASK) else { panic!("not accepted") };
        assert!(accepted.replayed);
        let Submission::Unknown(doubt) = classify(502, &"<html>".repeat(1000)) else { panic!("no doubt") };
        assert_eq!((doubt.http_status, doubt.retry_after), (Some(502), Some(Duration::from_secs(7))));
        assert_eq!(doubt.response.map(|text| text.len()), Some(4096));
        let body = r#"{"error":{"code":"x","request_id":"r-2"}}"#;
        let plain = classify_submit(StatusCode::BAD_REQUEST, &HeaderMap::new(), body.as_bytes());
        assert!(
            matches!(plain, Submission::Refused(refusal) if refusal.request_id.as_deref() == Some("r-2"))
        );
    }
}
