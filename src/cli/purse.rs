//! Whether a run keeps the user's account, and what it does where it can't.

use jiff::tz::TimeZone;

use super::Usage;
use crate::account::{Account, AccountError, Limits, state_folder};
use crate::runner::Purse;

/// The account that a run keeps. Without limits only one that is there already
/// is kept, so that the runs that have some know of this one; the emulator in
/// the process costs nothing and counts nowhere.
pub(super) fn open(limits: Limits, emulated: bool) -> anyhow::Result<Option<Purse>> {
    if emulated {
        return Ok(None);
    }
    let folder = state_folder(|name| std::env::var_os(name));
    let account = if limits.is_empty() {
        let existing = folder.map_or(Ok(None), |folder| Account::open_existing(&folder));
        existing.unwrap_or_else(|error| {
            tracing::warn!("what this run spends is missing in the budgets of others: {error}");
            None
        })
    } else {
        let opened = folder.ok_or(AccountError::Nowhere).and_then(|folder| Account::open(&folder));
        Some(opened.map_err(|error| refusal(&error.into()))?)
    };
    Ok(account.map(|account| Purse::new(account, limits, TimeZone::system())))
}

fn refusal(error: &anyhow::Error) -> anyhow::Error {
    Usage::error(format!("a budget of the day or the month can't hold without the state folder: {error:#}"))
}
