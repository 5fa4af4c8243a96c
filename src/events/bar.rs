//! A progress bar for terminals; remarkable events scroll above it.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::plain::{line, standing};
use super::text::wrap;
use super::{Event, Reporter, Screen, Snapshot};

/// One bar of finished jobs, with what it takes to judge the run at a glance.
pub struct Bar {
    #[expect(clippy::struct_field_names, reason = "it is the bar")]
    bar: ProgressBar,
    screen: Screen,
    color: bool,
}

impl Bar {
    /// A bar at the bottom of the screen.
    #[must_use]
    pub fn new(screen: &Screen, color: bool) -> Self {
        let bar = screen.bars.add(ProgressBar::new(0));
        let bar_colors = if color { ".green/dim" } else { "" };
        let template = format!("{{bar:24{bar_colors}}} {{pos}}/{{len}}  {{wide_msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self { bar, screen: screen.clone(), color }
    }

    fn show(&self, snapshot: &Snapshot) {
        let jobs = &snapshot.jobs;
        self.bar.set_length(jobs.total);
        self.bar.set_position(jobs.succeeded + jobs.failed + jobs.unknown + jobs.skipped);
        self.bar.set_message(standing(snapshot));
    }
}

impl Reporter for Bar {
    fn tell(&mut self, event: &Event, snapshot: &Snapshot) {
        // Saved pictures move the bar; a line each would bury what matters.
        if !matches!(event, Event::Saved { .. })
            && let Some(line) = line(event, self.color)
        {
            // In one piece: between two the bar would be drawn. A closed
            // terminal is no reason to stop paying attention to the run.
            let _ = self.screen.write_all(format!("{}\n", folded(&line, columns())).as_bytes());
        }
        self.show(snapshot);
    }

    fn every(&self) -> Option<Duration> {
        Some(Duration::from_millis(500))
    }

    fn tick(&mut self, snapshot: &Snapshot) {
        self.show(snapshot);
    }

    fn finish(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl fmt::Debug for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bar").finish_non_exhaustive()
    }
}

/// Of the terminal that standard error is.
fn columns() -> usize {
    let size = terminal_size::terminal_size_of(std::io::stderr());
    size.map_or(80, |(terminal_size::Width(width), _)| usize::from(width))
}

/// A line of an event in lines that a terminal does not break: the later ones
/// begin below what the first says.
fn folded(line: &str, width: usize) -> String {
    const WORD: usize = 9;
    let head = line.find("\u{1b}[0m").map_or(WORD, |at| at + "\u{1b}[0m".len());
    match line.split_at_checked(head) {
        Some((word, rest)) => format!("{word} {}", wrap(rest.trim_start(), width, WORD + 1)),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Credits, Tally};

    #[test]
    fn long_lines_are_folded_below_their_word() {
        let text = "    price a 1:1 4K high: 43.55 credits were estimated and 87.10 are charged";
        let folds = "    price a 1:1 4K high: 43.55 credits were\n          estimated and 87.10 are charged";
        assert_eq!(folded(text, 45), folds);
        let painted = format!("\u{1b}[33m{}\u{1b}[0m{}", &text[..9], &text[9..]);
        assert_eq!(folded(&painted, 45), folds.replace("    price", "\u{1b}[33m    price\u{1b}[0m"));
        assert_eq!(folded(text, 200), text);
    }

    #[test]
    fn what_matters_most_stands_first() {
        let snapshot = Snapshot {
            jobs: Tally {
                total: 100,
                succeeded: 40,
                failed: 2,
                in_flight: 8,
                pending: 50,
                ..Tally::default()
            },
            credits: Credits::from_micro(12_340_000),
            budget: Some(Credits::from_micro(1_700_000_000)),
            finished: 42,
            elapsed: Duration::from_secs(84),
            ..Snapshot::default()
        };
        assert_eq!(
            standing(&snapshot),
            "2 failed · 8 in flight · 12.34 of 1700 credits · about 1 min 56 s left · 30/min"
        );
    }
}
