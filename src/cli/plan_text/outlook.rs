//! What a plan adds up to beside its jobs: money, time, room, and what a crash
//! would leave in doubt. Text and JSON say the same.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::api::Balance;
use crate::cli::purse::Standing;
use crate::enrol::Comparison;
use crate::events::{bytes, counted};
use crate::job::Credits;
use crate::manifest::Diagnostic;
use crate::manifest::units::Rate;
use crate::model::Usual;
use crate::plan::{Bound, Forecast, Plan, forecast};
use crate::runner::Settings;

/// How long a POST takes before a run has measured it.
const POST_SECONDS: f64 = 0.5;

/// Everything that the screen before spending is made of.
#[derive(Debug)]
pub(in crate::cli) struct Outlook<'a> {
    pub(in crate::cli) plan: &'a Plan,
    pub(in crate::cli) comparison: &'a Comparison,
    pub(in crate::cli) settings: &'a Settings,
    /// What the ledger's attempts hold against the budget.
    pub(in crate::cli) committed: Credits,
    /// The limits of all runs together.
    pub(in crate::cli) standings: &'a [Standing],
    /// Free bytes where the pictures go.
    pub(in crate::cli) free: Option<u64>,
    /// What the API said, or why it could not be asked, where that was wanted.
    pub(in crate::cli) balance: Option<Result<Balance, String>>,
    /// A host that takes local images is named.
    pub(in crate::cli) takes_files: bool,
}

/// The budget and what this plan leaves of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BudgetLine {
    pub(super) limit: Credits,
    pub(super) committed: Credits,
    /// Below zero where it does not reach.
    pub(super) left: Credits,
}

/// Submissions without an answer after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exposure {
    pub(super) usual: u64,
    pub(super) most: u64,
    pub(super) credits: Credits,
}

