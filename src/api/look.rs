//! Reading tasks, one or many. Free, and safe to repeat.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::client::{Client, Lost};
use super::config::endpoint;
use super::task::Task;

/// A task's report, or why there is none.
pub type Look = Result<Task, LookError>;

/// The most tasks that one batch read takes.
pub const MANY: usize = 50;

/// Why a read gave nothing. None of these says anything about a payment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookError {
    /// The API itself does not know the task.
    #[error("the API knows no such task ({})", .0.code)]
    NotFound(Refusal),
    /// Slow down.
    #[error("the API asks for fewer requests")]
    Throttled {
        /// The wait it asks for, capped at one hour.
        retry_after: Option<Duration>,
    },
    /// The API refuses the key (401, 403) or its account (402).
    #[error("the API refuses the key: HTTP {} {}", .0.http_status, .0.code)]
    KeyRefused(Refusal),
    /// Anything else: read again later.
    #[error("{why}")]
    Transient {
        /// Without URL or key.
        why: String,
        /// The wait the server asks for, capped at one hour.
        retry_after: Option<Duration>,
    },
}

/// The answer to a batch read.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum ManyLooks {
    /// Those of the tasks that the API knows, each once, in its order. An id
    /// that is missing says nothing: read it alone.
    Tasks(Vec<Task>),
    /// This gateway has no batch read; read one by one from now on.
    Unsupported {
        /// What it said instead.
        why: String,
    },
    /// It did not work this time.
    Failed(LookError),
}

impl Client {
    /// Reads one task.
    pub async fn read(&self, task: &str) -> Look {
        let request = self.read.get(endpoint(&self.base_url, &["v1", "tasks", task]));
        let answer = self.send(request).await.map_err(LookError::from)?;
        one(&answer, task)
    }

    /// Reads up to [`MANY`] tasks with one request; further ones are left out.
    pub async fn read_many(&self, tasks: &[String]) -> ManyLooks {
        let tasks = &tasks[..tasks.len().min(MANY)];
        let url = endpoint(&self.base_url, &["v1", "tasks", "batch"]);
        match self.send(self.read.post(url).json(&json!({ "task_ids": tasks }))).await {
            Ok(answer) => many(&answer, tasks),
            Err(lost) => ManyLooks::Failed(lost.into()),
        }
    }
}

/// The report in an answer about `wanted`. A report about another task is an
/// error: its pictures belong to somebody else.
fn one(answer: &Answer, wanted: &str) -> Look {
    let json = success(answer)?;
    match json.get("id") {
        _ if !json.is_object() => Err(transient("the answer is not a task")),
        Some(Value::String(id)) if id != wanted => Err(transient("the answer is about another task")),
        Some(Value::String(_)) | None => Ok(Task::named(wanted, &json)),
        Some(_) => Err(transient("the answer's task id is not text")),
    }
}

fn many(answer: &Answer, wanted: &[String]) -> ManyLooks {
    let json = match success(answer) {
        Ok(json) => json,
        Err(_) if no_such_endpoint(answer) => {
            return ManyLooks::Unsupported { why: format!("HTTP {}", answer.status.as_u16()) };
        }
        Err(error) => return ManyLooks::Failed(error),
    };
    let Some(rows) = json.get("data").and_then(Value::as_array) else {
        return ManyLooks::Unsupported { why: "the answer holds no list of tasks".into() };
    };
    let mut tasks: Vec<Task> = Vec::with_capacity(rows.len().min(MANY));
    for task in rows.iter().filter_map(Task::from_json) {
        if wanted.contains(&task.id) && tasks.iter().all(|known| known.id != task.id) {
            tasks.push(task);
        }
    }
    ManyLooks::Tasks(tasks)
}

/// A gateway without batch reads answers as if `batch` were a task's name or
/// the method were wrong.
fn no_such_endpoint(answer: &Answer) -> bool {
    matches!(answer.status.as_u16(), 400 | 404 | 405 | 410 | 415 | 422 | 501)
}

/// The JSON of a success, or what the error means for a read.
pub(super) fn success(answer: &Answer) -> Result<Value, LookError> {
    if !answer.status.is_success() {
        return Err(refused(answer));
    }
    let json = answer.json().ok_or_else(|| transient("the answer is not JSON"))?;
    // A failed task carries an error as well, but it has a status.
    let error = json.get("error").is_some_and(|error| !error.is_null());
    if error && json.get("status").is_none() {
        return Err(transient("the answer is a success that carries an error"));
    }
    Ok(json)
}

fn refused(answer: &Answer) -> LookError {
    let retry_after = answer.retry_after();
    let status = answer.status.as_u16();
    if answer.status == StatusCode::TOO_MANY_REQUESTS {
        return LookError::Throttled { retry_after };
    }
    match (status, answer.refusal()) {
        (401..=403, Some(refusal)) => LookError::KeyRefused(refusal),
        (404, Some(refusal)) => LookError::NotFound(refusal),
        (400, Some(refusal)) if refusal.code == "invalid_task_id" => LookError::NotFound(refusal),
        (_, Some(Refusal { code, message, .. })) => {
            LookError::Transient { why: format!("HTTP {status} {code}: {message}"), retry_after }
        }
        (_, None) => {
            LookError::Transient { why: format!("HTTP {status} that is not the API's"), retry_after }
        }
    }
}

pub(super) fn transient(why: &str) -> LookError {
    LookError::Transient { why: why.into(), retry_after: None }
}

impl From<Lost> for LookError {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::NeverSent(why) => Self::Transient { why, retry_after: None },
            Lost::After(partial) => Self::Transient { why: partial.why, retry_after: None },
        }
    }
}
