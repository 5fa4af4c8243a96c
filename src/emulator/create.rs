//! `POST /v1/images/generations`: the request, its faults and its answer
//! (section 2). Whether a task comes of it is decided in `admit`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::admit::{Wanted, admit};
use super::answer::{Refusal, half, html, set_header};
use super::blobs::hex_hash;
use super::faults::{Fault, Kind, Site, in_prompt};
use super::order::Order;
use super::state::{Shared, State};
use super::task::{Inputs, Task};
use super::wire::Wire;
use super::{callback, prepare, view};

pub(super) async fn create(
    Extract(state): Extract<Shared>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let visit = Visit::arrive(&state);
    let answer = answer(&visit, &wire, &headers, body).await;
    // Decided first, answered later: a client that gives up has been billed.
    if !state.options.create_latency.is_zero() {
        tokio::time::sleep(state.options.create_latency).await;
    }
    answer.unwrap_or_else(|refusal| {
        if refusal.status == 429 {
            state.books().stats.throttled += 1;
        }
        refusal.into_response()
    })
}

/// A create under way: counted while it lives.
struct Visit<'a> {
    state: &'a Shared,
    number: u64,
}

impl<'a> Visit<'a> {
    fn arrive(state: &'a Shared) -> Self {
        let number = state.books().stats.create_arrived(state.clock.since_start());
        Self { state, number }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.state.books().stats.creates_in_flight -= 1;
    }
}

async fn answer(
    visit: &Visit<'_>,
    wire: &Wire,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let state = visit.state;
    state.authorize(headers)?;
    let body = body.map_err(|_| Refusal::new(413, "request_too_large", "The body may have at most 1 MiB"))?;
    let order = Order::read(&body, &state.options);
    let body_hash = hex_hash(&body);
    let fault = draw(visit, order.as_ref().ok(), &body_hash);
    if let Some(fault) = &fault
        && let Some(answer) = before_billing(state, wire, fault).await
    {
        return answer;
    }
    let wanted = Wanted {
        order: order?,
        key: headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned),
        body_hash,
        at_once: fault.as_ref().is_some_and(|fault| fault.kind == Kind::CompletedAtOnce),
    };
    let (task, replayed) = admit(state, wanted)?;
    if !replayed {
        start(state, &task);
    }
    let origin = state.origin(headers);
    let document = view::created(&task, state.clock.now(), &origin);
    if let Some(fault) = &fault
        && let Some(answer) = after_billing(state, wire, fault, &document).await
    {
        return answer;
    }
    let mut response = Json(document).into_response();
    if replayed {
        set_header(&mut response, axum::http::HeaderName::from_static("idempotency-replayed"), "true");
    }
    Ok(response)
}

/// The fault that strikes this create, if any: the first rule's, else one that
/// the prompt asks for. A prompt's fault strikes the first create of its body
/// only (`[emulate: 503 3]`: the first three), so that a retry succeeds; a
/// second one in the prompt strikes after it.
fn draw(visit: &Visit<'_>, order: Option<&Order>, body_hash: &str) -> Option<Fault> {
    let state = visit.state;
    let mut books = state.books();
    let ruled = state.options.faults.draw(Site::Create, visit.number).into_iter().next();
    let fault = ruled.or_else(|| {
        let wishes = in_prompt(&order?.prompt, Site::Create);
        wishes.first()?;
        let struck = books.struck.entry(body_hash.to_owned()).or_default();
        *struck += 1;
        in_turn(wishes, *struck)
    })?;
    books.stats.fault(&fault.label());
    Some(fault)
}

/// The wish that strikes the `nth` create.
fn in_turn(wishes: Vec<Fault>, mut nth: u64) -> Option<Fault> {
    wishes.into_iter().find(|wish| {
        let strikes = wish.number(1);
        let struck = nth <= strikes;
        nth = nth.saturating_sub(strikes);
        struck
    })
}

