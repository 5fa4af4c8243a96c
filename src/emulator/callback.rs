//! Callbacks: the task's document is posted when it ends (section 6).

use std::time::Duration;

use url::Url;

use super::clock::Millis;
use super::faults::Kind;
use super::hosts;
use super::state::{Books, Shared};
use super::task::Task;
use super::view::{self, Links};

/// Pauses before the second, third and fourth try.
const PAUSES_S: [u64; 3] = [1, 2, 4];
const TIMEOUT: Duration = Duration::from_secs(10);

/// Tasks whose callback is still to come after a restart.
pub(super) fn owed(books: &Books, now: Millis) -> Vec<Task> {
    let tasks = books.tasks.values().map(|record| &record.task);
    tasks
        .filter(|task| task.order.callback_url.is_some() && !task.phase(now).is_terminal())
        .cloned()
        .collect()
}

/// Waits for the end of the task, then posts; gives up when the emulator stops.
pub(super) async fn deliver(state: Shared, task: Task) {
    let Some(url) = task.order.callback_url.as_ref().and_then(|url| Url::parse(url).ok()) else { return };
    if task.has(Kind::Stuck) || !(hosts::is_loopback(&url) || state.options.allow_remote_hosts) {
        return;
    }
    tokio::select! {
        () = state.closed() => {}
        () = wait_and_post(&state, &task, url) => {}
    }
}

async fn wait_and_post(state: &Shared, task: &Task, url: Url) {
    let document = loop {
        if let Some(document) = document(state, &task.id) {
            break document;
        }
        let left = (task.ends() - state.clock.now()).clamp(100, 1000);
        tokio::time::sleep(Duration::from_millis(left as u64)).await;
    };
    for pause in PAUSES_S.into_iter().map(Some).chain([None]) {
        let sent = state.client.post(url.clone()).timeout(TIMEOUT).json(&document).send().await;
        if sent.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        let Some(pause) = pause else { return };
        tokio::time::sleep(Duration::from_secs(pause)).await;
    }
}

/// The body of the callback, once the task has ended.
fn document(state: &Shared, id: &str) -> Option<serde_json::Value> {
    let now = state.clock.now();
    let books = state.books();
    let task = books.task(id)?;
    let phase = task.phase(now);
    let links = Links { origin: &state.base_url, life_ms: state.options.link_life.as_millis() as Millis };
    phase.is_terminal().then(|| view::task(task, &phase, now, &links))
}
