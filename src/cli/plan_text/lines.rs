//! The jobs of a plan, gathered by what would be done with them. Only so many
//! of each are kept, whatever the manifest's size.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::change;
use super::page::{Ink, Page, pad};
use crate::enrol::{Action, Entry};
use crate::events::printable;
use crate::job::{Credits, Difference};

/// Jobs of one action that are listed; more are only counted.
const LISTED: usize = 20;
/// Changed jobs tell what would be bought again: more of them are listed.
const CHANGED: usize = 50;
/// The shortest column of ids.
const SHORTEST: usize = 16;
/// Columns of size, quality, number and price.
const FIGURES: usize = 35;

/// Takes the lines of a plan as they are found.
#[derive(Debug, Default)]
pub(in crate::cli) struct Lines {
    groups: [Group; 10],
}

#[derive(Debug, Default)]
struct Group {
    jobs: u64,
    buys: u64,
    /// Of reused jobs, those with fewer pictures than they ask for.
    short: u64,
    shown: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    id: String,
    figures: Option<Figures>,
    differences: Vec<Difference>,
    from: Option<String>,
}

/// What is bought.
#[derive(Debug)]
struct Figures {
    size: String,
    quality: String,
    n: u32,
    price: Option<Credits>,
}

/// Actions in the order of a plan: what costs first.
const ORDER: [&str; 10] =
    ["new", "changed", "failed", "short", "unknown", "collect", "renamed", "reuse", "skip", "removed"];

impl Lines {
    /// Takes one.
    pub(in crate::cli) fn add(&mut self, entry: &Entry<'_>) {
        let word = entry.action.word();
        let at = ORDER.iter().position(|known| *known == word).unwrap_or_default();
        let group = &mut self.groups[at];
        group.jobs += 1;
        group.buys += u64::from(entry.buys);
        group.short += u64::from(matches!(entry.action, Action::Reuse { missing: 1.. }));
        let limit = match entry.action {
            Action::Reuse { .. } | Action::Skip => 0,
            Action::New if !entry.buys => 0,
            Action::Changed(_) => CHANGED,
            _ => LISTED,
        };
        if group.shown.len() < limit {
            group.shown.push(Line::of(entry));
        }
    }

    /// All groups that are not empty.
    pub(super) fn text(&self, page: &Page) -> String {
        let ids = self.groups.iter().flat_map(|group| &group.shown).filter(|line| line.figures.is_some());
        let widest = ids.map(|line| line.id.width()).max().unwrap_or_default();
        let room = widest.min(page.width().saturating_sub(FIGURES)).max(SHORTEST);
        let mut text = String::new();
        for (word, group) in ORDER.into_iter().zip(&self.groups).filter(|(_, group)| group.jobs > 0) {
            group.write(&mut text, *page, word, room);
        }
        if text.is_empty() {
            text.push_str("no jobs\n");
        }
        if !text.ends_with("\n\n") {
            text.push('\n');
        }
        text
    }
}

impl Group {
    fn write(&self, text: &mut String, page: Page, word: &str, room: usize) {
        let count = format!("{} {}", self.jobs, if self.jobs == 1 { "job" } else { "jobs" });
        let heading = format!("{} {}  ", page.paint(ink(word), &pad(word, 9)), pad(&count, 9));
        let reason = page.wrap(&self.reason(word), 21);
        // Writing to a string can't fail.
        let _ = writeln!(text, "{heading}{}", page.paint(Ink::Faint, &reason));
        for line in &self.shown {
            line.write(text, page, room);
        }
        let all = if word == "new" { self.buys } else { self.jobs };
        let more = all - self.shown.len() as u64;
        if more > 0 && !self.shown.is_empty() {
            let _ = writeln!(text, "  and {more} more; --json lists them all");
        }
        if !self.shown.is_empty() {
            text.push('\n');
        }
    }

    fn reason(&self, word: &str) -> String {
        let part = match (word, self.buys) {
            ("new" | "changed", 0) => "; not bought by this run".into(),
            ("new" | "changed", buys) if buys < self.jobs => {
                format!("; {buys} of them are bought by this run")
            }
            ("reuse", _) if self.short > 0 => {
                format!("; {} have fewer than they ask for, which --only short buys", self.short)
            }
            _ => String::new(),
        };
        let reason = match word {
            "new" => "never submitted",
            "changed" => "asks for something else than was bought; old pictures move to replaced/",
            "renamed" => "bought under another id; nothing to pay",
            "reuse" => "the picture is here; nothing to pay",
            "collect" => "submitted and not yet here; nothing to pay",
            "failed" if self.buys > 0 => "failed; ordered and paid again",
            "failed" => "failed; --only failed orders them again",
            "short" => "fewer pictures came than asked for; only the others are bought",
            "unknown" => "may have been billed; held until `imgbatch resolve`",
            "skip" => "left out by the manifest",
            _ => "no longer in the manifest; files stay",
        };
        format!("{reason}{part}")
    }
}

impl Line {
    fn of(entry: &Entry<'_>) -> Self {
        let figures = entry.wanted.filter(|_| entry.buys).map(|wanted| Figures {
            size: wanted.size.map_or_else(|| wanted.request.size.clone(), |(w, h)| format!("{w}x{h}")),
            quality: wanted.request.quality.clone(),
            n: wanted.request.n,
            price: wanted.estimate,
        });
        let (differences, from) = match &entry.action {
            Action::Changed(differences) => (differences.clone(), None),
            Action::Renamed { from } => (vec![], Some(printable(from).into_owned())),
            _ => (vec![], None),
        };
        Self { id: printable(entry.id).into_owned(), figures, differences, from }
    }

    fn write(&self, text: &mut String, page: Page, room: usize) {
        if let Some(figures) = &self.figures {
            let id = pad(&page.fit(&self.id, room), room);
            let _ = writeln!(text, "  {id}{}", figures.text());
        } else {
            let was = self.from.as_ref().map(|from| format!("  was {from}")).unwrap_or_default();
            let line = format!("{}{was}", self.id);
            let _ = writeln!(text, "  {}", page.fit(&line, page.width() - 2));
        }
        for difference in &self.differences {
            for line in change::lines(page, difference) {
                let _ = writeln!(text, "{line}");
            }
        }
    }
}

impl Figures {
    fn text(&self) -> String {
        let n = if self.n > 1 { format!("{}x", self.n) } else { String::new() };
        let price = self.price.map_or_else(|| "no price".into(), |price| price.to_string());
        format!("  {:>9}  {:<6} {n:>3}  {price:>8}", self.size, self.quality)
    }
}

fn ink(word: &str) -> Ink {
    match word {
        "new" => Ink::Good,
        "changed" | "failed" | "short" => Ink::Attention,
        "unknown" => Ink::Doubt,
        "renamed" | "collect" => Ink::Free,
        _ => Ink::Faint,
    }
}
