//! Tasks as JSON: the answer to a create, a read, a line of the list
//! (sections 2 and 3), and the links to results (section 4).

use axum::http::{HeaderMap, header};
use serde_json::{Value, json};

use super::blobs::hex_hash;
use super::books::Record;
use super::clock::Millis;
use super::faults::Kind;
use super::state::State;
use super::task::{Phase, Task};

impl State {
    /// Where links point: the host that the client itself called, so that
    /// they work through a port mapping too.
    pub(super) fn origin(&self, headers: &HeaderMap) -> String {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        host.map_or_else(|| self.base_url.clone(), |host| format!("http://{host}"))
    }
}

/// How links of a task are written.
pub(super) struct Links<'a> {
    pub(super) origin: &'a str,
    pub(super) life_ms: Millis,
}

/// The answer to a create.
pub(super) fn created(task: &Task, now: Millis, origin: &str) -> Value {
    let mut document = head(task);
    let done = task.lasts_ms == 0 && task.phase(now) == Phase::Completed;
    document["status"] = if done { "completed" } else { "pending" }.into();
    document["progress"] = if done { 100 } else { 0 }.into();
    document["task_info"] = json!({ "can_cancel": !done, "estimated_time": task.estimated_s });
    document["usage"] = json!({
        "billing_rule": "per_token", "credits_reserved": task.reserved, "user_group": "default",
    });
    if done {
        let links = Links { origin, life_ms: 24 * 3600 * 1000 };
        document["results"] = results(task, now, &links);
    }
    document
}

/// A read, with the oddities that the task's faults ask for.
pub(super) fn read(record: &mut Record, now: Millis, links: &Links<'_>) -> Value {
    record.reads += 1;
    let mut phase = record.task.phase(now);
    if phase.is_terminal() {
        record.reads_after_end += 1;
        if record.reads_after_end == 1 && record.task.has(Kind::Backwards) && record.reads > 1 {
            phase = Phase::Processing(40);
        }
    }
    let mut document = task(&record.task, &phase, now, links);
    if weird(record, &phase) {
        document["status"] = "awaiting_moderation".into();
    }
    if let Some(fault) = record.task.fault(Kind::NoLinks)
        && phase == Phase::Completed
        && record.reads_after_end <= fault.number(2)
    {
        document["results"] = json!([]);
        document["result_data"] = json!([]);
    }
    document
}

fn weird(record: &Record, phase: &Phase) -> bool {
    let early = matches!(phase, Phase::Processing(progress) if *progress < 50);
    record.task.has(Kind::WeirdStatus) && !phase.is_terminal() && (early || record.reads == 1)
}

/// A task in a phase, without oddities.
pub(super) fn task(task: &Task, phase: &Phase, now: Millis, links: &Links<'_>) -> Value {
    let mut document = head(task);
    document["status"] = phase.name().into();
    document["progress"] = progress(phase).into();
    document["task_info"] = json!({ "can_cancel": !phase.is_terminal(), "estimated_time": task.estimated_s });
    match phase {
        Phase::Pending | Phase::Processing(_) => {}
        Phase::Completed => complete(&mut document, task, now, links),
        Phase::Failed(failure) => {
            document["error"] =
                json!({ "code": failure.code, "message": failure.message, "type": "task_error" });
        }
        Phase::Cancelled => {
            document["error"] = json!({
                "code": "request_cancelled", "message": "The request was cancelled", "type": "task_error",
            });
        }
    }
    document
}

fn complete(document: &mut Value, task: &Task, now: Millis, links: &Links<'_>) {
    let urls = results(task, now, links);
    let data = urls.as_array().map(|urls| {
        urls.iter().map(|url| if url.is_object() { url.clone() } else { json!({ "url": url }) }).collect()
    });
    document["result_data"] = Value::Array(data.unwrap_or_default());
    document["results"] = urls;
    document["duration"] = task.lasts_ms.div_ceil(1000).into();
    let used = task.used();
    document["usage"] = json!({
        "credits_used": task.price(),
        "image_output_tokens": used.image_output,
        "image_input_tokens": used.image_input,
        "image_cached_input_tokens": 0,
        "text_input_tokens": used.text_input,
        "text_cached_input_tokens": 0,
        "total_tokens": used.total(),
    });
}

/// A line of the task list: neither prompt nor links.
pub(super) fn line(task: &Task, now: Millis) -> Value {
    let phase = task.phase(now);
    let used = if phase == Phase::Completed { task.price() } else { 0.0 };
    json!({
        "id": task.id, "status": phase.name(), "model": task.order.model, "type": "image",
        "progress": progress(&phase), "created_at": task.created / 1000,
        "has_results": phase == Phase::Completed,
        "has_error": matches!(phase, Phase::Failed(_) | Phase::Cancelled),
        "credits_used": used,
    })
}

fn head(task: &Task) -> Value {
    json!({
        "created": task.created / 1000, "id": task.id, "model": task.order.model,
        "object": "image.generation.task", "type": "image",
    })
}

fn progress(phase: &Phase) -> u64 {
    match phase {
        Phase::Pending | Phase::Failed(_) | Phase::Cancelled => 0,
        Phase::Processing(progress) => *progress,
        Phase::Completed => 100,
    }
}

fn results(task: &Task, now: Millis, links: &Links<'_>) -> Value {
    let links = (0..task.pictures()).map(|index| {
        let url = link(task, index, now, links);
        if task.has(Kind::ObjectResults) { json!({ "url": url }) } else { url.into() }
    });
    Value::Array(links.collect())
}

/// A link to one picture. Each read signs anew; all die at the same time.
fn link(task: &Task, index: u64, now: Millis, links: &Links<'_>) -> String {
    if task.has(Kind::FileLink) {
        return "file:///etc/passwd".to_owned();
    }
    if task.has(Kind::PrivateLink) {
        return format!("http://10.0.0.1/{}/{index}.png", task.id);
    }
    let mut origin = links.origin.to_owned();
    if task.has(Kind::OtherHost) {
        origin = origin.replace("127.0.0.1", "localhost");
    }
    let expires = (task.ends() + links.life_ms) / 1000;
    let signature = signature(&task.id, index, expires, now);
    format!("{origin}/results/{}/{index}.png?expires={expires}&issued={now}&signature={signature}", task.id)
}

/// Ties a link to its picture and its times. Not a secret: there is nothing to
/// protect, only clients to catch that build or change links.
pub(super) fn signature(task: &str, index: u64, expires: i64, issued: Millis) -> String {
    hex_hash(format!("{task}/{index}/{expires}/{issued}").as_bytes())[..24].to_owned()
}
