//! A page of text: its width and its colours.

use std::borrow::Cow;
use std::os::fd::AsFd;

use crate::events::wrap;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Where text goes.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Page {
    /// Columns; unknown away from a terminal, where nothing is shortened.
    width: Option<usize>,
    color: bool,
}

/// Meanings that have a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Good,
    Attention,
    Doubt,
    Free,
    Faint,
    Bold,
    Old,
    New,
}

/// The width of what has no width.
const USUAL: usize = 100;
/// Narrower pages don't exist.
const NARROWEST: usize = 40;

impl Page {
    /// For a stream: `COLUMNS` outranks what the terminal says.
    pub(in crate::cli) fn of(stream: &impl AsFd, color: bool) -> Self {
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let terminal = || terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0));
        Self { width: columns.or_else(terminal).map(|width: usize| width.max(NARROWEST)), color }
    }

    #[cfg(test)]
    pub(super) fn fixed(width: usize) -> Self {
        Self { width: Some(width), color: false }
    }

    pub(super) fn width(self) -> usize {
        self.width.unwrap_or(USUAL)
    }

    pub(super) fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Good | Ink::New => "32",
            Ink::Attention => "33",
            Ink::Doubt => "35",
            Ink::Free => "36",
            Ink::Faint => "2",
            Ink::Bold => "1",
            Ink::Old => "31",
        };
        if self.color && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// `text` in at most `room` columns, its middle left out. Away from a
    /// terminal it stays whole: what reads it can search for it.
    pub(super) fn fit(self, text: &str, room: usize) -> Cow<'_, str> {
        if self.width.is_some() { shorten(text, room) } else { text.into() }
    }

    /// Words in lines of this page, the later ones indented. What [`whole`]
    /// made is not broken.
    pub(super) fn wrap(self, text: &str, indent: usize) -> String {
        wrap(text, self.width(), indent).replace(HARD, " ")
    }
}

/// A space at which no line ends.
const HARD: char = '\u{a0}';

/// A figure with its unit, kept on one line.
pub(super) fn whole(figure: &str) -> String {
    figure.replace(' ', "\u{a0}")
}

/// `text` in at most `room` columns, its middle left out.
pub(super) fn shorten(text: &str, room: usize) -> Cow<'_, str> {
    if text.width() <= room {
        return text.into();
    }
    let left = room.saturating_sub(1) / 2;
    let right = room.saturating_sub(1) - left;
    format!("{}…{}", head(text, left), tail(text, right)).into()
}

/// `text` filled up with spaces to `room` columns.
pub(super) fn pad(text: &str, room: usize) -> String {
    format!("{text}{}", " ".repeat(room.saturating_sub(text.width())))
}

/// As many columns from the beginning of `text` as there is room for.
pub(super) fn head(text: &str, room: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, c)| {
        used += c.width().unwrap_or(0);
        used > room
    });
    end.map_or(text, |(at, _)| &text[..at])
}

/// As many columns from the end.
pub(super) fn tail(text: &str, room: usize) -> &str {
    let mut used = 0;
    let start = text.char_indices().rev().find(|(_, c)| {
        used += c.width().unwrap_or(0);
        used > room
    });
    start.map_or(text, |(at, c)| &text[at + c.len_utf8()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_not_characters() {
        assert_eq!(shorten("mug/colour=white,surface=oak", 15), "mug/col…ace=oak");
        assert_eq!(shorten("狐が図書館で本を読む", 9), "狐が…読む");
        assert_eq!(shorten("short", 5), "short");
        assert_eq!((head("狐ab", 3), tail("ab狐", 3)), ("狐a", "b狐"));
        assert_eq!(pad("狐", 4), "狐  ");
    }

    #[test]
    fn lines_are_broken_between_words() {
        let page = Page { width: Some(40), color: false };
        assert_eq!(page.wrap("one two three four five six", 12), "one two three four five six");
        assert_eq!(
            page.wrap("one two three four five six seven", 12),
            "one two three four five six\n            seven"
        );
        let figure = format!("one two three four five {}", whole("2 min 3 s"));
        assert_eq!(page.wrap(&figure, 12), "one two three four five\n            2 min 3 s");
    }
}
