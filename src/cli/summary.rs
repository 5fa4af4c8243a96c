//! What came out of a run, as one JSON document or as text.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::by::By;
use super::exit::{Exit, Remains};
use super::rungs::Rungs;
use crate::events::{bytes, counted, duration, printable, slower};
use crate::job::{Credits, Tally};
use crate::ledger::{FailureRow, LedgerError, Totals, UnknownRow, View};
use crate::runner::{Ended, slowed};

/// Failures that are listed; the ledger has all of them.
const LISTED: u32 = 1000;

/// Failures that the text shows.
const SHOWN: usize = 10;

/// A picture whose link dies sooner is in danger.
const DYING_MS: i64 = 2 * 60 * 60 * 1000;

/// The document that `--json` prints for run, submit, collect and status.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    version: u32,
    run: String,
    out: String,
    exit_code: u8,
    jobs: Tally,
    images: Images,
    cost: Cost,
    submissions: Submissions,
    failures: Vec<Failure>,
    unknown: Vec<Unknown>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    possibly_billed_twice: Vec<Twice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    balance_evidence: Option<String>,
    /// Why the run stopped buying, and what it would take.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<By>,
    /// Done jobs with fewer pictures than asked for.
    #[serde(skip)]
    short: u64,
    /// What the last refusal left of the pace.
    #[serde(skip)]
    slower: Option<String>,
    #[serde(skip)]
    next: Next,
    /// When the first link of a picture that is not here dies.
    #[serde(skip)]
    next_expiry: Option<i64>,
    #[serde(skip)]
    held: Vec<UnknownRow>,
    #[serde(skip)]
    rungs: Rungs,
}

#[derive(Debug, Serialize)]
struct Images {
    expected: u64,
    saved: u64,
    missing: u64,
    /// In another size than the API's rules promise; left out where there is none.
    #[serde(skip_serializing_if = "is_zero")]
    other_size: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the fields are the keys of the JSON document")]
struct Cost {
    estimated_credits: Credits,
    reserved_credits: Credits,
    used_credits: Credits,
    at_risk_credits: Credits,
    /// What the jobs that were done before this run have cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    saved_credits: Option<Credits>,
}

#[derive(Debug, Serialize)]
struct Submissions {
    sent: u64,
    accepted: u64,
    throttled: u64,
}

#[derive(Debug, Serialize)]
struct Failure {
    id: String,
    code: String,
    message: String,
    billed: String,
}

#[derive(Debug, Serialize)]
struct Unknown {
    id: String,
    idempotency_key: String,
    since: String,
    why: String,
    at_risk_credits: Credits,
    next: String,
    candidates: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Twice {
    id: String,
    at_risk_credits: Credits,
}

/// What can be done about the jobs that are left.
#[derive(Clone, Debug, Default)]
pub(super) enum Next {
    /// Nothing that was wanted is left.
    #[default]
    Nothing,
    /// A run is at it.
    Going,
    /// This command goes on.
    Command(String),
}

impl Remains {
    /// What a ledger's figures leave.
    pub(super) fn of(totals: &Totals) -> Self {
        let now = jiff::Timestamp::now().as_millisecond();
        Self {
            pending: totals.jobs.pending,
            in_flight: totals.jobs.in_flight,
            failed: totals.jobs.failed,
            unknown: totals.jobs.unknown,
            lost: totals.lost,
            dying: totals.next_expiry.is_some_and(|expiry| expiry - now < DYING_MS),
        }
    }
}

impl Summary {
    /// Puts the figures of a ledger into words.
    pub(super) fn of(
        view: View<'_>,
        totals: &Totals,
        folder: &Path,
        exit: Exit,
    ) -> Result<Self, LedgerError> {
        let held = view.unknowns()?;
        let rungs = Rungs::of(view)?;
        let now = jiff::Timestamp::now().as_millisecond();
        let mut unknown = Vec::new();
        for row in &held {
            let candidates = view.candidates(&row.id)?.into_iter().map(|candidate| candidate.task).collect();
            unknown.push(Unknown::of(row, rungs.next(row, now), candidates));
        }
        let doubts = view.doubts()?.into_iter();
        let name = view.identity()?.map(|identity| identity.name).unwrap_or_default();
        Ok(Self {
            version: 1,
            run: name,
            out: folder.display().to_string(),
            exit_code: exit.code(),
            jobs: totals.jobs,
            images: Images {
                expected: totals.images_expected,
                saved: totals.images_saved,
                missing: totals.images_missing,
                other_size: totals.images_other_size,
                bytes: totals.image_bytes,
            },
            cost: Cost {
                estimated_credits: totals.estimated,
                reserved_credits: totals.reserved,
                used_credits: totals.used,
                at_risk_credits: totals.at_risk,
                saved_credits: None,
            },
            submissions: Submissions {
                sent: totals.sent,
                accepted: totals.accepted,
                throttled: totals.throttled,
            },
            failures: view.failures(LISTED)?.into_iter().map(Failure::from).collect(),
            unknown,
            possibly_billed_twice: doubts
                .map(|row| Twice { id: row.id, at_risk_credits: row.at_risk })
                .collect(),
            balance_evidence: view.balance_evidence()?.filter(|_| !held.is_empty()),
            by: None,
            paused: None,
            slower: slower_by(view, totals, now)?,
            next: Next::Nothing,
            next_expiry: totals.next_expiry,
            short: if totals.images_missing > 0 { view.short()? } else { 0 },
            held,
            rungs,
        })
    }

