//! The knobs of a run: flag, then environment, then manifest, then default.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::Usage;
use super::until::Until;
use crate::account;
use crate::enrol::{Only, Selection};
use crate::job::{Chosen, Credits};
use crate::ledger::{Select, View};
use crate::manifest::units::{Budget, Period, Rate, StopAfter};
use crate::manifest::{Run, Spending};
use crate::model::Prices;
use crate::pacer::Limits;
use crate::runner::Settings;

/// Which jobs.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct SelectArgs {
    /// Only jobs that would run for this reason.
    #[arg(long, value_enum, value_name = "REASON")]
    pub(super) only: Option<Only>,
    /// Only jobs whose id matches this glob: `*` any text, `?` one character.
    #[arg(long, value_name = "GLOB")]
    pub(super) select: Option<String>,
    /// Only jobs that this file lists, one id a line, as the gallery exports
    /// its picks.
    #[arg(long, value_name = "FILE")]
    pub(super) select_from: Option<PathBuf>,
    /// Submit at most this many jobs.
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<u64>,
}

impl SelectArgs {
    pub(super) fn selection(&self) -> anyhow::Result<Selection> {
        let chosen = self.select_from.as_deref().map(chosen).transpose()?;
        let select = Select::new(self.select.clone(), chosen);
        Ok(Selection { only: self.only, select, limit: self.limit })
    }

    /// Says which ids of the list are no jobs; `view` is that of the ledger
    /// with the whole manifest in it.
    pub(super) fn warn_of_strangers(&self, view: View<'_>, select: &Select) -> anyhow::Result<()> {
        if let (count @ 1.., Some(first)) = view.strangers(select)? {
            let file = self.select_from.as_deref().unwrap_or(Path::new("the list")).display();
            tracing::warn!("{count} ids in {file} are no jobs of this manifest, the first is {first:?}");
        }
        Ok(())
    }
}

fn chosen(path: &Path) -> anyhow::Result<Chosen> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Usage::error(format!("--select-from {}: {error}", path.display())))?;
    text.parse().map_err(|error| Usage::error(format!("--select-from {}: {error}", path.display())))
}

/// How fast, how much, how long.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct PaceArgs {
    /// Submissions in a window, such as 20/10s.
    #[arg(long, env = "IMGBATCH_RATE", value_name = "N/TIME")]
    rate: Option<Rate>,
    /// Tasks that the API may be working on at once.
    #[arg(long, env = "IMGBATCH_IN_FLIGHT", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    in_flight: Option<u32>,
    /// Downloads at once.
    #[arg(long, env = "IMGBATCH_DOWNLOADS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    downloads: Option<u32>,
    /// The most that all runs of this folder may spend: "25 USD" or "1700 credits".
    #[arg(long, env = "IMGBATCH_BUDGET", value_name = "AMOUNT")]
    pub(super) budget: Option<Budget>,
    /// The most that all runs of yours may spend in a day, in all folders.
    #[arg(long, env = "IMGBATCH_DAY_BUDGET", value_name = "AMOUNT")]
    day_budget: Option<Budget>,
    /// The most that all runs of yours may spend in a month, in all folders.
    #[arg(long, env = "IMGBATCH_MONTH_BUDGET", value_name = "AMOUNT")]
    month_budget: Option<Budget>,
    /// Pause when so many jobs failed: "10 failed" or "20% failed".
    #[arg(long, env = "IMGBATCH_STOP_AFTER", value_name = "LIMIT")]
    stop_after: Option<StopAfter>,
    /// Stop submitting after this time, such as 6h; collecting goes on.
    #[arg(long, env = "IMGBATCH_TIME_LIMIT", value_name = "TIME")]
    time_limit: Option<Period>,
    /// Stop submitting at this local time, such as 06:00 or 2026-11-25T06:00; collecting goes on.
    #[arg(long, env = "IMGBATCH_UNTIL", value_name = "TIME")]
    until: Option<Until>,
}

impl PaceArgs {
    /// When submissions stop, by whichever limit comes first.
    fn deadline(&self) -> anyhow::Result<Option<Instant>> {
        let limit = self.time_limit.map(|Period(limit)| limit);
        let until = self.until.map(|until| until.from(&jiff::Zoned::now())).transpose()?;
        let left = limit.into_iter().chain(until).min();
        Ok(left.and_then(|left| Instant::now().checked_add(left)))
    }
}

/// The settings of a run over a manifest's `[run]`, as for a provider of which
/// nothing is known.
pub(super) fn resolve(
    pace: &PaceArgs,
    run: &Run,
    prices: &Prices,
    selection: &Selection,
    collect: bool,
) -> anyhow::Result<Settings> {
    let rate = pace.rate.unwrap_or(run.rate);
    let budget = pace.budget.or(run.budget).map(|budget| credits(budget, prices)).transpose()?;
    Ok(Settings {
        limits: Limits {
            count: rate.count,
            window: rate.window,
            in_flight: pace.in_flight.unwrap_or(run.in_flight),
        },
        posts: run.posts,
        downloads: pace.downloads.unwrap_or(run.downloads),
        attempts: run.attempts,
        retry_empty: run.retry_empty,
        overdue: run.overdue.0,
        budget,
        stop_after: pace.stop_after.or(run.stop_after),
        submit: selection.filter(),
        limit: selection.limit,
        collect,
        deadline: pace.deadline()?,
        replays: false,
        exclusive_key: false,
    })
}

/// What all runs of the user together may spend.
pub(super) fn limits(pace: &PaceArgs, budget: &Spending, prices: &Prices) -> anyhow::Result<account::Limits> {
    let amount = |flag: Option<Budget>, named: Option<Budget>| {
        flag.or(named).map(|budget| credits(budget, prices)).transpose()
    };
    Ok(account::Limits {
        day: amount(pace.day_budget, budget.day)?,
        month: amount(pace.month_budget, budget.month)?,
    })
}

/// How long ago submissions still count for the pace.
pub(super) fn pace_window(settings: &Settings) -> Duration {
    settings.limits.window.mul_f64(1.1)
}

fn credits(budget: Budget, prices: &Prices) -> anyhow::Result<Credits> {
    let amount = match budget {
        Budget::Credits(credits) => Credits::from_f64(credits),
        Budget::Usd(usd) => prices.credits(usd),
    };
    amount.ok_or_else(|| Usage::error(format!("the budget {budget} is beyond all bounds")))
}
