//! The budget, as the attempts hold it.

use rusqlite::Connection;

use super::LedgerError;
use crate::job::Credits;

/// Why an intent was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Money {
    /// The submission might exceed the budget.
    OverBudget {
        /// What this submission may cost.
        estimate: Credits,
        /// What is left of the budget.
        left: Credits,
    },
    /// A model without a price can't be bought under a budget.
    Unpriced,
}

/// `None` where the budget allows an intent of this estimate.
pub(super) fn refusal(
    db: &Connection,
    budget: Option<Credits>,
    estimate: Option<Credits>,
) -> Result<Option<Money>, LedgerError> {
    let Some(budget) = budget else { return Ok(None) };
    let Some(estimate) = estimate else { return Ok(Some(Money::Unpriced)) };
    let left = budget - committed(db)?;
    Ok((estimate > left).then_some(Money::OverBudget { estimate, left }))
}

/// What all attempts together hold: settled, reserved and at risk.
pub(super) fn committed(db: &Connection) -> Result<Credits, LedgerError> {
    let micro = db.prepare_cached("SELECT committed FROM money")?.query_row([], |row| row.get(0))?;
    Ok(Credits::from_micro(micro))
}
