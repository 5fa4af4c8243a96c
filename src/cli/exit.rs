//! The exit codes, and which one an end or an error means.

use std::process::ExitCode;

use crate::ledger::LedgerError;
use crate::manifest::Diagnostics;
use crate::runner::{Ended, Halt, RunError};

/// How a command ends; scripts and schedulers depend on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything wanted exists.
    Success = 0,
    /// A defect, or a machine that fails.
    Internal = 1,
    /// Wrong usage or manifest; nothing was submitted.
    Usage = 2,
    /// Finished, and some jobs failed.
    Failed = 3,
    /// The same command continues.
    Incomplete = 4,
    /// Budget, balance, key, `stop_after`, or the same provider error over and over.
    Paused = 5,
    /// Unknown outcomes, or a paid picture that is lost or in danger.
    Attention = 6,
    /// Another run holds the folder.
    Locked = 7,
    /// Left at the second Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// Where several codes hold, the first of these wins.
    const PRECEDENCE: [Self; 9] = [
        Self::Interrupted,
        Self::Internal,
        Self::Usage,
        Self::Locked,
        Self::Attention,
        Self::Paused,
        Self::Incomplete,
        Self::Failed,
        Self::Success,
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The code that stands for all that hold.
    #[must_use]
    pub fn strongest(holding: &[Self]) -> Self {
        Self::PRECEDENCE.into_iter().find(|exit| holding.contains(exit)).unwrap_or(Self::Success)
    }

    /// The code of an error that ended a command.
    #[must_use]
    pub fn of_error(error: &anyhow::Error) -> Self {
        if error.is::<Usage>() || error.is::<Diagnostics>() {
            return Self::Usage;
        }
        let ledger = error
            .downcast_ref::<LedgerError>()
            .or_else(|| error.downcast_ref::<RunError>().map(|RunError::Ledger(error)| error));
        ledger.map_or(Self::Internal, Self::of_ledger)
    }

    fn of_ledger(error: &LedgerError) -> Self {
        match error {
            LedgerError::Locked(_) => Self::Locked,
            LedgerError::Missing(_)
            | LedgerError::NotALedger(_)
            | LedgerError::Newer { .. }
            | LedgerError::Foreign { .. }
            | LedgerError::File { .. } => Self::Usage,
            _ => Self::Internal,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Something the user can put right, said in one sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

impl Usage {
    /// An error with exit code 2.
    pub fn error(text: impl Into<String>) -> anyhow::Error {
        Self(text.into()).into()
    }
}

/// What a run leaves behind, as far as its exit code depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Remains {
    /// Jobs of this run that were not submitted.
    pub pending: u64,
    /// Paid jobs whose pictures are not here.
    pub in_flight: u64,
    /// Jobs that failed.
    pub failed: u64,
    /// Submissions with unknown outcome.
    pub unknown: u64,
    /// Jobs that were paid for and whose pictures are gone.
    pub lost: u64,
    /// A picture that is not here dies within two hours.
    pub dying: bool,
}

/// The exit code of a run; without `ended`, of a ledger as it stands.
#[must_use]
pub(super) fn of_run(ended: Option<&Ended>, remains: &Remains) -> Exit {
    let mut holding = Vec::new();
    if remains.unknown > 0 || remains.lost > 0 || remains.dying {
        holding.push(Exit::Attention);
    }
    if remains.pending > 0 || remains.in_flight > 0 {
        holding.push(Exit::Incomplete);
    }
    if remains.failed > 0 {
        holding.push(Exit::Failed);
    }
    if let Some(ended) = ended {
        holding.extend(ended.halted.as_ref().map(of_halt));
        holding.extend(ended.broken.as_ref().map(Exit::of_ledger));
        holding.extend((ended.left > 0).then_some(Exit::Attention));
    }
    Exit::strongest(&holding)
}

fn of_halt(halt: &Halt) -> Exit {
    match halt {
        Halt::Unknowns(_) => Exit::Attention,
        Halt::Disk(_) => Exit::Incomplete,
        Halt::Budget { .. }
        | Halt::Limit(_)
        | Halt::Account(_)
        | Halt::Unpriced { .. }
        | Halt::Balance(_)
        | Halt::Key(_)
        | Halt::StopAfter(_)
        | Halt::Unreachable(_)
        | Halt::Provider(_) => Exit::Paused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_exit_codes() {
        let none = Remains::default();
        let halted = |halt| Ended { halted: Some(halt), ..Ended::default() };
        let rows = [
            (None, none, 0),
            (None, Remains { failed: 1, ..none }, 3),
            (None, Remains { failed: 1, in_flight: 1, ..none }, 4),
            (None, Remains { pending: 1, ..none }, 4),
            (None, Remains { unknown: 1, pending: 1, ..none }, 6),
            (None, Remains { lost: 1, failed: 1, ..none }, 6),
            (Some(halted(Halt::Key("x".into()))), Remains { pending: 3, failed: 1, ..none }, 5),
            (Some(halted(Halt::Disk("x".into()))), Remains { pending: 3, ..none }, 4),
            (Some(halted(Halt::Key("x".into()))), Remains { unknown: 1, ..none }, 6),
            (Some(Ended { left: 1, ..Ended::default() }), Remains { in_flight: 1, ..none }, 6),
            (
                Some(Ended { broken: Some(LedgerError::Closed), ..Ended::default() }),
                Remains { unknown: 1, ..none },
                1,
            ),
        ];
        for (ended, remains, code) in rows {
            assert_eq!(of_run(ended.as_ref(), &remains).code(), code, "{ended:?} {remains:?}");
        }
    }

    #[test]
    fn precedence_is_that_of_the_contract() {
        let order: Vec<u8> = Exit::PRECEDENCE.iter().map(|exit| exit.code()).collect();
        assert_eq!(order, [130, 1, 2, 7, 6, 5, 4, 3, 0]);
        assert_eq!(Exit::strongest(&[Exit::Failed, Exit::Paused]), Exit::Paused);
    }
}
