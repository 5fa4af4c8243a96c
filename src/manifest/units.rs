//! Amounts as people write them: `20/10s`, `15m`, `25 USD`, `20% failed`.
//!
//! One spelling serves manifests and command-line flags.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A text that is no such amount; says what one looks like.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}; write for example {example}")]
pub struct UnitError {
    text: String,
    what: &'static str,
    example: &'static str,
}

fn refuse<T>(text: &str, what: &'static str, example: &'static str) -> Result<T, UnitError> {
    Err(UnitError { text: text.to_owned(), what, example })
}

/// How many submissions may start in any window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// At least 1.
    pub count: u32,
    /// Longer than nothing, at most a day.
    pub window: Duration,
}

impl Default for Rate {
    /// 20 in 10 seconds.
    fn default() -> Self {
        Self { count: 20, window: Duration::from_secs(10) }
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let parsed = text.split_once('/').and_then(|(count, window)| {
            let count = count.trim().parse().ok().filter(|&count| count >= 1)?;
            let window = match window.trim() {
                "s" | "sec" | "second" => Duration::from_secs(1),
                "m" | "min" | "minute" => Duration::from_mins(1),
                "h" | "hour" => Duration::from_hours(1),
                window => duration(window)?,
            };
            (window <= Duration::from_hours(24)).then_some(Self { count, window })
        });
        parsed.map_or_else(|| refuse(text, "a rate", "`20/10s`, `5/s` or `120/min`"), Ok)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, Period(self.window))
    }
}

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl FromStr for Period {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        duration(text.trim())
            .map_or_else(|| refuse(text, "a length of time", "`90s`, `15m` or `6h`"), |found| Ok(Self(found)))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.subsec_millis());
        match (seconds, millis) {
            (_, 1..) => write!(f, "{}ms", self.0.as_millis()),
            (s, 0) if s > 0 && s.is_multiple_of(86_400) => write!(f, "{}d", s / 86_400),
            (s, 0) if s > 0 && s.is_multiple_of(3_600) => write!(f, "{}h", s / 3_600),
            (s, 0) if s > 0 && s.is_multiple_of(60) => write!(f, "{}m", s / 60),
            (s, 0) => write!(f, "{s}s"),
        }
    }
}

/// One or more numbers with units, such as `1h30m`; never zero, at most a year.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => 0.001,
            "s" | "sec" | "second" | "seconds" => 1.0,
            "m" | "min" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3_600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * unit).ok()?)?;
        rest = rest[letters..].trim_start();
    }
    (total > Duration::ZERO && total <= Duration::from_hours(366 * 24)).then_some(total)
}

/// The most that a run may spend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// In the provider's credits.
    Credits(f64),
    /// In USD, converted at the published price of a credit.
    Usd(f64),
}

impl FromStr for Budget {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let trimmed = text.trim();
        let amount = |number: &str| number.trim().parse().ok().filter(|n: &f64| n.is_finite() && *n >= 0.0);
        let digits = trimmed.find(|c: char| c.is_alphabetic()).unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits);
        let parsed = match (trimmed.strip_prefix('$'), unit.to_ascii_lowercase().as_str()) {
            (Some(number), _) => amount(number).map(Self::Usd),
            (None, "usd") => amount(number).map(Self::Usd),
            (None, "credit" | "credits") => amount(number).map(Self::Credits),
            _ => None,
        };
        parsed.map_or_else(|| refuse(text, "a budget", "`25 USD` or `1700 credits`"), Ok)
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credits(amount) => write!(f, "{amount} credits"),
            Self::Usd(amount) => write!(f, "{amount} USD"),
        }
    }
}

/// How many failures pause a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StopAfter {
    /// So many failed jobs.
    Failed(u64),
    /// A share of the jobs finished in this run, counted from the 20th on.
    Percent(f64),
}

impl FromStr for StopAfter {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let amount = text.trim().trim_end_matches("failed").trim_end();
        let parsed = match amount.strip_suffix('%') {
            Some(share) => {
                share.trim().parse().ok().filter(|p: &f64| *p > 0.0 && *p <= 100.0).map(Self::Percent)
            }
            None => amount.parse().ok().filter(|&count| count >= 1).map(Self::Failed),
        };
        parsed.map_or_else(|| refuse(text, "a limit of failures", "`10 failed` or `20% failed`"), Ok)
    }
}

impl fmt::Display for StopAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(count) => write!(f, "{count} failed"),
            Self::Percent(share) => write!(f, "{share}% failed"),
        }
    }
}

