//! A plan as text: each job with its reason, then what it adds up to.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;

use serde_json::Value;

use crate::enrol::{Action, Comparison, Counts, Entry};
use crate::events::printable;
use crate::plan::Plan;

/// Jobs that are listed one by one; more are only counted.
const LISTED: u64 = 200;

/// A value in a difference is cut to this many characters.
const VALUE: usize = 48;

/// Writes the lines of a plan.
#[derive(Debug)]
pub(super) struct Lines {
    color: bool,
    written: u64,
    more: u64,
}

impl Lines {
    pub(super) fn new(color: bool) -> Self {
        Self { color, written: 0, more: 0 }
    }

    pub(super) fn write(&mut self, out: &mut impl Write, entry: &Entry<'_>) -> io::Result<()> {
        if self.written >= LISTED {
            self.more += 1;
            return Ok(());
        }
        self.written += 1;
        let size = entry.wanted.and_then(|wanted| wanted.size);
        let size = size.map_or_else(String::new, |(width, height)| format!("  {width}x{height}"));
        let price = entry.wanted.filter(|_| entry.buys).and_then(|wanted| wanted.estimate);
        let price = price.map_or_else(String::new, |price| format!("  {price} credits"));
        writeln!(out, "  {} {}{size}{price}", self.word(&entry.action), printable(entry.id))?;
        match &entry.action {
            Action::Changed(differences) => {
                for difference in differences {
                    let (from, to) = (short(&difference.from), short(&difference.to));
                    writeln!(out, "            {}: {from} -> {to}", difference.field)?;
                }
                Ok(())
            }
            Action::Renamed { from } => writeln!(out, "            was {}", printable(from)),
            _ => Ok(()),
        }
    }

    fn word(&self, action: &Action) -> String {
        let word = format!("{:<9}", action.word());
        let code = match action {
            Action::New => 32,
            Action::Changed(_) | Action::Failed => 33,
            Action::Unknown => 35,
            Action::Renamed { .. } | Action::Collect => 36,
            Action::Reuse | Action::Skip | Action::Removed => 2,
        };
        if self.color { format!("\u{1b}[{code}m{word}\u{1b}[0m") } else { word }
    }
}

/// Why a job has its action, in one sentence.
pub(super) fn reason(action: &Action) -> String {
    match action {
        Action::New => "never submitted".into(),
        Action::Changed(differences) => {
            if differences.is_empty() {
                return "changed since it was bought".into();
            }
            let fields: Vec<&str> = differences.iter().map(|difference| difference.field.as_str()).collect();
            format!("changed: {}", fields.join(", "))
        }
        Action::Renamed { from } => format!("bought as {from}"),
        Action::Reuse => "the picture is here".into(),
        Action::Collect => "submitted, not yet here; nothing to pay".into(),
        Action::Failed => "failed; bought again only with --only failed".into(),
        Action::Unknown => "its submission may have been billed; held until it is resolved".into(),
        Action::Skip => "skipped by the manifest".into(),
        Action::Removed => "no longer in the manifest; files stay".into(),
    }
}

/// The counts that are not zero, one a line.
pub(super) fn counts(counts: &Counts) -> String {
    let mut text = String::new();
    for (word, count) in counts.all().into_iter().filter(|(_, count)| *count > 0) {
        let _ = writeln!(text, "  {word:<9} {count}");
    }
    text
}

/// Prints the lines that were held back, and the sums.
pub(super) fn print(
    mut spool: File,
    lines: &Lines,
    comparison: &Comparison,
    plan: &Plan,
    out: &Path,
) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{} -> {}", plan.name(), out.display())?;
    spool.rewind()?;
    io::copy(&mut spool, &mut stdout)?;
    if lines.more > 0 {
        writeln!(stdout, "  and {} more; --json lists them all", lines.more)?;
    }
    stdout.write_all(sums(comparison, plan).as_bytes())?;
    stdout.flush()
}

fn sums(comparison: &Comparison, plan: &Plan) -> String {
    let parts: Vec<String> = comparison
        .counts
        .all()
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    let mut text = format!("{}\n", if parts.is_empty() { "no jobs".into() } else { parts.join(", ") });
    if comparison.buys == 0 {
        text.push_str("nothing to buy\n");
        return text;
    }
    let usd = plan.prices().usd(comparison.estimate);
    let _ = writeln!(
        text,
        "to buy: {} pictures for at most {} credits ({usd:.2} USD)",
        comparison.pictures, comparison.estimate
    );
    if comparison.unpriced > 0 {
        let _ = writeln!(text, "and {} jobs whose model has no known price", comparison.unpriced);
    }
    text
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".into(),
        value => value.to_string(),
    };
    let text = printable(&text);
    if text.chars().count() > VALUE {
        format!("{}...", text.chars().take(VALUE).collect::<String>())
    } else {
        text.into_owned()
    }
}
