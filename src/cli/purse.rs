//! The account of all runs of the user: whether a run keeps it, what it does
//! where it can't, and what a plan reads in it.

use jiff::Zoned;
use jiff::tz::TimeZone;

use super::Usage;
use super::connect::Provider;
use crate::account::{Account, AccountError, Limits, Span, state_folder};
use crate::job::{Credits, Raises};
use crate::runner::Purse;

/// The account that a run keeps. Without limits only one that is there already
/// is kept, so that the runs that have some know of this one; the emulator in
/// the process costs nothing and counts nowhere.
pub(super) fn open(limits: Limits, provider: &Provider) -> anyhow::Result<Option<Purse>> {
    if provider.is_emulator() {
        return Ok(None);
    }
    let account = if limits.is_empty() {
        existing().unwrap_or_else(|error| {
            tracing::warn!("what this run spends is missing in the budgets of others: {error}");
            None
        })
    } else {
        let opened = folder().ok_or(AccountError::Nowhere).and_then(|folder| Account::open(&folder));
        Some(opened.map_err(|error| refusal(&error.into()))?)
    };
    Ok(account.map(|account| Purse::new(account, provider.base_url.clone(), limits, TimeZone::system())))
}

/// A limit for all runs, as it stands before this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) span: Span,
    pub(super) limit: Credits,
    pub(super) spent: Credits,
}

/// What the account says before a run: how the limits stand, and which
/// estimates of a provider have proven too low. Makes no account.
pub(super) fn look(limits: Limits, base_url: Option<&str>) -> anyhow::Result<(Vec<Standing>, Raises)> {
    let account = existing()?;
    let now = Zoned::now();
    let spent = |span| account.as_ref().map_or(Ok(Credits::ZERO), |account| account.spent(span, &now));
    let standings = limits
        .each()
        .map(|(span, limit)| Ok(Standing { span, limit, spent: spent(span)? }))
        .collect::<Result<_, AccountError>>()?;
    let raises = match (&account, base_url) {
        (Some(account), Some(base_url)) => account.raises(base_url)?,
        _ => Raises::default(),
    };
    Ok((standings, raises))
}

fn existing() -> Result<Option<Account>, AccountError> {
    folder().map_or(Ok(None), |folder| Account::open_existing(&folder))
}

fn folder() -> Option<std::path::PathBuf> {
    state_folder(|name| std::env::var_os(name))
}

fn refusal(error: &anyhow::Error) -> anyhow::Error {
    Usage::error(format!("a budget of the day or the month can't hold without the state folder: {error:#}"))
}