/// Submissions on the wire at once: what a crash leaves in doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Posts {
    /// 4 to 64, as the rate needs.
    #[default]
    Auto,
    /// Exactly so many, 1 to 256.
    Count(u32),
}

impl Posts {
    /// The fewest and the most that may be on the wire.
    #[must_use]
    pub fn bounds(self) -> (u32, u32) {
        match self {
            Self::Auto => (4, 64),
            Self::Count(count) => (count, count),
        }
    }
}

impl FromStr for Posts {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            number => number.parse().ok().filter(|n| (1..=256).contains(n)).map(Self::Count).map_or_else(
                || refuse(text, "a number of submissions at once", "`\"auto\"` or a number from 1 to 256"),
                Ok,
            ),
        }
    }
}

impl fmt::Display for Posts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

/// Reads a unit from a text, or from a plain number by its digits.
struct Spelled<T>(std::marker::PhantomData<T>, &'static str);

impl<T: FromStr<Err = UnitError>> Visitor<'_> for Spelled<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }
}

macro_rules! spelled {
    ($($name:ident: $expecting:literal, $example:literal;)*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Spelled(std::marker::PhantomData, $expecting))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": ["string", "integer"], "examples": [$example], "description": $expecting})
            }
        }
    )*};
}

spelled! {
    Rate: "a rate such as \"20/10s\"", "20/10s";
    Period: "a length of time such as \"15m\"", "15m";
    Budget: "a budget such as \"25 USD\"", "25 USD";
    StopAfter: "a limit of failures such as \"20% failed\"", "20% failed";
    Posts: "\"auto\" or a number from 1 to 256", "auto";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn rates() {
        for (text, count, window) in
            [("20/10s", 20, 10), ("5/s", 5, 1), ("120/min", 120, 60), (" 1 / 2m ", 1, 120), ("7/h", 7, 3_600)]
        {
            assert_eq!(text.parse(), Ok(Rate { count, window: seconds(window) }), "{text}");
        }
        for wrong in
            ["", "20", "0/s", "-1/s", "20/0s", "20/", "/s", "20/10", "1.5/s", "20/2d", "20/10q", "∞/s"]
        {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong} passed");
        }
        let error = "20".parse::<Rate>().unwrap_err().to_string();
        assert_eq!(error, "`20` is not a rate; write for example `20/10s`, `5/s` or `120/min`");
        assert_eq!(Rate::default().to_string(), "20/10s");
    }

    #[test]
    fn lengths_of_time() {
        for (text, length) in [
            ("90s", 90),
            ("15m", 900),
            ("6h", 21_600),
            ("1h30m", 5_400),
            ("1h 30m", 5_400),
            ("1.5h", 5_400),
            ("2 days", 172_800),
        ] {
            assert_eq!(text.parse(), Ok(Period(seconds(length))), "{text}");
        }
        for wrong in ["", "15", "m", "0s", "-1s", "1y", "9999999999999h", "1..5h", "1e9s"] {
            assert!(wrong.parse::<Period>().is_err(), "{wrong} passed");
        }
        for text in ["90s", "15m", "6h", "1d", "1500ms"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn budgets_and_limits_of_failures() {
        for (text, budget) in [
            ("25 USD", Budget::Usd(25.0)),
            ("25usd", Budget::Usd(25.0)),
            ("$2.50", Budget::Usd(2.5)),
            ("1700 credits", Budget::Credits(1_700.0)),
            ("1 credit", Budget::Credits(1.0)),
            ("0 USD", Budget::Usd(0.0)),
        ] {
            assert_eq!(text.parse(), Ok(budget), "{text}");
        }
        for wrong in ["25", "USD", "-1 USD", "25 EUR", "inf USD", "nan credits", "1e USD"] {
            assert!(wrong.parse::<Budget>().is_err(), "{wrong} passed");
        }
        assert_eq!("10 failed".parse(), Ok(StopAfter::Failed(10)));
        assert_eq!("20% failed".parse(), Ok(StopAfter::Percent(20.0)));
        for wrong in ["", "failed", "0 failed", "0%", "101%", "ten failed"] {
            assert!(wrong.parse::<StopAfter>().is_err(), "{wrong} passed");
        }
    }

    #[test]
    fn posts() {
        assert_eq!("auto".parse(), Ok(Posts::Auto));
        assert_eq!("12".parse(), Ok(Posts::Count(12)));
        for wrong in ["0", "257", "many", "-1"] {
            assert!(wrong.parse::<Posts>().is_err(), "{wrong} passed");
        }
    }
}
