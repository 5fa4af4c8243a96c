//! `GET /v1/credits`: the balance (section 8).

use axum::Json;
use axum::extract::State as Extract;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::answer::Refusal;
use super::state::Shared;

pub(super) async fn credits(
    Extract(state): Extract<Shared>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    state.authorize(&headers)?;
    let mut books = state.books();
    let now = state.clock.now();
    books.settle(now);
    let balance = books.account.shown(now);
    Ok(Json(json!({
        "success": true,
        "data": {
            "token": {
                "remaining_credits": balance.remaining, "unlimited_credits": books.account.is_unlimited(),
                "used_credits": balance.used,
            },
            "user": { "remaining_credits": balance.remaining, "used_credits": balance.used },
        },
    })))
}
