//! From a valid create to a task: rate, repeats, balance, bill, record.

use std::time::Duration;

use super::answer::{Refusal, random_text};
use super::blobs::hex_hash;
use super::books::Books;
use super::clock::Millis;
use super::faults::{Kind, Site, in_prompt};
use super::journal::Entry;
use super::order::Order;
use super::price::round5;
use super::state::State;
use super::task::{Inputs, Material, Task};
use super::{Idempotency, Latency, Options};

/// A repeat counts as one for this long.
const KEY_LIFE_MS: Millis = 24 * 3600 * 1000;

/// A valid create on its way to becoming a task.
pub(super) struct Wanted {
    pub(super) order: Order,
    pub(super) key: Option<String>,
    /// Tells repeats from conflicts.
    pub(super) body_hash: String,
    /// Completed when it is created.
    pub(super) at_once: bool,
}

/// Rate, repeats, balance, then the bill: one decision under one lock. The
/// flag says that the task is an earlier one.
pub(super) fn admit(state: &State, wanted: Wanted) -> Result<(Task, bool), Refusal> {
    let now = state.clock.now();
    let mut books = state.books();
    if let Some(task) = repeat(&mut books, &state.options, &wanted, now)? {
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
    options: &Options,
    wanted: &Wanted,
    now: Millis,
) -> Result<Option<Task>, Refusal> {
    let policy = options.idempotency;
    if policy == Idempotency::Ignored {
        return Ok(None);
    }
    let first = wanted.key.as_ref().and_then(|key| books.stats.tasks_by_key.get(key)?.last().cloned());
    let first = first.and_then(|id| books.task(&id).cloned()).filter(|task| now - task.created < KEY_LIFE_MS);
    let Some(task) = first else { return Ok(None) };
    if policy == Idempotency::Conflict || task.body_hash != wanted.body_hash {
        return Err(Refusal::new(409, "idempotency_conflict", "This Idempotency-Key was used before"));
    }
    if now < task.created + options.create_latency.as_millis() as Millis {
        let message = "The first request is still being decided; wait and repeat it under the same key";
        return Err(Refusal::new(409, "paid_outcome_unknown", message));
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
        reserved: round5(order.reserved().credits() * state.options.price_factor),
        price_factor: state.options.price_factor,
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
            Duration::from_secs_f64(1.0 + 1.6 * share + 0.4 * spread)
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
