//! One changed field: old and new, long texts cut to the part that changed.

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::page::{Ink, Page, head, pad, shorten, tail};
use crate::events::printable;
use crate::job::Difference;

/// Columns of a field's name.
const NAME: usize = 11;
/// Columns before it.
const INDENT: usize = 4;
/// Text around a change, at most.
const CONTEXT: usize = 60;

/// The lines of one difference.
pub(super) fn lines(page: Page, difference: &Difference) -> Vec<String> {
    let room = page.width().saturating_sub(INDENT + NAME).max(20);
    let (from, to) = (shown(&difference.from), shown(&difference.to));
    let name = format!("{}{}", " ".repeat(INDENT), pad(&difference.field, NAME));
    if from.width() + to.width() + 4 <= room.min(70) {
        let (from, to) = (page.paint(Ink::Old, &from), page.paint(Ink::New, &to));
        return vec![format!("{name}{from} -> {to}")];
    }
    let (from, to) = cut(&from, &to, room);
    let arrow = format!("{}-> ", " ".repeat(INDENT + NAME - 3));
    vec![format!("{name}{}", from.painted(page, Ink::Old)), format!("{arrow}{}", to.painted(page, Ink::New))]
}

/// A value as people read it: texts bare, files by the beginning of their hash.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".into(),
        Value::String(text) => match text.strip_prefix("sha256:") {
            Some(hash) => format!("file {}", head(hash, 12)),
            None => text.clone(),
        },
        Value::Array(list) => list.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    printable(&text).into_owned()
}

/// A text in three parts, of which the middle one changed.
#[derive(Debug, PartialEq, Eq)]
struct Cut {
    before: String,
    changed: String,
    after: String,
}

impl Cut {
    fn painted(&self, page: Page, ink: Ink) -> String {
        format!("{}{}{}", self.before, page.paint(ink, &self.changed), self.after)
    }
}

/// Both texts with what they begin and end with in common shortened, so that
/// each fits into `room` columns.
fn cut(from: &str, to: &str, room: usize) -> (Cut, Cut) {
    let start = common(from.chars(), to.chars());
    let start = from[..start].rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let (from_rest, to_rest) = (&from[start..], &to[start..]);
    let end = common(from_rest.chars().rev(), to_rest.chars().rev());
    let same_end = &from_rest[from_rest.len() - end..];
    let end = same_end.find(char::is_whitespace).map_or(0, |at| same_end.len() - at);
    let after = &from[from.len() - end..];
    let part = |text: &'_ str| {
        let middle = &text[start..text.len() - end];
        // What one side does not need, the other may have.
        let left = room.saturating_sub(middle.width());
        let after_room = (left - left / 2).max(left.saturating_sub(text[..start].width())).min(CONTEXT);
        let after = context_after(after, after_room);
        let before = context_before(&text[..start], left.saturating_sub(after.width()).min(CONTEXT));
        let kept = room.saturating_sub(before.width() + after.width());
        Cut { before, changed: shorten(middle, kept).into_owned(), after }
    };
    (part(from), part(to))
}

/// Bytes that both begin with.
fn common(a: impl Iterator<Item = char>, b: impl Iterator<Item = char>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

/// The end of `text`, from the beginning of a word on.
fn context_before(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let end = tail(text, room.saturating_sub(1));
    format!("…{}", end.split_once(' ').map_or(end, |(_, words)| words))
}

/// The beginning of `text`, up to the end of a word.
fn context_after(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let beginning = head(text, room.saturating_sub(1));
    format!("{}…", beginning.rsplit_once(' ').map_or(beginning, |(words, _)| words))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(width: usize, field: &str, from: Value, to: Value) -> String {
        let difference = Difference { field: field.into(), from, to };
        lines(Page::fixed(width), &difference).join("\n")
    }

    #[test]
    fn short_values_stand_on_one_line() {
        assert_eq!(at(80, "quality", json!("medium"), json!("high")), "    quality    medium -> high");
        assert_eq!(
            at(80, "background", Value::Null, json!("transparent")),
            "    background - -> transparent"
        );
        let file = json!([format!("sha256:{}", "ab".repeat(32)), "https://example.com/a.png"]);
        assert_eq!(
            at(80, "images", Value::Null, file),
            "    images     - -> file abababababab, https://example.com/a.png"
        );
    }

    #[test]
    fn long_prompts_are_cut_to_the_part_that_changed() {
        let words = "A red fox reading in a snowy library, soft daylight through tall windows, no text, no people, wide shot";
        let edited = |from: &str, to: &str| json!(words.replace(from, to));
        for (width, to, lines) in [
            (
                80,
                edited("snowy", "rainy old"),
                [
                    "    prompt     A red fox reading in a snowy library, soft daylight through…",
                    "            -> A red fox reading in a rainy old library, soft daylight through…",
                ],
            ),
            (
                50,
                edited("wide", "close"),
                [
                    "    prompt     …no text, no people, wide shot",
                    "            -> …no text, no people, close shot",
                ],
            ),
            (
                60,
                edited("tall", "small round"),
                [
                    "    prompt     …daylight through tall windows, no text,…",
                    "            -> …daylight through small round windows, no…",
                ],
            ),
        ] {
            assert_eq!(at(width, "prompt", json!(words), to), lines.join("\n"));
        }
    }

    #[test]
    fn nothing_is_wider_than_the_page() {
        let (a, b) = ("狐が図書館で".repeat(40), "x ".repeat(400));
        for (from, to) in
            [(a.clone(), b.clone()), (format!("{b}{a}{b}"), format!("{b}{a}y{b}")), (b, String::new())]
        {
            for width in [40, 80, 200] {
                for line in at(width, "prompt", json!(from), json!(to)).lines() {
                    assert!(line.width() <= width, "{width}: {line}");
                }
            }
        }
    }
}
