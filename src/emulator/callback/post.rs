//! Posting a report, as often as the API would.

use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::super::state::State;

/// Pauses before the second, third and fourth try.
const PAUSES_S: [u64; 3] = [1, 2, 4];
const TIMEOUT: Duration = Duration::from_secs(10);

/// Up to four tries; whether one of them was taken.
pub(super) async fn persistently(state: &State, url: &Url, report: &Value) -> bool {
    for pause in PAUSES_S {
        if once(state, url, report).await {
            return true;
        }
        tokio::time::sleep(Duration::from_secs(pause)).await;
    }
    once(state, url, report).await
}

/// One request; whether it was answered with 2xx. A redirect is not followed.
pub(super) async fn once(state: &State, url: &Url, report: &Value) -> bool {
    state.books().stats.callbacks.posts += 1;
    let answer = state.client.post(url.clone()).timeout(TIMEOUT).json(report).send().await;
    let said = match &answer {
        Ok(answer) => answer.status().as_u16().to_string(),
        Err(error) if error.is_timeout() => "timeout".to_owned(),
        Err(_) => "unreachable".to_owned(),
    };
    state.books().stats.callbacks.answered(said);
    answer.is_ok_and(|answer| answer.status().is_success())
}
