//! Days and months by the user's own calendar. Pure, but for the zone that a
//! moment carries.

use std::fmt;

use jiff::{ToSpan, Zoned};

/// A span of time that a limit holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// From midnight to midnight.
    Day,
    /// From the first to the first.
    Month,
}

impl Span {
    /// The word in a manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// When the span around `now` began, in its zone. A day need not begin at
    /// midnight, nor have 24 hours.
    #[must_use]
    pub fn start(self, now: &Zoned) -> Zoned {
        let first = match self {
            Self::Day => now.date(),
            Self::Month => now.date().first_of_month(),
        };
        // Out of range only some thousand years from now; then everything counts.
        first.to_zoned(now.time_zone().clone()).unwrap_or_else(|_| now.clone())
    }

    /// When the next one begins.
    #[must_use]
    pub fn end(self, now: &Zoned) -> Zoned {
        let next = match self {
            Self::Day => now.date().checked_add(1.day()),
            Self::Month => now.date().first_of_month().checked_add(1.month()),
        };
        next.and_then(|next| next.to_zoned(now.time_zone().clone())).unwrap_or_else(|_| now.clone())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_begin_where_the_zone_says() {
        let rows = [
            // The last second of a month.
            ("2026-11-30T23:59:59[Europe/Berlin]", "2026-11-30T00:00:00+01:00", "2026-12-01T00:00:00+01:00"),
            // The same instant further east is another month.
            ("2026-12-01T07:59:59[Asia/Tokyo]", "2026-12-01T00:00:00+09:00", "2026-12-02T00:00:00+09:00"),
            // A day of 23 hours, and one that has no midnight.
            ("2026-03-29T12:00:00[Europe/Berlin]", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"),
            (
                "2018-11-04T12:00:00[America/Sao_Paulo]",
                "2018-11-04T01:00:00-02:00",
                "2018-11-05T00:00:00-02:00",
            ),
        ];
        for (now, start, end) in rows {
            let now: Zoned = now.parse().unwrap();
            let text = |moment: Zoned| moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
            assert_eq!((text(Span::Day.start(&now)), text(Span::Day.end(&now))), (start.into(), end.into()));
        }
        let now: Zoned = "2026-12-31T23:00:00[America/New_York]".parse().unwrap();
        assert_eq!(Span::Month.start(&now).date().to_string(), "2026-12-01");
        assert_eq!(Span::Month.end(&now).date().to_string(), "2027-01-01");
    }
}
