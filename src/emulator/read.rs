//! Reading tasks: one, up to fifty, and the list (section 3).

use std::collections::HashMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::answer::{Refusal, html};
use super::books::Books;
use super::clock::Millis;
use super::faults::{Fault, Kind, Site, in_prompt};
use super::state::{Shared, State};
use super::task::Task;
use super::view::{self, Links};

const MOST_IDS: usize = 50;
const MOST_LINES: usize = 50;

pub(super) async fn one(
    Extract(state): Extract<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    state.authorize(&headers)?;
    if !id.starts_with("task-") {
        return Err(Refusal::new(400, "invalid_task_id", format!("{id:?} is not a task id")));
    }
    let mut books = state.books();
    books.stats.reads += 1;
    if let Some(fault) = draw(&mut books, &state, Some(&id)) {
        let foreign = || show(&mut books, &state, &headers, &id).map(foreign);
        return misread(&fault, foreign);
    }
    let document = show(&mut books, &state, &headers, &id);
    document.map(|document| Json(document).into_response()).ok_or_else(missing)
}

pub(super) async fn batch(
    Extract(state): Extract<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    state.authorize(&headers)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let ids = body["task_ids"].as_array();
    let ids: Option<Vec<&str>> = ids.and_then(|ids| ids.iter().map(Value::as_str).collect());
    let ids = ids.ok_or_else(|| Refusal::parameter("task_ids", "task_ids must be an array of strings"))?;
    if ids.is_empty() || ids.len() > MOST_IDS {
        return Err(Refusal::parameter("task_ids", "task_ids must have 1 to 50 entries"));
    }
    let mut books = state.books();
    books.stats.batch_reads += 1;
    if let Some(fault) = draw(&mut books, &state, None) {
        return misread(&fault, || None);
    }
    let known = ids.iter().filter_map(|id| show(&mut books, &state, &headers, id));
    let known: Vec<_> = known.collect();
    Ok(Json(json!({ "data": known })).into_response())
}

pub(super) async fn list(
    Extract(state): Extract<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    state.authorize(&headers)?;
    let page = number(&query, "page", 1)?;
    let page_size = number(&query, "page_size", MOST_LINES)?.min(MOST_LINES);
    let now = state.clock.now();
    let mut books = state.books();
    books.stats.list_reads += 1;
    let tasks = books.ids.iter().rev().filter_map(|id| books.task(id));
    let delay_ms = state.options.list_delay.as_millis() as Millis;
    let visible = tasks.filter(|task| now >= task.created + delay_ms && !hidden(task, now));
    let wanted: Vec<_> = visible.filter(|task| fits(task, &query, now)).collect();
    let lines = wanted.iter().skip((page - 1).saturating_mul(page_size)).take(page_size);
    let lines: Vec<_> = lines.map(|task| view::line(task, now)).collect();
    Ok(Json(json!({ "data": lines, "total": wanted.len(), "page": page, "page_size": page_size })))
}

/// A positive number from the query.
fn number(query: &HashMap<String, String>, name: &'static str, default: usize) -> Result<usize, Refusal> {
    let Some(text) = query.get(name) else { return Ok(default) };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // One too large to hold is a page beyond the last all the same.
    let number = digits.then(|| text.parse().unwrap_or(usize::MAX)).filter(|&number| number > 0);
    number.ok_or_else(|| Refusal::parameter(name, format!("{name} must be a positive number")))
}

/// A fault keeps the task out of the list: for ever, or for some seconds.
fn hidden(task: &Task, now: Millis) -> bool {
    let Some(fault) = task.fault(Kind::Unlisted) else { return false };
    fault.argument().is_none() || now < task.created + fault.number(0).cast_signed() * 1000
}

fn fits(task: &Task, query: &HashMap<String, String>, now: Millis) -> bool {
    let asked = |name| query.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let status = task.phase(now).name();
    let status_fits = asked("status").is_none_or(|wanted| {
        // The provider counts what waits as being processed.
        wanted == status || (wanted == "processing" && status == "pending")
    });
    let model_fits = asked("model").is_none_or(|model| model == task.order.model);
    status_fits && model_fits && asked("type").is_none_or(|kind| kind == "image")
}

fn show(books: &mut Books, state: &State, headers: &HeaderMap, id: &str) -> Option<Value> {
    let record = books.tasks.get_mut(id)?;
    let origin = state.origin(headers);
    let links = Links { origin: &origin, life_ms: state.options.link_life.as_millis() as Millis };
    Some(view::read(record, state.clock.now(), &links))
}

/// The fault that strikes this read: a rule's, else one that the prompt of the
/// task asks for, in its first reads (`[emulate: read-500 3]`).
fn draw(books: &mut Books, state: &State, id: Option<&str>) -> Option<Fault> {
    books.reads += 1;
    let ruled = state.options.faults.draw(Site::Read, books.reads).into_iter().next();
    let fault = ruled.or_else(|| {
        let record = books.tasks.get_mut(id?)?;
        let wish = in_prompt(&record.task.order.prompt, Site::Read).into_iter().next()?;
        let struck = record.reads < wish.number(1);
        record.reads += u64::from(struck);
        struck.then_some(wish)
    })?;
    books.stats.fault(&fault.label());
    Some(fault)
}

/// The answer to a read that a fault spoils; `foreign` makes the one with
/// another id.
fn misread(fault: &Fault, foreign: impl FnOnce() -> Option<Value>) -> Result<Response, Refusal> {
    match fault.kind {
        Kind::ReadInternal => Err(Refusal::new(500, "internal_error", "Internal server error")),
        Kind::ReadThrottle => Err(Refusal::throttled(Some(fault.number(1).to_string()))),
        Kind::ReadHtml => Ok(html(StatusCode::OK, "Just a moment...")),
        Kind::ForeignId => foreign().map(|task| Json(task).into_response()).ok_or_else(missing),
        _ => Err(missing()),
    }
}

/// The same task under an id that nobody was given.
fn foreign(mut task: Value) -> Value {
    task["id"] = "task-unified-1000000000-foreign0".into();
    task
}

fn missing() -> Refusal {
    Refusal::new(404, "task_not_found", "The task does not exist")
}
