//! `GET /openapi.json`: this server in the words of `OpenAPI` 3.1.
//!
//! The document is written by hand and served as it is, but for the address
//! and the parts that were switched off. The answers are built as JSON values,
//! so types to derive it from would be a third account of the protocol that
//! only the compiler reads; `tests/openapi.sh` compares this one with what is
//! really answered. It describes the emulator without its faults.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::Options;
use super::answer::Refusal;
use super::state::Shared;

const DOCUMENT: &str = include_str!("openapi.json");

pub(super) async fn describe(
    Extract(state): Extract<Shared>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let mut document = document(&state.options)
        .map_err(|error| Refusal::new(500, "internal_error", format!("openapi.json: {error}")))?;
    document["servers"] = json!([{ "url": state.origin(&headers) }]);
    Ok(Json(document))
}

/// What these options leave of it.
fn document(options: &Options) -> serde_json::Result<Value> {
    let mut document: Value = serde_json::from_str(DOCUMENT)?;
    if let Some(paths) = document["paths"].as_object_mut() {
        paths.retain(|path, _| match path.as_str() {
            "/v1/tasks/batch" => options.batch,
            "/v1/tasks" => options.list,
            _ => true,
        });
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_switched_off_is_not_described() {
        let paths = |options: &Options| document(options).unwrap()["paths"].as_object().unwrap().len();
        let bare = Options { batch: false, list: false, ..Options::default() };
        assert_eq!(paths(&Options::default()), paths(&bare) + 2);
    }
}
