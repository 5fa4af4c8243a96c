//! Callbacks: a task's report is posted once it has ended and is billed
//! (section 6). Unsigned, as the API's are: a receiver can only take them as
//! hints, and faults make sure that it does.

mod forge;
mod post;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::Options;
use super::books::Books;
use super::clock::Millis;
use super::faults::Kind;
use super::hosts;
use super::journal::Entry;
use super::state::{Shared, State};
use super::task::Task;
use super::view::{self, Links};

/// References may keep a task open beyond its time; then it is looked at again
/// after so many milliseconds.
const LOOK_AGAIN_MS: Millis = 100;

/// What came of a callback, once nothing more will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// Answered with 2xx.
    Delivered,
    /// Four tries were in vain.
    GivenUp,
    /// A fault kept it.
    Lost,
    /// Its host is one that this emulator doesn't call.
    Withheld,
}

impl Outcome {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
            Self::Lost => "lost",
            Self::Withheld => "withheld",
        }
    }
}

/// Tasks whose callback is still to come: at a restart, those that an earlier
/// process could not deliver, however long ago they ended.
pub(super) fn owed(books: &Books) -> Vec<Task> {
    let owed = books
        .tasks
        .values()
        .filter(|record| record.task.order.callback_url.is_some() && record.called.is_none());
    owed.map(|record| record.task.clone()).collect()
}

/// Waits for the end of the task, posts, and writes down what came of it.
/// Gives up when the emulator stops; then the callback is still owed.
pub(super) async fn deliver(state: Shared, task: Task) {
    let outcome = tokio::select! {
        () = state.closed() => return,
        outcome = call(&state, &task) => outcome,
    };
    // A journal that can't be written has been reported.
    let _ = state.books().record(Entry::Called { task: task.id, outcome });
}

async fn call(state: &State, task: &Task) -> Outcome {
    let url = task.order.callback_url.as_ref().and_then(|url| Url::parse(url).ok());
    let Some(url) = url.filter(|url| calls(&state.options, url)) else { return Outcome::Withheld };
    forge::post(state, task, &url).await;
    let report = report(state, task).await;
    if let Some(late) = task.fault(Kind::CallbackLate) {
        until(state, task.ends() + late.number(30).cast_signed() * 1000).await;
    }
    if task.has(Kind::CallbackLost) {
        return Outcome::Lost;
    }
    if !post::persistently(state, &url, &report).await {
        return Outcome::GivenUp;
    }
    let times = task.fault(Kind::CallbackTwice).map_or(1, |fault| fault.number(2));
    for _ in 1..times {
        post::once(state, &url, &report).await;
    }
    Outcome::Delivered
}

fn calls(options: &Options, url: &Url) -> bool {
    if hosts::is_loopback(url) { options.allow_local_callbacks } else { options.allow_remote_hosts }
}

/// The task's report, as soon as it has ended and is billed.
async fn report(state: &State, task: &Task) -> Value {
    if task.has(Kind::Stuck) {
        return std::future::pending().await;
    }
    loop {
        if let Some(report) = ended(state, &task.id) {
            return report;
        }
        until(state, task.ends().max(state.clock.now() + LOOK_AGAIN_MS)).await;
    }
}

fn ended(state: &State, id: &str) -> Option<Value> {
    let now = state.clock.now();
    let mut books = state.books();
    books.settle(now);
    let task = books.task(id)?;
    let phase = task.phase(now);
    phase.is_terminal().then(|| view::task(task, &phase, now, &links(state)))
}

/// A callback has no request to learn the host from.
fn links(state: &State) -> Links<'_> {
    Links { origin: &state.base_url, life_ms: state.options.link_life.as_millis() as Millis }
}

async fn until(state: &State, then: Millis) {
    let left = u64::try_from(then - state.clock.now()).unwrap_or(0);
    tokio::time::sleep(Duration::from_millis(left)).await;
}
