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
    books.settle(state.clock.now());
    let (left, used) = (books.account.remaining(), books.account.used());
    Ok(Json(json!({
        "success": true,
        "data": {
            "token": {
                "remaining_credits": left, "unlimited_credits": books.account.is_unlimited(),
                "used_credits": used,
            },
            "user": { "remaining_credits": left, "used_credits": used },
        },
    })))
}