    /// Counts the submissions of one run instead of all.
    pub(super) fn count_submissions(&mut self, ended: &Ended) {
        self.paused = ended.halted.as_ref().map(crate::runner::Halt::sentence);
        self.submissions =
            Submissions { sent: ended.sent, accepted: ended.accepted, throttled: ended.throttled };
    }

    /// Says what this run had not to buy again.
    pub(super) fn count_reuse(&mut self, saved: Option<Credits>) {
        self.cost.saved_credits = saved;
    }

    /// Tells the figures apart by a column.
    pub(super) fn tell_apart(&mut self, by: Option<By>) {
        self.by = by;
    }

    pub(super) fn json(&self) -> serde_json::Result<String> {
        Ok(format!("{}\n", serde_json::to_string(self)?))
    }

    /// Says what can be done about what is left.
    pub(super) fn say_next(&mut self, next: Next) {
        self.next = next;
    }

    /// For people, at most 80 columns where names allow it.
    pub(super) fn text(&self, ended: Option<&Ended>) -> String {
        let mut text = String::new();
        let jobs = &self.jobs;
        let wanted = jobs.total - jobs.skipped;
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "{}: {} of {} succeeded{}",
            self.run,
            jobs.succeeded,
            counted(wanted, "job"),
            self.others()
        );
        let _ = writeln!(
            text,
            "  pictures  {} of {}, {} in {}",
            self.images.saved,
            self.images.expected,
            bytes(self.images.bytes),
            Path::new(&self.out).join("images").display()
        );
        if self.images.other_size > 0 {
            let pictures = counted(self.images.other_size, "picture");
            let _ = writeln!(
                text,
                "  sizes     {pictures} in another size than promised; imgbatch check lists them"
            );
        }
        if self.short > 0 {
            let jobs = if self.short == 1 { "1 job has" } else { &format!("{} jobs have", self.short) };
            let _ = writeln!(
                text,
                "  short     {jobs} fewer pictures than asked for; --only short buys the others"
            );
        }
        let _ = writeln!(text, "  cost      {}", self.cost());
        self.list_failures(&mut text);
        self.list_unknown(&mut text);
        if let Some(by) = &self.by {
            text.push_str(&by.text());
        }
        self.tell_next(&mut text, ended);
        text
    }

    fn others(&self) -> String {
        let jobs = &self.jobs;
        let counts = [
            (jobs.failed, "failed"),
            (jobs.unknown, "unknown"),
            (jobs.in_flight, "in flight"),
            (jobs.pending, "pending"),
            (jobs.skipped, "skipped"),
        ];
        let mut text = String::new();
        for (count, word) in counts.iter().filter(|(count, _)| *count > 0) {
            let _ = write!(text, ", {count} {word}");
        }
        text
    }

    fn cost(&self) -> String {
        let Cost { estimated_credits, reserved_credits, used_credits, at_risk_credits, saved_credits } =
            &self.cost;
        let mut text = format!("{used_credits} credits used");
        for (amount, word) in [(reserved_credits, "reserved"), (at_risk_credits, "at risk")] {
            if *amount > Credits::ZERO {
                let _ = write!(text, ", {amount} {word}");
            }
        }
        let _ = write!(text, " (estimated {estimated_credits} for everything)");
        if let Some(saved) = saved_credits.filter(|saved| *saved > Credits::ZERO) {
            let _ = write!(text, ", {saved} saved by reuse");
        }
        text
    }

    fn list_failures(&self, text: &mut String) {
        for failure in self.failures.iter().take(SHOWN) {
            let _ = writeln!(
                text,
                "  failed    {}: {}: {} (billed: {})",
                printable(&failure.id),
                printable(&failure.code),
                printable(&failure.message),
                printable(&failure.billed)
            );
        }
        let more = self.jobs.failed.saturating_sub(SHOWN as u64);
        if more > 0 {
            let _ = writeln!(text, "  failed    and {more} more; --json lists them");
        }
    }

