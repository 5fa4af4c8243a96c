//! Callbacks that nobody should believe: made-up results, other tasks' ids.

use serde_json::{Value, json};
use url::Url;

use super::super::faults::{Fault, Kind};
use super::super::state::State;
use super::super::task::{Failure, Phase, Task};
use super::super::view;

/// Where a made-up result lies: a name that can't exist.
const ELSEWHERE: &str = "https://forged.invalid/0.png";

/// Posts what the task's faults ask for, half way through the task.
pub(super) async fn post(state: &State, task: &Task, url: &Url) {
    let made_up = task.fault(Kind::CallbackForged).map(|fault| made_up(state, task, fault));
    let foreign = task.fault(Kind::CallbackForeign).map(|_| foreign(state, task));
    if made_up.is_none() && foreign.is_none() {
        return;
    }
    super::until(state, task.created + task.lasts_ms.cast_signed() / 2).await;
    for report in made_up.into_iter().chain(foreign) {
        state.books().stats.callbacks.forged += 1;
        super::post::once(state, url, &report).await;
    }
}

/// A result that isn't: completed elsewhere, or failed in a way that invites
/// another order.
fn made_up(state: &State, task: &Task, fault: &Fault) -> Value {
    let now = state.clock.now();
    if fault.argument() == Some("failed") {
        let failure = Failure::new("service_error", "The generation failed");
        return view::task(task, &Phase::Failed(failure), now, &super::links(state));
    }
    let mut report = view::task(task, &Phase::Completed, now, &super::links(state));
    report["results"] = json!([ELSEWHERE]);
    report["result_data"] = json!([{ "url": ELSEWHERE }]);
    report
}

/// The report of the task before, as it would be once completed; of one that
/// nobody has, when there is none.
fn foreign(state: &State, task: &Task) -> Value {
    let now = state.clock.now();
    let books = state.books();
    let before = task.number.checked_sub(2).and_then(|index| books.ids.get(index as usize));
    let before = before.and_then(|id| books.task(id));
    let mut report = view::task(before.unwrap_or(task), &Phase::Completed, now, &super::links(state));
    if before.is_none() {
        report["id"] = "task-unified-1000000000-foreign0".into();
    }
    report
}
