//! `GET /emulator/bills`: what each task cost, for whoever compares a ledger
//! with the truth. The real API has nothing like it.

use axum::Json;
use axum::extract::State as Extract;
use serde::Serialize;
use serde_json::{Value, json};

use super::books::{Books, Record};
use super::callback::Outcome;
use super::clock::Millis;
use super::price::round5;
use super::state::Shared;
use super::task::Phase;

/// What one task was billed, and why it may be billed again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bill {
    /// The id that the create answered, or would have.
    pub task_id: String,
    /// The `Idempotency-Key` of the create; two bills under one are a double
    /// bill.
    pub idempotency_key: Option<String>,
    /// SHA-256 of the create's body, in lowercase hex.
    pub body_sha256: String,
    /// Seconds since the epoch.
    pub created: i64,
    /// As a read shows it, oddities aside.
    pub status: &'static str,
    /// Pictures that it yielded, 0 before its end.
    pub pictures: u64,
    /// Credits reserved by the create.
    pub credits_billed: f64,
    /// Credits given back at its end; billed less refunded is what it cost.
    pub credits_refunded: f64,
    /// What came of its callback: `owed`, `delivered`, `given_up`, `lost` or
    /// `withheld`. Absent without a callback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback: Option<&'static str>,
}

pub(super) async fn bills(Extract(state): Extract<Shared>) -> Json<Value> {
    Json(json!({ "bills": state.bills() }))
}

/// Every task's bill, oldest first. The books are settled.
pub(super) fn of(books: &Books, now: Millis) -> Vec<Bill> {
    books.ids.iter().filter_map(|id| books.tasks.get(id)).map(|record| bill(record, now)).collect()
}

fn bill(record: &Record, now: Millis) -> Bill {
    let task = &record.task;
    let phase = task.phase(now);
    Bill {
        task_id: task.id.clone(),
        idempotency_key: task.idempotency_key.clone(),
        body_sha256: task.body_hash.clone(),
        created: task.created / 1000,
        status: phase.name(),
        pictures: if phase == Phase::Completed { task.pictures() } else { 0 },
        credits_billed: task.reserved,
        credits_refunded: record.used.map_or(0.0, |used| round5(task.reserved - used)),
        callback: task.order.callback_url.as_ref().map(|_| record.called.map_or("owed", Outcome::name)),
    }
}
