//! Words and figures that reporters share.

use std::borrow::Cow;
use std::time::Duration;

use unicode_width::UnicodeWidthStr;

/// A length of time in its two largest units: `42 s`, `3 min 20 s`, `2 h 5 min`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86400, seconds % 86400 / 3600),
    }
}

/// A number of bytes with one digit behind the point.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `1 job`, `2 jobs`.
#[must_use]
pub fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// What a refusal left of the configured pace: `67 % of the pace and 3 tasks at
/// once`. Nothing where it left all.
#[must_use]
pub fn slower(share: f64, tasks: Option<u32>) -> Option<String> {
    let share = (share < 0.995).then(|| format!("{:.0} % of the pace", share * 100.0));
    let tasks = tasks.map(|tasks| format!("{} at once", counted(tasks.into(), "task")));
    let parts: Vec<String> = share.into_iter().chain(tasks).collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}

/// Words in lines of `width` columns, the later ones indented.
#[must_use]
pub fn wrap(text: &str, width: usize, indent: usize) -> String {
    let room = width.saturating_sub(indent).max(20);
    let (mut wrapped, mut used) = (String::new(), 0);
    for word in text.split(' ') {
        if used > 0 && used + 1 + word.width() > room {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            used = 0;
        }
        if used > 0 {
            wrapped.push(' ');
            used += 1;
        }
        wrapped.push_str(word);
        used += word.width();
    }
    wrapped
}

/// Text of a provider or a manifest without what would steer a terminal:
/// control characters and marks that turn the direction of writing.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    if text.contains(steers) {
        Cow::Owned(text.chars().map(|c| if steers(c) { ' ' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_the_pace_is_said_in_parts() {
        assert_eq!(slower(1.0, None), None);
        assert_eq!(slower(0.667, None).as_deref(), Some("67 % of the pace"));
        assert_eq!(slower(1.0, Some(1)).as_deref(), Some("1 task at once"));
        assert_eq!(slower(0.5, Some(3)).as_deref(), Some("50 % of the pace and 3 tasks at once"));
    }

    #[test]
    fn times_and_sizes_read_well() {
        let text = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!([0, 59, 61, 3661, 90_000].map(text), ["0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
        assert_eq!([999, 1000, 999_960, 18_874_368].map(bytes), ["999 B", "1.0 KB", "1.0 MB", "18.9 MB"]);
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\u{202e}c"), "a [31mb c");
        assert_eq!(printable("狐 fox"), "狐 fox");
    }
}
