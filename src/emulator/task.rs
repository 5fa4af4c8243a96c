//! One task: what was ordered, and what it is at a given moment.
//!
//! A task's status is a pure function of its record and the time. Nothing
//! ticks, so a million waiting tasks cost nothing and a restart changes none.

use serde::{Deserialize, Serialize};

use super::clock::Millis;
use super::faults::{Fault, Kind};
use super::order::Order;
use super::price::{self, Tokens, round5};

/// The record of a task, as it stands in the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) id: String,
    /// Counted from 1 over the life of the state folder.
    pub(super) number: u64,
    pub(super) created: Millis,
    /// From creation to end; a slow task has more than it estimates.
    pub(super) lasts_ms: u64,
    pub(super) estimated_s: u64,
    pub(super) order: Order,
    /// How many earlier tasks ordered the same words: takes differ.
    pub(super) take: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) idempotency_key: Option<String>,
    /// Hash of the body, to tell repeats from conflicts.
    pub(super) body_hash: String,
    pub(super) reserved: f64,
    /// Of every price, at the time of its creation.
    #[serde(default = "published")]
    pub(super) price_factor: f64,
    pub(super) inputs: Inputs,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) faults: Vec<Fault>,
}

/// The factor of prices as they are published.
fn published() -> f64 {
    1.0
}

/// References and mask of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Inputs {
    /// Being fetched.
    Waiting,
    /// Here, or not wanted.
    Ready(Material),
    /// Not obtainable or not usable: the task fails.
    Failed(Failure),
}

/// What a picture is made of besides words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Material {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Names of blobs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) references: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mask: Option<String>,
    #[serde(default)]
    pub(super) reference_tokens: u64,
}

/// Why a task failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) code: String,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }

    /// What the API says under a code.
    fn of_code(code: &str) -> Self {
        let message = match code {
            "content_policy_violation" => "The request was rejected by the safety system",
            "generation_timeout" => "The generation took too long",
            "generation_failed_no_content" => "The model returned no picture",
            "resource_exhausted" => "No capacity is left at the moment",
            "request_cancelled" => "The request was cancelled",
            _ => "The generation failed",
        };
        Self::new(code, message)
    }
}

/// What a task is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Pending,
    /// With its progress in percent.
    Processing(u64),
    Completed,
    Failed(Failure),
    Cancelled,
}

impl Phase {
    pub(super) fn is_terminal(&self) -> bool {
        !matches!(self, Self::Pending | Self::Processing(_))
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing(_) => "processing",
            Self::Completed => "completed",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Task {
    /// Credits for what it used.
    pub(super) fn price(&self) -> f64 {
        round5(self.used().credits() * self.price_factor)
    }

    pub(super) fn phase(&self, now: Millis) -> Phase {
        let elapsed = u64::try_from(now - self.created).unwrap_or(0);
        if elapsed < self.lasts_ms || self.has(Kind::Stuck) || self.inputs == Inputs::Waiting {
            return self.waiting(elapsed);
        }
        if let Inputs::Failed(failure) = &self.inputs {
            return Phase::Failed(failure.clone());
        }
        if let Some(fault) = self.fault(Kind::Fail) {
            return Phase::Failed(Failure::of_code(fault.argument().unwrap_or("service_error")));
        }
        if self.has(Kind::Cancelled) { Phase::Cancelled } else { Phase::Completed }
    }

    /// The first twentieth is spent in the queue; progress goes by estimate.
    fn waiting(&self, elapsed: u64) -> Phase {
        let estimate = if self.has(Kind::Slow) { self.estimated_s * 1000 } else { self.lasts_ms };
        if elapsed * 20 < estimate {
            return Phase::Pending;
        }
        Phase::Processing((elapsed * 100 / estimate.max(1)).clamp(5, 95))
    }

    pub(super) fn ends(&self) -> Millis {
        self.created + self.lasts_ms.cast_signed()
    }

    /// Pictures that the task yields when it completes.
    pub(super) fn pictures(&self) -> u64 {
        match self.fault(Kind::Fewer) {
            Some(fewer) => fewer.number(self.order.n.saturating_sub(1)).min(self.order.n),
            None => self.order.n,
        }
    }

    /// What was used, once completed.
    pub(super) fn used(&self) -> Tokens {
        let Inputs::Ready(material) = &self.inputs else { return Tokens::default() };
        let pictures = self.pictures();
        let each = price::picture_tokens(material.width, material.height, self.order.quality);
        Tokens {
            image_output: pictures * each,
            image_input: pictures * material.reference_tokens,
            text_input: pictures * price::prompt_tokens(&self.order.prompt),
        }
    }

    pub(super) fn fault(&self, kind: Kind) -> Option<&Fault> {
        self.faults.iter().find(|fault| fault.kind == kind)
    }

    pub(super) fn has(&self, kind: Kind) -> bool {
        self.fault(kind).is_some()
    }
}
