//! The lower half of the screen: the table, then money, time, room and risk.

use std::fmt::Write;
use std::time::Duration;

use super::outlook::{BudgetLine, Exposure, Outlook};
use super::page::{Ink, Page, pad, whole};
use super::table;
use crate::events::{bytes, counted, duration};
use crate::job::Credits;
use crate::model::Usual;
use crate::plan::{Bound, Forecast};

/// Columns of a line's name.
const NAME: usize = 10;

pub(super) fn text(page: &Page, outlook: &Outlook<'_>) -> String {
    let page = *page;
    if outlook.comparison.buys == 0 {
        return format!("nothing to buy\n{}", warnings(page, outlook));
    }
    let mut text = format!("{}\n", table::text(page, outlook.comparison));
    let usual = Usual::known();
    let mut line = |name: &str, words: &str| {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{}{}", page.paint(Ink::Bold, &pad(name, NAME)), page.wrap(words, NAME));
    };
    line("cost", &cost(outlook));
    if let Some(budget) = outlook.budget() {
        line("budget", &budget_words(budget));
    }
    for standing in outlook.standings {
        let all =
            BudgetLine { limit: standing.limit, committed: standing.spent, left: outlook.left_of(standing) };
        line(&standing.span.to_string(), &format!("{}, by all your runs", budget_words(all)));
    }
    if let Some(balance) = outlook.balance() {
        line("balance", &format!("{balance} credits by the API's word"));
    }
    if let Some(forecast) = outlook.forecast(&usual) {
        line("time", &time(outlook, &forecast));
        line("disk", &disk(outlook, &forecast));
    }
    line("exposure", &exposure(outlook.exposure()));
    text.push_str(&warnings(page, outlook));
    text
}

fn cost(outlook: &Outlook<'_>) -> String {
    let estimate = outlook.comparison.estimate;
    let prices = outlook.plan.prices();
    let unpriced = match outlook.comparison.unpriced {
        0 => String::new(),
        all if all == outlook.comparison.buys => return "unknown: no price is known for any of this".into(),
        jobs => format!("; no price is known for {}", counted(jobs, "job")),
    };
    format!(
        "at most {estimate} credits ({} USD) by the prices of {}, with one token a byte of text{unpriced}",
        usd(prices.usd(estimate)),
        prices.date
    )
}

/// Two digits, or more where there is too little for them.
pub(in crate::cli) fn usd(amount: f64) -> String {
    if amount > 0.0 && amount < 0.01 { format!("{amount:.4}") } else { format!("{amount:.2}") }
}

fn budget_words(budget: BudgetLine) -> String {
    let BudgetLine { limit, committed, left } = budget;
    let spent =
        if committed > Credits::ZERO { format!(", {committed} of them used or held") } else { String::new() };
    let after = if left < Credits::ZERO {
        format!("{} too few for this", Credits::ZERO - left)
    } else {
        format!("{left} left after this")
    };
    format!("{limit} credits{spent}; {after}")
}

fn time(outlook: &Outlook<'_>, forecast: &Forecast) -> String {
    let pace = match forecast.bound {
        _ if outlook.comparison.buys == 1 => String::new(),
        Bound::Rate => format!("the rate of {} decides; ", outlook.rate()),
        Bound::InFlight => format!("{} tasks at once decide; ", outlook.settings.limits.in_flight),
    };
    format!(
        "about {}: {pace}a task is assumed to take {}, and up to {}",
        took(forecast.time),
        took(forecast.task),
        took(forecast.slowest)
    )
}

fn took(time: Duration) -> String {
    whole(&duration(time))
}

fn disk(outlook: &Outlook<'_>, forecast: &Forecast) -> String {
    let free = outlook.free.map(|free| format!("; {} are free", bytes(free))).unwrap_or_default();
    format!("about {}{free}", bytes(forecast.bytes))
}

fn exposure(exposure: Exposure) -> String {
    let Exposure { usual, most, credits } = exposure;
    let word = if usual == 1 { "submission" } else { "submissions" };
    let most = if usual == most { String::new() } else { format!(", {most} at most") };
    if credits == Credits::ZERO {
        return format!("{usual} {word} on the wire at once{most}: a crash leaves as many in doubt");
    }
    format!(
        "{usual} {word} on the wire at once{most}: a crash leaves at most {} in doubt",
        whole(&format!("{credits} credits"))
    )
}

fn warnings(page: Page, outlook: &Outlook<'_>) -> String {
    let mut text = String::new();
    for warning in outlook.warnings() {
        let _ = writeln!(text, "{} {}", page.paint(Ink::Attention, "warning: "), page.wrap(&warning, NAME));
    }
    text
}
