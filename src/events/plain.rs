//! One line an event, for logs and pipes.

use std::io::Write;
use std::time::Duration;

use super::text::{bytes, duration, printable, slower};
use super::{Event, Reporter, Snapshot};

/// Between two lines about how the run stands.
const STANDING_EVERY: Duration = Duration::from_secs(30);

/// Writes a line for every event but the acceptance of a submission.
#[derive(Debug)]
pub struct Plain<W> {
    out: W,
    color: bool,
}

impl<W: Write + Send> Plain<W> {
    /// Writes to `out`; `color` marks the state words.
    #[must_use]
    pub fn new(out: W, color: bool) -> Self {
        Self { out, color }
    }
}

impl<W: Write + Send> Plain<W> {
    fn write(&mut self, line: &str, snapshot: &Snapshot) {
        let jobs = &snapshot.jobs;
        let done = jobs.succeeded + jobs.failed + jobs.unknown + jobs.skipped;
        let total = jobs.total.to_string();
        let line = format!("[{done:>width$}/{total}] {line}\n", width = total.len());
        // In one write, as others may write there too. A closed pipe is no
        // reason to stop paying attention to the run.
        let _ = self.out.write_all(line.as_bytes());
    }
}

impl<W: Write + Send> Reporter for Plain<W> {
    fn tell(&mut self, event: &Event, snapshot: &Snapshot) {
        if let Some(line) = line(event, self.color) {
            self.write(&line, snapshot);
        }
    }

    fn every(&self) -> Option<Duration> {
        Some(STANDING_EVERY)
    }

    /// What a bar shows, now and then.
    fn tick(&mut self, snapshot: &Snapshot) {
        if snapshot.elapsed >= STANDING_EVERY {
            self.write(&format!("{:>9} {}", "progress", standing(snapshot)), snapshot);
        }
    }
}

/// The figures beside the count, the most important first: 80 columns cut the
/// end of a bar.
pub(super) fn standing(snapshot: &Snapshot) -> String {
    let jobs = &snapshot.jobs;
    let mut parts = Vec::new();
    for (count, word) in [(jobs.failed, "failed"), (jobs.unknown, "unknown"), (jobs.in_flight, "in flight")] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    parts.push(match snapshot.budget {
        Some(budget) => format!("{} of {budget:.0} credits", snapshot.credits),
        None => format!("{} credits", snapshot.credits),
    });
    match (&snapshot.halted, snapshot.remaining()) {
        (Some(why), _) => parts.push(why.clone()),
        (None, Some(remaining)) if remaining > Duration::from_secs(1) => {
            parts.push(format!("about {} left", duration(remaining)));
        }
        (None, _) => {}
    }
    parts.extend(snapshot.next_expiry.and_then(expiry));
    if let Some(pace) = snapshot.pace() {
        parts.push(if pace < 10.0 { format!("{pace:.1}/min") } else { format!("{pace:.0}/min") });
    }
    parts.join(" · ")
}

/// A link that dies soon is worth a word.
fn expiry(at: i64) -> Option<String> {
    const SOON: Duration = Duration::from_hours(6);
    let left = at.saturating_sub(jiff::Timestamp::now().as_millisecond());
    let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
    (left < SOON).then(|| format!("a link dies in {}", duration(left)))
}