/// Answers that come before, or instead of, a bill.
async fn before_billing(state: &State, wire: &Wire, fault: &Fault) -> Option<Result<Response, Refusal>> {
    let billed = fault.argument() == Some("billed");
    let refuse = |status, code: &str, message: &str| Some(Err(Refusal::new(status, code, message)));
    match fault.kind {
        Kind::Throttle => Some(Err(Refusal::throttled(retry_after(state, fault)))),
        Kind::Internal if !billed => refuse(500, "internal_error", "Internal server error"),
        Kind::BadGateway if !billed => Some(Ok(html(StatusCode::BAD_GATEWAY, "502 Bad Gateway"))),
        Kind::GatewayTimeout if !billed => {
            Some(Ok(html(StatusCode::GATEWAY_TIMEOUT, "504 Gateway Time-out")))
        }
        Kind::Unavailable => refuse(503, "service_unavailable", "No upstream is available"),
        Kind::Unauthorized => refuse(401, "unauthorized", "Invalid API key"),
        Kind::NoQuota => refuse(402, "insufficient_quota", "The balance is used up"),
        Kind::Forbidden => refuse(403, "model_access_denied", "This key may not use the model"),
        Kind::Refuse => refuse(400, fault.argument().unwrap_or("invalid_request"), "The request was refused"),
        Kind::DropBefore => Some(Ok(cut(wire))),
        Kind::HangBefore => Some(Ok(hang(state, wire).await)),
        _ => None,
    }
}

/// Answers that hide a bill.
async fn after_billing(
    state: &State,
    wire: &Wire,
    fault: &Fault,
    document: &serde_json::Value,
) -> Option<Result<Response, Refusal>> {
    let refuse = |status, code, message: &str| Some(Err(Refusal::new(status, code, message)));
    match fault.kind {
        Kind::Internal => refuse(500, "internal_error", "Internal server error"),
        Kind::BadGateway => Some(Ok(html(StatusCode::BAD_GATEWAY, "502 Bad Gateway"))),
        Kind::GatewayTimeout => Some(Ok(html(StatusCode::GATEWAY_TIMEOUT, "504 Gateway Time-out"))),
        Kind::DuplicateId => {
            let before = state.books().ids.iter().rev().nth(1).cloned();
            let mut document = document.clone();
            document["id"] = before.map_or(document["id"].clone(), Into::into);
            Some(Ok(Json(document).into_response()))
        }
        Kind::OutcomeUnknown => {
            refuse(409, "paid_outcome_unknown", "The first request is still being decided")
        }
        Kind::DropAfter => Some(Ok(cut(wire))),
        Kind::HangAfter => Some(Ok(hang(state, wire).await)),
        Kind::Truncated => Some(Ok(half(document))),
        Kind::Html => Some(Ok(html(StatusCode::OK, "Just a moment..."))),
        _ => None,
    }
}

/// What a scripted 429 says about waiting.
fn retry_after(state: &State, fault: &Fault) -> Option<String> {
    match fault.argument().or(state.options.faults.retry_after()).unwrap_or("1") {
        "none" => None,
        "negative" => Some("-5".to_owned()),
        "huge" => Some("999999999".to_owned()),
        "date" => {
            let then = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2);
            jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&then).ok()
        }
        seconds => Some(seconds.to_owned()),
    }
}

fn cut(wire: &Wire) -> Response {
    wire.cut();
    StatusCode::NO_CONTENT.into_response()
}

/// Never answers; when the emulator stops, the connection is cut.
async fn hang(state: &State, wire: &Wire) -> Response {
    state.closed().await;
    cut(wire)
}

/// The work that a new task brings with it.
fn start(state: &Shared, task: &Task) {
    if task.inputs == Inputs::Waiting {
        tokio::spawn(prepare::prepare(Shared::clone(state), task.clone()));
    }
    if task.order.callback_url.is_some() {
        tokio::spawn(callback::deliver(Shared::clone(state), task.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_strike_one_after_the_other() {
        let wishes = || in_prompt("[emulate: drop-after] [emulate: outcome-unknown 2]", Site::Create);
        let kind = |nth| in_turn(wishes(), nth).map(|fault| fault.kind);
        assert_eq!(
            [1, 2, 3, 4].map(kind),
            [Some(Kind::DropAfter), Some(Kind::OutcomeUnknown), Some(Kind::OutcomeUnknown), None]
        );
    }
}
