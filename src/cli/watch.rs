//! `imgbatch status --watch`: looks at a run from another terminal until it
//! ends. Reads the ledger, and nothing else but the lock.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use terminal_size::{Height, Width, terminal_size};
use unicode_width::UnicodeWidthChar;

use super::exit::Exit;
use super::summary::Summary;
use crate::events::duration;
use crate::ledger::{FolderLock, Reader, Totals};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// One look at a run.
pub(super) struct Look {
    pub(super) totals: Totals,
    pub(super) summary: Summary,
    pub(super) exit: Exit,
}

/// Shows every look that `look` takes until the run is over; gives the last.
/// Silent, it only waits.
pub(super) fn watch(
    out: &Path,
    silent: bool,
    look: impl Fn(&Reader) -> anyhow::Result<Look>,
) -> anyhow::Result<Look> {
    let began = Instant::now();
    let mut first = None;
    let reader = Reader::open(out)?;
    let mut stdout = std::io::stdout();
    let mut drawing = Drawing::default();
    let mut before = String::new();
    loop {
        // Asked first: what a run writes before it leaves is then seen.
        let going = FolderLock::is_held(out)?;
        let now = look(&reader)?;
        let over = !going || now.totals.jobs.pending + now.totals.jobs.in_flight == 0;
        if over {
            stdout.write_all(drawing.clear().as_bytes())?;
            return Ok(now);
        }
        let done = finished(&now.totals);
        let pace = pace(done - *first.get_or_insert(done), began.elapsed(), &now.totals);
        if !silent && stdout.is_terminal() {
            let text = now.summary.text(None) + &pace;
            stdout.write_all(drawing.draw(&text, screen()).as_bytes())?;
        } else if !silent && line(&now.totals) != before {
            before = line(&now.totals);
            stdout.write_all(before.as_bytes())?;
        }
        stdout.flush()?;
        std::thread::sleep(PAUSE);
    }
}

fn finished(totals: &Totals) -> u64 {
    totals.jobs.succeeded + totals.jobs.failed
}

/// How fast and how long, as far as it was watched.
fn pace(done: u64, watched: Duration, totals: &Totals) -> String {
    if done == 0 {
        return String::new();
    }
    let each = watched.div_f64(done as f64);
    let open = totals.jobs.pending + totals.jobs.in_flight;
    let minute = 60.0 / each.as_secs_f64();
    format!("  pace      {minute:.1} jobs a minute, about {} left\n", duration(each.mul_f64(open as f64)))
}

/// For pipes and logs.
fn line(totals: &Totals) -> String {
    let jobs = &totals.jobs;
    let wanted = jobs.total - jobs.skipped;
    let mut line = format!("[{}/{wanted}]", jobs.succeeded + jobs.failed + jobs.unknown);
    for (count, word) in [
        (jobs.failed, "failed"),
        (jobs.unknown, "unknown"),
        (jobs.in_flight, "in flight"),
        (jobs.pending, "pending"),
    ] {
        if count > 0 {
            // Writing to a string can't fail.
            let _ = write!(line, " {count} {word},");
        }
    }
    let pictures = totals.images_saved;
    format!("{line} {pictures} pictures, {} credits used\n", totals.used)
}

/// Columns and lines.
fn screen() -> (usize, usize) {
    let (Width(columns), Height(lines)) = terminal_size().unwrap_or((Width(80), Height(24)));
    (usize::from(columns), usize::from(lines))
}

/// Text that is written over in place: one write a look, each line up to its
/// end, and never more than the screen holds, so that nothing flickers or
/// scrolls.
#[derive(Debug, Default)]
struct Drawing {
    lines: usize,
}

impl Drawing {
    fn draw(&mut self, text: &str, (columns, lines): (usize, usize)) -> String {
        let mut drawn = self.home();
        let shown: Vec<&str> = text.lines().take(lines.saturating_sub(1).max(1)).collect();
        for line in &shown {
            drawn.push_str(&cut(line, columns));
            drawn.push_str("\u{1b}[K\n");
        }
        drawn.push_str("\u{1b}[J");
        self.lines = shown.len();
        drawn
    }

    fn clear(&mut self) -> String {
        if self.lines == 0 {
            return String::new();
        }
        let cleared = format!("{}\u{1b}[J", self.home());
        self.lines = 0;
        cleared
    }

    fn home(&self) -> String {
        if self.lines == 0 { String::new() } else { format!("\r\u{1b}[{}A", self.lines) }
    }
}

/// As much of a line as fits: a line that wraps would move all others.
fn cut(line: &str, columns: usize) -> Cow<'_, str> {
    let (mut used, mut before_last) = (0, 0);
    for (at, c) in line.char_indices() {
        if used < columns {
            before_last = at;
        }
        used += c.width().unwrap_or(0);
        if used > columns {
            return format!("{}…", &line[..before_last]).into();
        }
    }
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_replaces_the_one_before() {
        let mut drawing = Drawing::default();
        assert_eq!(drawing.clear(), "");
        assert_eq!(drawing.draw("ab\ncd\nef\n", (80, 24)), "ab\u{1b}[K\ncd\u{1b}[K\nef\u{1b}[K\n\u{1b}[J");
        assert_eq!(drawing.draw("gh\n", (80, 24)), "\r\u{1b}[3Agh\u{1b}[K\n\u{1b}[J");
        assert_eq!(drawing.clear(), "\r\u{1b}[1A\u{1b}[J");
        assert_eq!(drawing.clear(), "");
    }

    #[test]
    fn nothing_wraps_and_nothing_scrolls() {
        assert_eq!(cut("狐狐狐", 5), "狐狐…");
        assert_eq!(cut("abcdef", 5), "abcd…");
        assert_eq!(cut("abcde", 5), "abcde");
        let mut drawing = Drawing::default();
        let drawn = drawing.draw(&"x\n".repeat(50), (80, 10));
        assert_eq!(drawn.matches('\n').count(), 9);
    }

    #[test]
    fn a_line_has_what_matters() {
        let mut totals = Totals { images_saved: 7, ..Totals::default() };
        totals.jobs.total = 12;
        totals.jobs.succeeded = 7;
        totals.jobs.failed = 1;
        totals.jobs.in_flight = 4;
        assert_eq!(line(&totals), "[8/12] 1 failed, 4 in flight, 7 pictures, 0.00 credits used\n");
    }
}