/// What a user reads about an event; `None` for what only a log needs.
pub(super) fn line(event: &Event, color: bool) -> Option<String> {
    let word = |code: u8, word: &str| {
        if color { format!("\u{1b}[{code}m{word:>9}\u{1b}[0m") } else { format!("{word:>9}") }
    };
    Some(match event {
        Event::Started { collecting: 0 } | Event::Submitted { .. } | Event::Ended => return None,
        Event::Started { collecting } => {
            format!("{} {collecting} paid jobs of an earlier run", word(36, "collect"))
        }
        Event::Saved { path, bytes: length, width, height, promised, .. } => {
            let note = match promised {
                Some((w, h)) => format!(" (expected {w}x{h})"),
                None => String::new(),
            };
            format!("{} {path}  {width}x{height}{note}  {}", word(32, "saved"), bytes(*length))
        }
        Event::Failed { id, code, message } => {
            format!("{} {}: {}: {}", word(31, "failed"), printable(id), printable(code), printable(message))
        }
        Event::TryingAgain { id, code, after } => {
            format!(
                "{} {}: {}; another paid try in {}",
                word(33, "again"),
                printable(id),
                printable(code),
                duration(*after)
            )
        }
        Event::Unknown { id, why, at_risk } => {
            let (id, why) = (printable(id), printable(why));
            format!("{} {id}: {why}; {at_risk} credits at risk, held", word(35, "unknown"))
        }
        Event::Resolved { id, task, how } => {
            format!("{} {id}: {how}; {} is collected", word(36, "resolved"), printable(task))
        }
        Event::Doubted { why } => {
            format!("{} keys are not sent again in this folder: {}", word(31, "doubt"), printable(why))
        }
        Event::Dearer { kind, estimated, proven } => {
            let kind = printable(kind);
            format!(
                "{} {kind}: {estimated} credits were estimated and {proven} are charged; from now on this kind reserves as much more",
                word(33, "price")
            )
        }
        Event::Throttled { wait, share, tasks } => {
            let then = slower(*share, *tasks).map(|slower| format!(", then {slower}")).unwrap_or_default();
            format!("{} the provider asks for fewer submissions; {}{then}", word(33, "wait"), duration(*wait))
        }
        Event::Delayed { why, wait } => {
            format!("{} {}; next try in {}", word(33, "wait"), printable(why), duration(*wait))
        }
        Event::Waiting { why } => {
            format!("{} {}; submissions wait until some of that is here", word(33, "wait"), printable(why))
        }
        Event::FetchFailed { id, why, again } => {
            let next = if *again { "fetched again" } else { "left for the next run" };
            format!("{} {}: {}; {next}", word(33, "download"), printable(id), printable(why))
        }
        Event::Paused { why } => format!("{} {}", word(31, "paused"), printable(why)),
        Event::Stopping { why, collecting, remaining } => {
            let time = remaining.map_or_else(String::new, |time| format!(", about {}", duration(time)));
            format!("{} {why}; {collecting} paid jobs are still collected{time}", word(33, "stopping"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::JsonLines;
    use super::*;

    /// What was written, write by write.
    #[derive(Default)]
    struct Writes(Vec<String>);

    impl Write for &mut Writes {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.push(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_write() {
        let (mut plain, mut json) = (Writes::default(), Writes::default());
        let event = Event::Throttled { wait: Duration::from_secs(2), share: 0.5, tasks: Some(1) };
        Plain::new(&mut plain, false).tell(&event, &Snapshot::default());
        JsonLines::new(&mut json).tell(&event, &Snapshot::default());
        for Writes(writes) in [plain, json] {
            assert_eq!(writes.len(), 1, "{writes:?}");
            assert_eq!(writes[0].find('\n'), Some(writes[0].len() - 1));
        }
    }

    #[test]
    fn how_the_run_stands_is_said_now_and_then() {
        let mut plain = Plain::new(Vec::new(), false);
        let mut snapshot = Snapshot { finished: 7, elapsed: Duration::from_mins(1), ..Snapshot::default() };
        snapshot.jobs.total = 120;
        (snapshot.jobs.succeeded, snapshot.jobs.in_flight, snapshot.jobs.pending) = (7, 13, 100);
        plain.tick(&snapshot);
        let text = String::from_utf8(plain.out).unwrap();
        assert_eq!(
            text,
            "[  7/120]  progress 13 in flight · 0.00 credits · about 16 min 9 s left · 7.0/min\n"
        );
    }

    #[test]
    fn lines_carry_a_count_and_no_control_characters() {
        let mut plain = Plain::new(Vec::new(), false);
        let mut snapshot = Snapshot::default();
        snapshot.jobs.total = 120;
        snapshot.jobs.succeeded = 7;
        let failed = Event::Failed { id: "a".into(), code: "x".into(), message: "\u{1b}[2Jgone".into() };
        plain.tell(&failed, &snapshot);
        assert_eq!(String::from_utf8(plain.out).unwrap(), "[  7/120]    failed a: x:  [2Jgone\n");
    }
}
