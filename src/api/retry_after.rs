//! Reads `Retry-After`. The wait itself belongs to the pacer.

use std::time::{Duration, SystemTime};

/// No server may silence a run for longer than this.
pub const LONGEST: Duration = Duration::from_hours(1);

/// Seconds (also with a fraction) or one of HTTP's three dates. What lies in
/// the past or is negative is zero; what is absurdly long is [`LONGEST`];
/// what can't be read is `None`.
#[must_use]
pub fn parse(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = if looks_like_a_number(value) {
        seconds(value.parse().ok()?)
    } else {
        let until = httpdate::parse_http_date(value).ok()?;
        until.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(LONGEST))
}

/// Keeps `inf` and `nan`, which Rust would read as numbers, out.
fn looks_like_a_number(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+'))
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, LONGEST.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_nothing_panics() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let ms = |value| parse(value, now).map(|wait| wait.as_millis());
        for (value, expected) in [
            ("0", Some(0)),
            ("7", Some(7_000)),
            (" 1.5 ", Some(1_500)),
            ("-20", Some(0)),
            ("999999999999999999999999999", Some(3_600_000)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30_000)),
            ("Sunday, 06-Nov-94 08:50:07 GMT", Some(30_000)),
            ("Sun Nov  6 08:50:07 1994", Some(30_000)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 2044 08:00:00 GMT", Some(3_600_000)),
            ("", None),
            ("nan", None),
            ("inf", None),
            ("1e9", None),
            ("1-2", None),
            ("soon", None),
        ] {
            assert_eq!(ms(value), expected, "{value:?}");
        }
    }
}
