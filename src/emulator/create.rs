//! `POST /v1/images/generations`: admit, bill, write down, answer (section 2).

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::answer::{Refusal, half, html, random_text, set_header};
use super::blobs::hex_hash;
use super::clock::Millis;
use super::faults::{Fault, Kind, Site, in_prompt};
use super::journal::Entry;
use super::order::Order;
use super::state::{Books, Shared, State};
use super::task::{Inputs, Material, Task};
use super::wire::Wire;
use super::{Idempotency, Latency, callback, prepare, view};

/// A repeat counts as one for this long.
const KEY_LIFE_MS: Millis = 24 * 3600 * 1000;

pub(super) async fn create(
    Extract(state): Extract<Shared>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let visit = Visit::arrive(&state);
    if !state.options.create_latency.is_zero() {
        tokio::time::sleep(state.options.create_latency).await;
    }
    let answer = answer(&visit, &wire, &headers, body).await;
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
    let order = Order::read(&body, state.options.allow_local_references);
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
/// only (`[emulate: 503 3]`: the first three), so that a retry succeeds.
fn draw(visit: &Visit<'_>, order: Option<&Order>, body_hash: &str) -> Option<Fault> {
    let state = visit.state;
    let mut books = state.books();
    let ruled = state.options.faults.draw(Site::Create, visit.number).into_iter().next();
    let fault = ruled.or_else(|| {
        let wish = in_prompt(&order?.prompt, Site::Create).into_iter().next()?;
        let struck = books.struck.entry(body_hash.to_owned()).or_default();
        *struck += 1;
        (*struck <= wish.number(1)).then_some(wish)
    })?;
    books.stats.fault(&fault.label());
    Some(fault)
}

/// Answers that come before, or instead of, a bill.
async fn before_billing(state: &State, wire: &Wire, fault: &Fault) -> Option<Result<Response, Refusal>> {
    let billed = fault.argument() == Some("billed");
    let refuse = |status, code: &str, message: &str| Some(Err(Refusal::new(status, code, message)));
    match fault.kind {
        Kind::Throttle => Some(Err(Refusal::throttled(retry_after(state, fault)))),
        Kind::Internal if !billed => refuse(500, "internal_error", "Internal server error"),
        Kind::BadGateway if !billed => Some(Ok(html(StatusCode::BAD_GATEWAY, "502 Bad Gateway"))),
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

/// A valid create on its way to becoming a task.
struct Wanted {
    order: Order,
    key: Option<String>,
    body_hash: String,
    at_once: bool,
}

/// Rate, repeats, balance, then the bill: one decision under one lock. The
/// flag says that the task is an earlier one.
fn admit(state: &State, wanted: Wanted) -> Result<(Task, bool), Refusal> {
    let now = state.clock.now();
    let mut books = state.books();
    if let Some(task) = repeat(&mut books, state.options.idempotency, &wanted, now)? {
        return Ok((task, true));
    }
    keep_rate(&mut books, state, now)?;
    let task = new_task(&books, state, wanted, now);
    books.settle(now);
    if !books.account.affords(task.reserved) {
        let message =
            format!("The balance of {} credits doesn't cover {}", books.account.remaining(), task.reserved);
        return Err(Refusal::new(402, "insufficient_quota", message));
    }
    for fault in &task.faults {
        books.stats.fault(&fault.label());
    }
    books.record(Entry::Task(Box::new(task.clone())))?;
    Ok((task, false))
}

/// The earlier task under the same key, where keys mean something.
fn repeat(
    books: &mut Books,
    policy: Idempotency,
    wanted: &Wanted,
    now: Millis,
) -> Result<Option<Task>, Refusal> {
    if policy == Idempotency::Ignored {
        return Ok(None);
    }
    let first = wanted.key.as_ref().and_then(|key| books.stats.tasks_by_key.get(key)?.last().cloned());
    let first = first.and_then(|id| books.task(&id).cloned()).filter(|task| now - task.created < KEY_LIFE_MS);
    let Some(task) = first else { return Ok(None) };
    if policy == Idempotency::Conflict || task.body_hash != wanted.body_hash {
        return Err(Refusal::new(409, "idempotency_conflict", "This Idempotency-Key was used before"));
    }
    books.stats.idempotent_replays += 1;
    Ok(Some(task))
}

/// The window slides: a create is admitted when fewer than the limit were
/// admitted within the window before it.
fn keep_rate(books: &mut Books, state: &State, now: Millis) -> Result<(), Refusal> {
    let Some(rate) = state.options.rate else { return Ok(()) };
    let window = rate.window.as_millis() as Millis;
    while books.recent.front().is_some_and(|&then| now - then >= window) {
        books.recent.pop_front();
    }
    if books.recent.len() < rate.creates {
        books.recent.push_back(now);
        return Ok(());
    }
    let free_in = books.recent.front().map_or(window, |&then| then + window - now);
    Err(Refusal::throttled(Some((free_in as u64).div_ceil(1000).max(1).to_string())))
}

fn new_task(books: &Books, state: &State, wanted: Wanted, now: Millis) -> Task {
    let Wanted { order, key, body_hash, at_once } = wanted;
    let number = books.ids.len() as u64 + 1;
    let mut faults = state.options.faults.draw(Site::Task, number);
    faults.extend(in_prompt(&order.prompt, Site::Task));
    let usual_ms = usual_ms(state.options.latency, &order, number);
    let estimated_s = usual_ms.div_ceil(1000).max(1);
    let slow = faults.iter().find(|fault| fault.kind == Kind::Slow);
    let lasts_ms = slow.map_or(usual_ms, |fault| fault.number(20 * estimated_s) * 1000);
    Task {
        id: new_id(books, now),
        number,
        created: now,
        lasts_ms: if at_once { 0 } else { lasts_ms.max(1) },
        estimated_s,
        take: books.takes.get(&hex_hash(order.prompt.as_bytes())).copied().unwrap_or(0),
        idempotency_key: key,
        body_hash,
        reserved: order.reserved().credits(),
        inputs: inputs_of(&order),
        order,
        faults,
    }
}

fn inputs_of(order: &Order) -> Inputs {
    if !order.image_urls.is_empty() {
        return Inputs::Waiting;
    }
    let (width, height) = order.size.drawn(None);
    Inputs::Ready(Material { width, height, references: Vec::new(), mask: None, reference_tokens: 0 })
}

/// Pictures take longer the larger they are; a range is spread by the task's
/// number, not by chance.
fn usual_ms(latency: Latency, order: &Order, number: u64) -> u64 {
    let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let spread = spread as f64 / f64::from(u32::MAX);
    let span = match latency {
        Latency::Fixed(span) => span,
        Latency::Between(low, high) => low + high.saturating_sub(low).mul_f64(spread),
        Latency::BySize => {
            let (width, height) = order.size.drawn(None);
            let share = f64::from(width) * f64::from(height) / 8_294_400.0;
            std::time::Duration::from_secs_f64(1.0 + 1.6 * share + 0.4 * spread)
        }
    };
    span.as_millis() as u64
}

/// `task-unified-<unix>-<8 of a-z0-9>`, never one that exists.
fn new_id(books: &Books, now: Millis) -> String {
    loop {
        let id = format!("task-unified-{}-{}", now / 1000, random_text(8));
        if !books.tasks.contains_key(&id) {
            return id;
        }
    }
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
