//! What an emulator can be told before it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::Faults;

/// How an emulator behaves. The default is a friendly, fast API on a free port
/// of the loopback interface that accepts any key and never misbehaves.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each named where it is set")]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Folder for tasks, bills and uploads, so that a killed demo resumes.
    /// `None` keeps everything in memory.
    pub state: Option<PathBuf>,
    /// How long a task takes from its creation to its end.
    pub latency: Latency,
    /// How long the answer to a create takes. The task exists, and is billed,
    /// from the beginning: a client that gives up has paid.
    pub create_latency: Duration,
    /// What goes wrong, and when.
    pub faults: Faults,
    /// Accepted bearer keys; `None` accepts every non-empty one.
    pub keys: Option<Vec<String>>,
    /// Whether `POST /v1/tasks/batch` exists.
    pub batch: bool,
    /// Whether `GET /v1/tasks` exists.
    pub list: bool,
    /// How long after its creation a task appears in `GET /v1/tasks`.
    pub list_delay: Duration,
    /// What a repeated `Idempotency-Key` does.
    pub idempotency: Idempotency,
    /// Credits at the start; `None` is an unlimited account.
    pub balance: Option<f64>,
    /// Every price times this, so that estimates by the published prices prove
    /// too low.
    pub price_factor: f64,
    /// `GET /v1/credits` shows the figures of so long ago.
    pub balance_lag: Duration,
    /// Limit of creates in a window; beyond it 429 with `Retry-After`.
    pub rate: Option<RateLimit>,
    /// Serve one cached picture per size instead of drawing each: for large
    /// tests that measure something else.
    pub cached_pictures: bool,
    /// Pad cached pictures to this many bytes (a PNG can't be made smaller).
    pub picture_bytes: Option<usize>,
    /// How long result links live, counted from the end of the task.
    pub link_life: Duration,
    /// Uploads that may live at once.
    pub upload_quota: usize,
    /// Whether references, masks and callbacks are fetched from and posted to
    /// machines other than this one. Off, a demo stays on the machine: such a
    /// reference fails its task, such a callback is withheld.
    pub allow_remote_hosts: bool,
    /// Whether references and masks may name this machine. The API has no way
    /// to reach it; here it is the only place to reach.
    pub allow_local_references: bool,
    /// Whether a callback may name this machine, also by plain HTTP. On, since
    /// nothing else could be called by default; off, the API's rule holds:
    /// HTTPS, and no internal address.
    pub allow_local_callbacks: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            state: None,
            latency: Latency::default(),
            create_latency: Duration::ZERO,
            faults: Faults::default(),
            keys: None,
            batch: true,
            list: true,
            list_delay: Duration::ZERO,
            idempotency: Idempotency::default(),
            balance: None,
            price_factor: 1.0,
            balance_lag: Duration::ZERO,
            rate: None,
            cached_pictures: false,
            picture_bytes: None,
            link_life: Duration::from_hours(24),
            upload_quota: 2000,
            allow_remote_hosts: false,
            allow_local_references: true,
            allow_local_callbacks: true,
        }
    }
}

/// How long tasks take.
///
/// Parsed from `by-size`, `500ms`, `2s` or a range such as `1s..3s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Latency {
    /// One to three seconds, growing with the number of pixels.
    #[default]
    BySize,
    /// The same for every task.
    Fixed(Duration),
    /// Evenly spread between the two, chosen by the task's number.
    Between(Duration, Duration),
}

/// What the emulator does with an `Idempotency-Key` that it has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idempotency {
    /// The same body gives the original task with `idempotency-replayed:
    /// true`, another body is refused with `idempotency_conflict`, and
    /// `paid_outcome_unknown` is all there is to learn while the first create
    /// has not been answered yet.
    Honoured,
    /// The header means nothing: a repeat creates and bills a second task.
    /// The default, because it is the case that clients must survive.
    #[default]
    Ignored,
    /// Every repeat is refused with `idempotency_conflict`, same body or not.
    Conflict,
}

/// At most so many creates in any window. Parsed from `20/10s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Creates that a window admits, at least one.
    pub creates: usize,
    /// Length of the window.
    pub window: Duration,
}

/// An option's text could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not {wanted}")]
pub struct ParseOptionError {
    text: String,
    wanted: &'static str,
}

impl ParseOptionError {
    fn new(text: &str, wanted: &'static str) -> Self {
        Self { text: text.to_owned(), wanted }
    }
}

impl FromStr for Latency {
    type Err = ParseOptionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = "a latency such as `by-size`, `500ms`, `2s` or `1s..3s`";
        let bad = || ParseOptionError::new(text, wanted);
        if text == "by-size" {
            return Ok(Self::BySize);
        }
        let Some((low, high)) = text.split_once("..") else {
            return span(text).map(Self::Fixed).ok_or_else(bad);
        };
        match (span(low), span(high)) {
            (Some(low), Some(high)) if low <= high => Ok(Self::Between(low, high)),
            _ => Err(bad()),
        }
    }
}

impl FromStr for Idempotency {
    type Err = ParseOptionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "honoured" => Ok(Self::Honoured),
            "ignored" => Ok(Self::Ignored),
            "conflict" => Ok(Self::Conflict),
            _ => Err(ParseOptionError::new(text, "one of `honoured`, `ignored`, `conflict`")),
        }
    }
}

impl FromStr for RateLimit {
    type Err = ParseOptionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseOptionError::new(text, "a rate such as `20/10s`");
        let (creates, window) = text.split_once('/').ok_or_else(bad)?;
        let creates = creates.trim().parse().ok().filter(|&n| n > 0).ok_or_else(bad)?;
        let window = span(window).filter(|w| !w.is_zero()).ok_or_else(bad)?;
        Ok(Self { creates, window })
    }
}

/// `500ms`, `2s`, `1.5s`, `3m`, `24h`; a bare number is seconds.
fn span(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(digits.parse::<f64>().ok()? * unit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_rates_read_as_written() {
        assert_eq!("500ms".parse(), Ok(Latency::Fixed(Duration::from_millis(500))));
        assert_eq!("1s..3s".parse(), Ok(Latency::Between(Duration::from_secs(1), Duration::from_secs(3))));
        assert!("3s..1s".parse::<Latency>().is_err());
        assert!("-1s".parse::<Latency>().is_err());
        let rate: RateLimit = "20/10s".parse().unwrap();
        assert_eq!((rate.creates, rate.window), (20, Duration::from_secs(10)));
        assert!("0/10s".parse::<RateLimit>().is_err());
    }
}
