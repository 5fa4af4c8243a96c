//! When to ask before money is spent. The decision is pure.

use std::io::{BufRead, IsTerminal, Write};

/// What is known before anything is bought.
#[expect(clippy::struct_excessive_bools, reason = "the columns of a table of decisions")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    /// Jobs that would be submitted.
    pub(super) buys: u64,
    /// Upper estimate in USD.
    pub(super) usd: f64,
    /// Jobs that would be bought again, because they changed.
    pub(super) changed: u64,
    /// --yes.
    pub(super) yes: bool,
    /// A budget bounds the run.
    pub(super) budget: bool,
    /// The emulator: nothing costs anything.
    pub(super) emulated: bool,
    /// Somebody can answer.
    pub(super) terminal: bool,
}

/// What to do before buying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    Given,
    Ask,
    /// Nobody to ask, and nothing that bounds the run.
    Missing,
}

/// Above this a terminal is asked.
const ASK_ABOVE_USD: f64 = 5.0;

pub(super) fn consent(situation: &Situation) -> Consent {
    let Situation { buys, usd, changed, yes, budget, emulated, terminal } = *situation;
    if buys == 0 || yes || emulated {
        Consent::Given
    } else if !terminal {
        if budget { Consent::Given } else { Consent::Missing }
    } else if usd > ASK_ABOVE_USD || changed > 0 {
        Consent::Ask
    } else {
        Consent::Given
    }
}

/// Somebody can read the question and answer it.
pub(super) fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks on the terminal; anything but yes is no.
pub(super) fn confirm(question: &str) -> std::io::Result<bool> {
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_consent() {
        let base = Situation {
            buys: 10,
            usd: 1.0,
            changed: 0,
            yes: false,
            budget: false,
            emulated: false,
            terminal: true,
        };
        let rows = [
            (base, Consent::Given),
            (Situation { usd: 5.01, ..base }, Consent::Ask),
            (Situation { changed: 1, ..base }, Consent::Ask),
            (Situation { changed: 1, yes: true, ..base }, Consent::Given),
            (Situation { changed: 1, emulated: true, ..base }, Consent::Given),
            (Situation { terminal: false, ..base }, Consent::Missing),
            (Situation { terminal: false, budget: true, ..base }, Consent::Given),
            (Situation { terminal: false, yes: true, ..base }, Consent::Given),
            (Situation { terminal: false, buys: 0, ..base }, Consent::Given),
        ];
        for (situation, expected) in rows {
            assert_eq!(consent(&situation), expected, "{situation:?}");
        }
    }
}
