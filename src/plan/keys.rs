//! Names made from content: slugs, hexadecimal digits of hashes, and the
//! count of what repeats. Never a position.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

/// Letters and digits of a slug.
const SLUG: usize = 32;
/// The longest value of an axis that stands in an id as it is.
const PLAIN: usize = 40;

/// The first eight bytes of a SHA-256: enough to tell a million lines apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Mark(u64);

impl Mark {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let hash = Sha256::digest(bytes);
        Self(hash[..8].iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
    }

    /// 8 hexadecimal digits.
    pub(super) fn short(self) -> String {
        format!("{:08x}", self.head())
    }

    fn head(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Lower-case letters and digits of `text` with `-` between words.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::new();
    let mut length = 0;
    for c in text.chars().flat_map(char::to_lowercase) {
        if length >= SLUG {
            break;
        }
        if c.is_alphanumeric() {
            slug.push(c);
            length += 1;
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
            length += 1;
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// A slug of `text` and digits of its hash.
pub(super) fn slug_and(text: &str, digits: &str) -> String {
    let slug = slug(text);
    if slug.is_empty() { digits.to_owned() } else { format!("{slug}-{digits}") }
}

/// How a value without a name stands in an id.
pub(super) fn value_key(value: &serde_json::Value) -> String {
    let text = match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let plain = |c: char| !c.is_control() && !"/,=#".contains(c);
    if !text.is_empty() && text.chars().count() <= PLAIN && text.trim() == text && text.chars().all(plain) {
        return text;
    }
    slug_and(&text, &Mark::of(text.as_bytes()).short())
}

/// What is special about the things of one source: which stand there more
/// than once, and which different ones share their first 8 digits. Both are
/// rare, so little is kept of a million lines.
#[derive(Debug, Default)]
pub(super) struct Census {
    totals: HashMap<Mark, u64>,
    crowded: HashSet<u32>,
}

impl Census {
    pub(super) fn of(mut marks: Vec<Mark>) -> Self {
        marks.sort_unstable();
        let mut census = Self::default();
        for run in marks.chunk_by(|a, b| a.head() == b.head()) {
            for same in run.chunk_by(|a, b| a == b).filter(|same| same.len() > 1) {
                census.totals.insert(same[0], same.len() as u64);
            }
            if run.first() != run.last() {
                census.crowded.insert(run[0].head());
            }
        }
        census
    }

    /// How often a thing stands in its source.
    pub(super) fn total(&self, mark: Mark) -> u64 {
        self.totals.get(&mark).copied().unwrap_or(1)
    }

    /// 8 digits; 16 for all those whose 8 digits are not theirs alone.
    pub(super) fn digits(&self, mark: Mark) -> String {
        if self.crowded.contains(&mark.head()) { format!("{:016x}", mark.0) } else { mark.short() }
    }
}

/// Counts how often each repeated thing came by already.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<Mark, u64>);

impl Seen {
    /// How often a thing came before, counting from 0; its mark is made only
    /// where something repeats.
    pub(super) fn before(&mut self, mark: impl FnOnce() -> Mark, census: &Census) -> u64 {
        if census.totals.is_empty() {
            return 0;
        }
        let mark = mark();
        if census.total(mark) == 1 {
            return 0;
        }
        let count = self.0.entry(mark).or_default();
        *count += 1;
        *count - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_short_and_plain() {
        for (text, expected) in [
            ("A red fox, reading!", "a-red-fox-reading"),
            ("  --  ", ""),
            ("狐 と Éclair", "狐-と-éclair"),
            ("a very long prompt that goes on and on for many words", "a-very-long-prompt-that-goes-on"),
        ] {
            assert_eq!(slug(text), expected);
        }
        assert_eq!(slug_and("!", "00ff"), "00ff");
    }

    #[test]
    fn short_plain_values_are_their_own_key() {
        for (value, key) in [
            (serde_json::json!("oak"), "oak"),
            (serde_json::json!("dark oak"), "dark oak"),
            (serde_json::json!(3), "3"),
            (serde_json::json!(0.5), "0.5"),
            (serde_json::json!(true), "true"),
            (serde_json::json!("a/b"), "a-b-c14cddc0"),
            (serde_json::json!(""), "e3b0c442"),
        ] {
            assert_eq!(value_key(&value), key);
        }
        assert_eq!(value_key(&serde_json::json!("x".repeat(41))).len(), SLUG + 9);
    }

    #[test]
    fn different_things_with_one_beginning_all_get_long_keys() {
        let [a, b, c] =
            [Mark(0xaaaa_aaaa_0000_0001), Mark(0xaaaa_aaaa_0000_0002), Mark(0xbbbb_bbbb_0000_0001)];
        for marks in [vec![a, b, c, c, c], vec![c, b, c, a, c]] {
            let census = Census::of(marks);
            assert_eq!(census.digits(a), "aaaaaaaa00000001");
            assert_eq!(census.digits(b), "aaaaaaaa00000002");
            assert_eq!(census.digits(c), "bbbbbbbb");
            assert_eq!((census.total(a), census.total(c)), (1, 3));
        }
        let census = Census::of(vec![a, a]);
        assert_eq!(census.digits(a), "aaaaaaaa", "the same thing twice is not crowded");
    }

    #[test]
    fn only_repeated_things_are_counted() {
        let [a, b] = [Mark(1), Mark(2)];
        let census = Census::of(vec![a, b, a]);
        let mut seen = Seen::default();
        assert_eq!([a, b, a].map(|mark| seen.before(|| mark, &census)), [0, 0, 1]);
        assert_eq!(seen.0.len(), 1);
    }
}