    fn list_unknown(&self, text: &mut String) {
        let now = jiff::Timestamp::now().as_millisecond();
        for (row, unknown) in self.held.iter().zip(&self.unknown).take(SHOWN) {
            let age = std::time::Duration::from_millis(
                u64::try_from(now.saturating_sub(row.intent_at)).unwrap_or(0),
            );
            let _ = writeln!(
                text,
                "  unknown   {}: {} ago, {} credits at risk: {}",
                printable(&row.id),
                duration(age),
                row.at_risk,
                printable(&row.why)
            );
            let _ = writeln!(text, "            next: {}", unknown.next);
            for task in unknown.candidates.iter().take(SHOWN) {
                let _ = writeln!(text, "            it may be {}, of the API's list", printable(task));
            }
        }
        let more = self.held.len().saturating_sub(SHOWN);
        if more > 0 {
            let _ = writeln!(text, "  unknown   and {more} more; --json lists them");
        }
        if let Some(evidence) = &self.balance_evidence {
            let _ = writeln!(text, "  balance   {evidence}");
        }
        for twice in self.possibly_billed_twice.iter().take(SHOWN) {
            let _ = writeln!(
                text,
                "  doubt     {}: its key was sent again and taken for new; {} credits may have been billed twice",
                twice.id, twice.at_risk_credits
            );
        }
        let more = self.possibly_billed_twice.len().saturating_sub(SHOWN);
        if more > 0 {
            let _ = writeln!(text, "  doubt     and {more} more; --json lists them");
        }
    }

    fn tell_next(&self, text: &mut String, ended: Option<&Ended>) {
        if let Some(ended) = ended {
            if let Some(why) = &self.paused {
                let _ = writeln!(text, "  paused    {}", printable(why));
            }
            if ended.overdue > 0 {
                let _ = writeln!(
                    text,
                    "  overdue   {} tasks take longer than expected; they are paid and not resubmitted",
                    ended.overdue
                );
            }
            if ended.left > 0 {
                let _ =
                    writeln!(text, "  download  {} paid pictures could not be fetched this time", ended.left);
            }
        }
        if let Some(slower) = &self.slower {
            let _ = writeln!(text, "  slowed    by the API's refusals: {slower}");
        }
        if let Some(at) = self.next_expiry {
            let left = at.saturating_sub(jiff::Timestamp::now().as_millisecond());
            let left = std::time::Duration::from_millis(u64::try_from(left).unwrap_or(0));
            let _ = writeln!(
                text,
                "  expires   the first link of a paid picture that is not here: {}",
                duration(left)
            );
        }
        let out = shell_word(&self.out);
        if self.jobs.unknown > 0 {
            let _ = write!(text, "{}", self.rungs.explanation(&out));
        }
        if self.jobs.pending + self.jobs.in_flight == 0 {
            return;
        }
        let then = if self.paused.is_some() { " after that" } else { "" };
        let _ = match &self.next {
            Next::Nothing => Ok(()),
            Next::Going => writeln!(text, "A run of this folder is going."),
            Next::Command(command) => writeln!(text, "To go on{then}:\n  {command}"),
        };
    }
}

/// What the last refusal left of the pace, as long as it matters to something
/// that is to be submitted.
fn slower_by(view: View<'_>, totals: &Totals, now: i64) -> Result<Option<String>, LedgerError> {
    if totals.jobs.pending == 0 {
        return Ok(None);
    }
    let slowed = view.pace()?.and_then(|text| slowed(&text, now));
    Ok(slowed.and_then(|slowed| {
        let then = slower(slowed.share, slowed.in_flight);
        if slowed.hold.is_zero() {
            return then;
        }
        let wait = format!("none for {}", duration(slowed.hold));
        Some(match then {
            Some(then) => format!("{wait}, then {then}"),
            None => wait,
        })
    }))
}

impl From<FailureRow> for Failure {
    fn from(row: FailureRow) -> Self {
        Self { id: row.id, code: row.code, message: row.message, billed: row.billed }
    }
}

impl Unknown {
    fn of(row: &UnknownRow, next: String, candidates: Vec<String>) -> Self {
        Self {
            id: row.id.clone(),
            idempotency_key: row.key.clone(),
            since: jiff::Timestamp::from_millisecond(row.intent_at)
                .map_or_else(|_| String::new(), |at| at.to_string()),
            why: row.why.clone(),
            at_risk_credits: row.at_risk,
            next,
            candidates,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A word that a shell takes as it is.
pub(super) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=+:@,%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell_word("out/winter-2026"), "out/winter-2026");
        assert_eq!(shell_word("it's here"), r"'it'\''s here'");
        assert_eq!(shell_word(""), "''");
    }
}
