//! Every way in which a submission or its task can fail, in one table: was it
//! billed, and what comes next. Section 5 of the API facts.
//!
//! `outcome.rs` puts answers into classes; the runner acts on them; the table
//! in `docs/errors.md` is compared with this one by a test.

use std::time::Duration;

use super::outcome::Submission;

/// Whether money was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Billed {
    /// It was not, or it is given back.
    No,
    /// It was.
    Yes,
    /// Nobody knows from here.
    Unknown,
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The task is waited for.
    Wait,
    /// The same request is sent again for free, later.
    Later,
    /// Another paid try may help, after this wait at least and a limited
    /// number of times.
    PaidTry(Duration),
    /// Another paid try, only where the user asks for it.
    PaidTryIfAsked(Duration),
    /// The same request fails again.
    Never,
    /// Submissions pause; jobs stay pending, and collecting goes on.
    Pause,
    /// Held, and resolved rung by rung.
    Hold,
}

/// The classes of outcomes of a submission, and of failures of its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A task exists.
    Accepted,
    /// The request is refused for what it asks.
    Refused,
    /// The key or its account has no credits left.
    NoCredits,
    /// The key is not accepted, here or for this model.
    KeyRefused,
    /// Too many requests or tasks.
    Throttled,
    /// One of the four documented 503s.
    Unavailable,
    /// Nothing left this machine.
    NeverSent,
    /// The key was used with another body.
    Conflict,
    /// An earlier arrival of the key is not decided yet.
    Undecided,
    /// Anything else after the request left.
    Doubtful,
    /// The task failed for a reason that may pass.
    TaskTroubled,
    /// The task ended without a picture.
    TaskEmpty,
    /// The task failed for good.
    TaskFailed,
}

/// How long a task's trouble is given to pass.
const TROUBLE: Duration = Duration::from_secs(30);

impl Class {
    /// Every class, in the order of the table.
    pub const ALL: [Self; 13] = [
        Self::Accepted,
        Self::Refused,
        Self::NoCredits,
        Self::KeyRefused,
        Self::Throttled,
        Self::Unavailable,
        Self::NeverSent,
        Self::Conflict,
        Self::Undecided,
        Self::Doubtful,
        Self::TaskTroubled,
        Self::TaskEmpty,
        Self::TaskFailed,
    ];

    /// The class of a failed task's code. One that nobody documented never
    /// buys again.
    #[must_use]
    pub fn of_task(code: &str) -> Self {
        match code {
            "service_error"
            | "generation_timeout"
            | "resource_exhausted"
            | "quota_exceeded"
            | "service_unavailable" => Self::TaskTroubled,
            "generation_failed_no_content" => Self::TaskEmpty,
            // content_policy_violation, invalid_parameters, image_processing_error,
            // image_dimension_mismatch, request_cancelled, resource_not_found,
            // unknown_error, and every code that nobody documented.
            _ => Self::TaskFailed,
        }
    }

    /// The row of the table: its name, what it is told by, what was billed and
    /// what comes next.
    #[must_use]
    pub fn row(self) -> (&'static str, &'static str, Billed, Next) {
        use {Billed as B, Next as N};
        match self {
            Self::Accepted => ("accepted", "2xx with a task id", B::Yes, N::Wait),
            Self::Refused => ("refused", "4xx that blames the request", B::No, N::Never),
            Self::NoCredits => ("no credits", "402, or a 4xx whose code says so", B::No, N::Pause),
            Self::KeyRefused => ("key refused", "401, 403", B::No, N::Pause),
            Self::Throttled => ("throttled", "429", B::No, N::Later),
            Self::Unavailable => ("unavailable", "503 with one of four codes", B::No, N::Later),
            Self::NeverSent => ("never sent", "no name, no connection, no TLS", B::No, N::Later),
            Self::Conflict => ("conflict", "`idempotency_conflict`", B::Unknown, N::Hold),
            Self::Undecided => ("undecided", "`paid_outcome_unknown`", B::Unknown, N::Hold),
            Self::Doubtful => ("doubtful", "anything else after the request left", B::Unknown, N::Hold),
            Self::TaskTroubled => (
                "task troubled",
                "`service_error`, `generation_timeout`, `resource_exhausted`, `quota_exceeded`, `service_unavailable`",
                B::No,
                N::PaidTry(TROUBLE),
            ),
            Self::TaskEmpty => {
                ("task empty", "`generation_failed_no_content`", B::No, N::PaidTryIfAsked(TROUBLE))
            }
            Self::TaskFailed => ("task failed", "every other code of a failed task", B::No, N::Never),
        }
    }

    /// What was billed.
    #[must_use]
    pub fn billed(self) -> Billed {
        self.row().2
    }

    /// What comes next.
    #[must_use]
    pub fn next(self) -> Next {
        self.row().3
    }
}

impl Submission {
    /// The row of the table that this outcome belongs to.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Accepted(_) => Class::Accepted,
            Self::Refused(_) => Class::Refused,
            Self::BalanceRefused(_) => Class::NoCredits,
            Self::KeyRefused(_) => Class::KeyRefused,
            Self::Throttled(_) => Class::Throttled,
            Self::Unavailable(_) => Class::Unavailable,
            Self::Conflict(_) => Class::Conflict,
            Self::Undecided(_) => Class::Undecided,
            Self::NeverSent { .. } => Class::NeverSent,
            Self::Unknown(_) => Class::Doubtful,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_documented_codes_buy_again() {
        for code in [
            "service_error",
            "generation_timeout",
            "resource_exhausted",
            "quota_exceeded",
            "service_unavailable",
        ] {
            assert_eq!(Class::of_task(code).next(), Next::PaidTry(Duration::from_secs(30)), "{code}");
        }
        assert_eq!(Class::of_task("generation_failed_no_content"), Class::TaskEmpty);
        for code in [
            "content_policy_violation",
            "invalid_parameters",
            "image_processing_error",
            "image_dimension_mismatch",
            "request_cancelled",
            "resource_not_found",
            "unknown_error",
            "",
            "SERVICE_ERROR",
            "500",
        ] {
            assert_eq!(Class::of_task(code).next(), Next::Never, "{code}");
        }
    }

    /// What may have been billed is never sent again as if it were new, and
    /// what was not billed never holds money.
    #[test]
    fn money_in_doubt_is_held() {
        for class in Class::ALL {
            let held = class.next() == Next::Hold;
            assert_eq!(class.billed() == Billed::Unknown, held, "{class:?}");
        }
    }

    #[test]
    fn the_page_for_users_is_this_table() {
        let page = include_str!("../../docs/errors.md");
        for class in Class::ALL {
            let (name, told_by, billed, next) = class.row();
            let billed = match billed {
                Billed::No => "no",
                Billed::Yes => "yes",
                Billed::Unknown => "unknown",
            };
            let next = match next {
                Next::Wait => "its task is waited for",
                Next::Later => "sent again for free, later",
                Next::PaidTry(_) => "another paid try, after 30 s or more, up to `attempts`",
                Next::PaidTryIfAsked(_) => "the same, only with `retry_empty`",
                Next::Never => "the job fails",
                Next::Pause => "submissions pause, collecting goes on",
                Next::Hold => "held as unknown",
            };
            let row = format!("| {name} | {told_by} | {billed} | {next} |");
            assert!(page.contains(&row), "docs/errors.md lacks: {row}");
        }
    }
}