impl Outlook<'_> {
    pub(super) fn rate(&self) -> Rate {
        Rate { count: self.settings.limits.count, window: self.settings.limits.window }
    }

    pub(super) fn forecast(&self, usual: &Usual) -> Option<Forecast> {
        forecast(&self.comparison.kinds, usual, self.rate(), self.settings.limits.in_flight)
    }

    pub(super) fn budget(&self) -> Option<BudgetLine> {
        let limit = self.settings.budget?;
        let left = limit - self.committed - self.comparison.estimate;
        Some(BudgetLine { limit, committed: self.committed, left })
    }

    /// What this plan leaves of a limit of all runs; below zero where it does
    /// not reach.
    pub(super) fn left_of(&self, standing: &Standing) -> Credits {
        standing.limit - standing.spent - self.comparison.estimate
    }

    /// What the key may still spend, as far as the API told.
    pub(super) fn balance(&self) -> Option<Credits> {
        let balance = self.balance.as_ref()?.as_ref().ok()?;
        let key = balance.key_remaining.filter(|_| !balance.unlimited);
        [key, balance.user_remaining].into_iter().flatten().min()
    }

    pub(super) fn exposure(&self) -> Exposure {
        let (least, most) = self.settings.posts.bounds();
        let rate = self.rate();
        let wanted = (f64::from(rate.count) / rate.window.as_secs_f64() * POST_SECONDS * 2.0).ceil() as u32;
        let within =
            |posts: u32| u64::from(posts.min(self.settings.limits.in_flight)).min(self.comparison.buys);
        let (usual, most) = (within(wanted.clamp(least, most)), within(most));
        let credits = self.comparison.dearest.times(most as u32).min(self.comparison.estimate);
        Exposure { usual, most, credits }
    }

    /// What should be known before a yes, beside the manifest's own warnings.
    pub(in crate::cli) fn warnings(&self) -> Vec<String> {
        let mut warnings = vec![];
        let Comparison { unpriced, estimate, uploads, .. } = *self.comparison;
        if unpriced > 0 && (self.settings.budget.is_some() || !self.standings.is_empty()) {
            warnings.push(format!(
                "no price is known for the model of {}: not bought under a budget; add the model to a file of prices",
                counted(unpriced, "job")
            ));
        } else if unpriced > 0 {
            warnings.push(format!(
                "no price is known for the model of {}, which is not in these sums",
                counted(unpriced, "job")
            ));
        }
        if let Some(BudgetLine { left, .. }) = self.budget().filter(|budget| budget.left < Credits::ZERO) {
            let short = Credits::ZERO - left;
            warnings.push(format!("the budget may be {short} credits short: the run pauses where it ends"));
        }
        for standing in self.standings {
            let left = self.left_of(standing);
            if left < Credits::ZERO {
                warnings.push(format!(
                    "the budget of the {} may be {} credits short: the run pauses where it ends",
                    standing.span,
                    Credits::ZERO - left
                ));
            }
        }
        if let Some(short) =
            self.balance().map(|balance| estimate - balance).filter(|short| *short > Credits::ZERO)
        {
            warnings.push(format!("the balance may be {short} credits short: the run pauses where it ends"));
        }
        if let Some(Err(why)) = &self.balance {
            warnings.push(format!("the balance was not read: {why}"));
        }
        if uploads > 0 && !self.takes_files {
            warnings.push(format!(
                "no host is named that takes the local images of {}: set provider.files_url, or use links",
                counted(uploads, "job")
            ));
        }
        let needed = self.forecast(&Usual::known()).map_or(0, |forecast| forecast.bytes);
        if let Some(free) = self.free.filter(|free| *free < needed) {
            let (free, needed) = (bytes(free), bytes(needed));
            warnings.push(format!("the disk has {free} free, and the pictures may take {needed}"));
        }
        warnings
    }

    /// The part of `plan --json` beside its jobs.
    pub(in crate::cli) fn json(&self) -> Map<String, Value> {
        let Exposure { usual, most, credits } = self.exposure();
        let usual_of_tasks = Usual::known();
        let forecast = self.forecast(&usual_of_tasks);
        let warnings = self.comparison.totals.warnings.as_slice().iter().map(warning);
        let own = self.warnings().into_iter().map(|message| json!({ "message": message }));
        let parts = json!({
            "totals": self.totals(),
            "budget": self.budget().map(|budget| json!({
                "credits": budget.limit, "committed_credits": budget.committed, "left_credits": budget.left,
            })),
            "balance_credits": self.balance(),
            "prices": { "date": self.plan.prices().date, "source": self.plan.prices().source },
            "time": forecast.map(|forecast| json!({
                "seconds": seconds(forecast.time),
                "bound_by": match forecast.bound { Bound::Rate => "rate", Bound::InFlight => "in_flight" },
                "task_seconds": seconds(forecast.task),
                "slowest_seconds": seconds(forecast.slowest),
                "assumed": usual_of_tasks.source,
            })),
            "disk": {
                "bytes": forecast.map_or(0, |forecast| forecast.bytes),
                "free_bytes": self.free,
            },
            "exposure": { "submissions": usual, "most_submissions": most, "credits": credits },
            "warnings": warnings.chain(own).collect::<Vec<_>>(),
        });
        let mut parts = match parts {
            Value::Object(parts) => parts,
            _ => Map::new(),
        };
        if !self.standings.is_empty() {
            parts.insert(
                "limits".into(),
                self.standings.iter().map(|standing| self.limit(standing)).collect(),
            );
        }
        parts
    }

    fn limit(&self, standing: &Standing) -> Value {
        json!({
            "span": standing.span.to_string(), "credits": standing.limit,
            "spent_credits": standing.spent, "left_credits": self.left_of(standing),
        })
    }

    fn totals(&self) -> Value {
        let comparison = self.comparison;
        let counts = comparison.counts.all();
        let mut totals = json!({ "jobs": counts.iter().map(|(_, count)| count).sum::<u64>() });
        for (word, count) in counts {
            totals[word] = json!(count);
        }
        totals["submissions"] = json!(comparison.buys);
        totals["images"] = json!(comparison.pictures);
        totals["credits"] = json!(comparison.estimate);
        totals["usd"] = json!((self.plan.prices().usd(comparison.estimate) * 1e4).round() / 1e4);
        totals["unpriced"] = json!(comparison.unpriced);
        let bought = comparison.bought.iter().map(|(word, share)| {
            let share = json!({ "jobs": share.jobs, "images": share.pictures, "credits": share.estimate });
            ((*word).to_owned(), share)
        });
        totals["by_action"] = Value::Object(bought.collect());
        let kinds = comparison.kinds.iter().map(|(kind, share)| {
            let (width, height) = kind.pixels();
            json!({
                "size": kind.size, "resolution": kind.resolution, "quality": kind.quality,
                "width": width, "height": height,
                "jobs": share.jobs, "images": share.pictures, "credits": share.estimate,
                "least_credits": share.least, "most_credits": share.most,
                "unpriced": share.unpriced,
            })
        });
        totals["by_kind"] = kinds.collect();
        totals
    }
}

fn seconds(time: Duration) -> u64 {
    time.as_secs_f64().round() as u64
}

fn warning(diagnostic: &Diagnostic) -> Value {
    let location = diagnostic.location.as_ref();
    json!({
        "message": diagnostic.message,
        "help": diagnostic.help,
        "file": location.map(|location| &location.file),
        "line": location.map(|location| location.line),
        "column": location.map(|location| location.column),
    })
}

/// Free bytes where `folder` is or will be.
pub(in crate::cli) fn free_bytes(folder: &Path) -> Option<u64> {
    let here = Path::new(".");
    let existing =
        folder.ancestors().find(|folder| folder.exists()).filter(|found| !found.as_os_str().is_empty());
    let stat = rustix::fs::statvfs(existing.unwrap_or(here)).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}
