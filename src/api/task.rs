//! A task as the provider reports it.

use std::time::Duration;

use serde_json::Value;

use super::wire;
use crate::job::Credits;

/// One report about one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The provider's id: up to 200 printable ASCII characters without `/`.
    pub id: String,
    /// How far it is.
    pub status: Status,
    /// 0 to 100.
    pub progress: Option<u8>,
    /// The provider's guess when it was created.
    pub estimated_time: Option<Duration>,
    /// Reserved for the task, as long as it is not settled.
    pub reserved: Option<Credits>,
    /// The final price.
    pub used: Option<Credits>,
}

/// The state of a task. Only `Completed` and `Failed` are final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Waiting.
    Pending,
    /// Being worked on.
    Processing,
    /// Done. The links live for 24 h; there may be none for a moment, or
    /// fewer than were ordered.
    Completed {
        /// Where the pictures lie, in order.
        links: Vec<String>,
    },
    /// Failed or cancelled, and refunded.
    Failed {
        /// See [`Class::of_task`](super::Class::of_task); `unknown_error` where
        /// the provider gave none, `request_cancelled` where it was cancelled.
        code: String,
        /// The provider's words, at most 2,000 characters, unescaped.
        message: String,
    },
    /// Something that nobody documented: not final, read again.
    Other(String),
}

impl Task {
    /// `None` where the JSON names no plausible id.
    pub(super) fn from_json(task: &Value) -> Option<Self> {
        Some(Self::named(wire::plausible_id(task)?, task))
    }

    /// Reads a report about a task whose id is known from elsewhere.
    pub(super) fn named(id: &str, task: &Value) -> Self {
        let null = Value::Null;
        let part = |field| task.get(field).unwrap_or(&null);
        let estimate = wire::number(part("task_info"), "estimated_time");
        Self {
            id: id.to_owned(),
            status: status(task),
            progress: wire::number(task, "progress").map(|percent| percent.clamp(0.0, 100.0) as u8),
            estimated_time: estimate.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            reserved: wire::credits(part("usage"), "credits_reserved"),
            used: wire::credits(part("usage"), "credits_used"),
        }
    }
}

fn status(task: &Value) -> Status {
    let word = wire::text(task, "status").unwrap_or_default().to_ascii_lowercase();
    match word.as_str() {
        "pending" => Status::Pending,
        "processing" => Status::Processing,
        "completed" => Status::Completed { links: wire::links(task) },
        "failed" => failed(task, "unknown_error"),
        "cancelled" | "canceled" => failed(task, "request_cancelled"),
        _ => Status::Other(word),
    }
}

fn failed(task: &Value, default_code: &str) -> Status {
    let null = Value::Null;
    let error = task.get("error").unwrap_or(&null);
    let message = wire::text(error, "message").or_else(|| wire::text(task, "error"));
    Status::Failed {
        code: wire::code(error, "code").unwrap_or_else(|| default_code.to_owned()),
        message: message.unwrap_or_else(|| "the provider gave no reason".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn failure(code: &str, message: &str) -> Status {
        Status::Failed { code: code.into(), message: message.into() }
    }

    #[test]
    fn every_status_is_read() {
        let none = "the provider gave no reason";
        for (json, expected) in [
            (json!({"status": "pending"}), Status::Pending),
            (json!({"status": "Processing"}), Status::Processing),
            (json!({"status": "completed", "results": ["u"]}), Status::Completed { links: vec!["u".into()] }),
            (json!({"status": "completed"}), Status::Completed { links: vec![] }),
            (
                json!({"status": "failed", "error": {"code": "service_error", "message": "m"}}),
                failure("service_error", "m"),
            ),
            (json!({"status": "failed", "error": {"code": 500}}), failure("500", none)),
            (json!({"status": "failed", "error": "words"}), failure("unknown_error", "words")),
            (json!({"status": "failed"}), failure("unknown_error", none)),
            (json!({"status": "cancelled"}), failure("request_cancelled", none)),
            (json!({"status": "canceled", "error": null}), failure("request_cancelled", none)),
            (json!({"status": "paused"}), Status::Other("paused".into())),
            (json!({"status": 3}), Status::Other(String::new())),
            (json!({}), Status::Other(String::new())),
        ] {
            assert_eq!(status(&json), expected, "{json}");
        }
    }

    #[test]
    fn the_documented_reply_is_read_whole() {
        let json = json!({"created": 1_757_156_493, "id": "task-unified-1757156493-imcg5zqt", "model": "gpt-image-2",
            "object": "image.generation.task", "progress": 0, "status": "pending",
            "task_info": {"can_cancel": true, "estimated_time": 100}, "type": "image",
            "usage": {"billing_rule": "per_call", "credits_reserved": 2.5, "user_group": "default"}});
        let task = Task::from_json(&json).unwrap();
        assert_eq!(task.id, "task-unified-1757156493-imcg5zqt");
        assert_eq!(task.progress, Some(0));
        assert_eq!(task.estimated_time, Some(Duration::from_secs(100)));
        assert_eq!(task.reserved, Credits::from_f64(2.5));
        assert_eq!(task.used, None);
    }

    #[test]
    fn odd_figures_do_not_hide_the_links() {
        let json = json!({"id": "t", "status": "completed", "results": ["u"], "progress": "full",
            "usage": [], "task_info": {"estimated_time": -1}});
        let task = Task::from_json(&json).unwrap();
        assert_eq!(task.status, Status::Completed { links: vec!["u".into()] });
        assert_eq!((task.progress, task.estimated_time, task.used), (None, None, None));
    }
}
