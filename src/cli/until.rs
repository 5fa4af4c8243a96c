//! `--until`: a time of day or a moment at which submissions stop.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::{ToSpan, Zoned};

/// Local time, as a person writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// The next time that a clock shows this.
    Daily(Time),
    /// This moment.
    Once(DateTime),
}

impl Until {
    /// How long it is until then; nothing where a moment has passed. A time
    /// that a change of the clocks skips is taken as far after the gap.
    pub(super) fn from(self, now: &Zoned) -> Result<Duration, jiff::Error> {
        let zone = now.time_zone();
        let moment = match self {
            Self::Once(moment) => zone.to_zoned(moment)?,
            Self::Daily(time) => {
                let today = zone.to_zoned(now.date().to_datetime(time))?;
                if today > *now {
                    today
                } else {
                    zone.to_zoned(now.date().checked_add(1.day())?.to_datetime(time))?
                }
            }
        };
        let left = moment.timestamp().duration_since(now.timestamp());
        Ok(Duration::try_from(left).unwrap_or_default())
    }
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || {
            format!(
                "{text:?} is no time; write it like 06:00 or 2026-11-25T06:00, in the time of this machine"
            )
        };
        if let Some((date, time)) = text.split_once(['T', ' ']) {
            let date: jiff::civil::Date = date.parse().map_err(|_| wrong())?;
            return Ok(Self::Once(date.to_datetime(clock(time).ok_or_else(wrong)?)));
        }
        clock(text).map(Self::Daily).ok_or_else(wrong)
    }
}

/// `6:00`, `06:00` or `06:00:30`.
fn clock(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let mut part = |most: usize| {
        let digits = parts.next()?;
        let plain = (1..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<i8>().ok()).flatten()
    };
    let (hour, minute) = (part(2)?, part(2)?);
    let second = part(2);
    if parts.next().is_some() || text.ends_with(':') || (second.is_none() && text.matches(':').count() > 1) {
        return None;
    }
    Time::new(hour, minute, second.unwrap_or(0), 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local_and_the_next_ones() {
        let rows = [
            ("06:00", "2026-11-24T22:00[Europe/Berlin]", 8.0),
            ("6:00", "2026-11-24T05:30[Europe/Berlin]", 0.5),
            ("06:00", "2026-11-24T06:00[Europe/Berlin]", 24.0),
            ("23:59:30", "2026-11-24T23:59[Asia/Kolkata]", 1.0 / 120.0),
            ("2026-11-25T06:00", "2026-11-24T22:00[America/New_York]", 8.0),
            ("2026-11-25 06:00", "2026-11-24T22:00[America/New_York]", 8.0),
            ("2026-11-24T06:00", "2026-11-24T22:00[Europe/Berlin]", 0.0),
            // Nights in which the clocks change: 02:30 comes twice, or not at all.
            ("06:00", "2026-10-24T22:00[Europe/Berlin]", 9.0),
            ("06:00", "2026-03-28T22:00[Europe/Berlin]", 7.0),
            ("02:30", "2026-03-28T22:00[Europe/Berlin]", 4.5),
            ("02:30", "2026-10-25T02:45+02:00[Europe/Berlin]", 24.75),
        ];
        for (text, now, hours) in rows {
            let now: Zoned = now.parse().unwrap();
            let left = text.parse::<Until>().unwrap().from(&now).unwrap();
            assert!((left.as_secs_f64() / 3600.0 - hours).abs() < 1e-9, "{text} from {now}: {left:?}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "6",
            "06:0x",
            "25:00",
            "06:60",
            "06:00:",
            ":30",
            "06:00:00:00",
            "+6:00",
            "2026-13-01T06:00",
            "T06:00",
            "tomorrow",
        ] {
            let error = text.parse::<Until>().unwrap_err();
            assert!(error.contains("06:00"), "{text:?}: {error}");
        }
    }
}
