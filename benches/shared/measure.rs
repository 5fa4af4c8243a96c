//! Runs a child and says what it cost. CPU time and memory come from `/proc`,
//! so on other systems than Linux they read as zero.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks a second in `/proc/*/stat`, on every Linux that matters.
const TICKS: f64 = 100.0;

/// What one child cost. Each bench shows a part of it.
#[allow(dead_code, reason = "shared by benches that show different parts")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// User and system.
    pub(crate) cpu_s: f64,
    pub(crate) peak_kib: u64,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
}

/// Runs `command` to its end. What it prints is kept in a file of the
/// bench's, so that a pipe that nobody empties can't hold it up.
pub(crate) fn run(command: &mut Command) -> std::io::Result<Cost> {
    let printed = tempfile::NamedTempFile::new()?;
    let said = tempfile::NamedTempFile::new()?;
    command.stdin(Stdio::null()).stdout(printed.reopen()?).stderr(said.reopen()?);
    let before = children_cpu();
    let begun = Instant::now();
    let mut child = command.spawn()?;
    let mut peak_kib = 0;
    let status = loop {
        peak_kib = peak_kib.max(high_water(&child));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let wall = begun.elapsed();
    if !status.success() {
        let said = std::fs::read_to_string(said.path())?;
        eprintln!(
            "{command:?} ended with {status}\n{}",
            said.lines().take(20).collect::<Vec<_>>().join("\n")
        );
    }
    let stdout = std::fs::read(printed.path())?;
    Ok(Cost { wall, cpu_s: children_cpu() - before, peak_kib, code: status.code(), stdout })
}

/// CPU seconds of all children that were waited for.
fn children_cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold blanks; utime is the 14th field.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    (ticks(13) + ticks(14)) / TICKS
}

fn high_water(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// The middle of some figures.
#[allow(dead_code, reason = "shared; a bench of one round needs none")]
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => figures[odd / 2],
        even => f64::midpoint(figures[even / 2 - 1], figures[even / 2]),
    }
}
