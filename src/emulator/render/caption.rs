//! The label in a lower corner: the prompt's words, and that the picture is
//! emulated.

use fontdue::Font;
use tiny_skia::{Path, PathBuilder, Pixmap};

use super::canvas::{Canvas, rounded};
use super::tone::Tone;

const MOST_LINES: usize = 6;
const LEADING: f32 = 1.32;

/// Which lower corner. An edit has its label on the right, beside the one that
/// an emulated reference brings along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Corner {
    Left,
    Right,
}

/// Where the label goes, and how large its parts are.
struct Label {
    corner: Corner,
    text: Vec<String>,
    footer: String,
    size: f32,
    small: f32,
    padding: f32,
    margin: f32,
}

/// Draws the label with the prompt and a footer.
pub(super) fn draw(canvas: &mut Canvas, font: &Font, corner: Corner, prompt: &str, footer: &str) {
    // Long prompts are set smaller, so that the label stays a label.
    let long = if prompt.chars().nth(140).is_some() { 0.8 } else { 1.0 };
    let size = (canvas.unit * 0.0205 * long).max(10.0);
    let margin = canvas.unit * 0.035;
    let padding = size * 0.95;
    let room = canvas.width - 2.0 * (margin + padding);
    let room = room.min(size * 29.0);
    let small = size * 0.7;
    let label = Label {
        corner,
        text: wrap(font, prompt, size, room),
        footer: footer.to_owned(),
        size,
        small,
        padding,
        margin,
    };
    label.draw(canvas, font);
}

impl Label {
    fn draw(&self, canvas: &mut Canvas, font: &Font) {
        let dots = self.small * 0.5;
        let footer_width = width(font, &self.footer, self.small) + dots * 1.55 * 5.0 + self.small * 1.2;
        let text_width = self.text.iter().map(|line| width(font, line, self.size)).fold(0.0, f32::max);
        let inner = text_width.max(footer_width);
        let lines = self.text.len() as f32 * self.size * LEADING;
        let tall = lines + self.small * 2.0 + 2.0 * self.padding * 0.85;
        let left = match self.corner {
            Corner::Left => self.margin,
            Corner::Right => canvas.width - self.margin - inner - 2.0 * self.padding,
        };
        let top = canvas.height - self.margin - tall;
        let palette = canvas.palette.clone();
        let (paper, ink) = if palette.is_dark() {
            (palette.deep.at(0.16), Tone::new(0.95, 0.01, palette.deep.h))
        } else {
            (palette.ground.at(0.975).muted(0.5), palette.deep.at(0.26))
        };
        if let Some(path) = rounded((left, top), (inner + 2.0 * self.padding, tall), self.size * 0.42) {
            canvas.shadow(&path, self.size * 0.4, 0.13);
            canvas.fill_tone(&path, paper, 0.95);
        }
        let x = left + self.padding;
        let mut baseline = top + self.padding * 0.85 + self.size;
        for line in &self.text {
            write(&mut canvas.pixels, font, line, self.size, (x, baseline), ink);
            baseline += self.size * LEADING;
        }
        baseline += self.small * 0.72;
        write(&mut canvas.pixels, font, &self.footer, self.small, (x, baseline), ink.mix(paper, 0.38));
        let mut at = x + inner - dots * 1.55 * 4.5;
        for tone in palette.accents {
            if let Some(dot) = disc(at, baseline - self.small * 0.32, dots * 0.62) {
                canvas.fill_tone(&dot, tone, 1.0);
                canvas.stroke(&dot, (dots * 0.08).max(0.5), ink, 0.18);
            }
            at += dots * 1.55;
        }
    }
}

fn disc(x: f32, y: f32, radius: f32) -> Option<Path> {
    PathBuilder::from_circle(x, y, radius)
}

/// Lines that fit; the last one ends in an ellipsis when words are left over.
fn wrap(font: &Font, text: &str, size: f32, room: f32) -> Vec<String> {
    let mut lines = vec![String::new()];
    // No picture shows more than this many characters; prompts may have 32,000.
    let head: String = text.chars().take(600).collect();
    let cut = head.len() < text.len();
    for word in head.split_whitespace().flat_map(|word| pieces(font, word, size, room)) {
        let count = lines.len();
        let line = &mut lines[count - 1];
        let longer = if line.is_empty() { word.clone() } else { format!("{line} {word}") };
        if width(font, &longer, size) <= room || line.is_empty() {
            *line = longer;
        } else if count < MOST_LINES {
            lines.push(word);
        } else {
            return ellipsis(font, lines, size, room);
        }
    }
    if cut { ellipsis(font, lines, size, room) } else { lines }
}

/// A word, broken where it alone is wider than the room.
fn pieces(font: &Font, word: &str, size: f32, room: f32) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0.0;
    for letter in word.chars() {
        let advance = advance(font, letter, size);
        if used + advance > room && used > 0.0 {
            pieces.push(String::new());
            used = 0.0;
        }
        used += advance;
        if let Some(piece) = pieces.last_mut() {
            piece.push(letter);
        }
    }
    pieces
}

fn ellipsis(font: &Font, mut lines: Vec<String>, size: f32, room: f32) -> Vec<String> {
    if let Some(last) = lines.last_mut() {
        while width(font, last, size) + advance(font, '…', size) > room && last.pop().is_some() {}
        last.truncate(last.trim_end_matches([' ', ',', '.', ';']).len());
        last.push('…');
    }
    lines
}

fn width(font: &Font, text: &str, size: f32) -> f32 {
    text.chars().map(|letter| advance(font, letter, size)).sum()
}

fn advance(font: &Font, letter: char, size: f32) -> f32 {
    font.metrics(shown(font, letter), size).advance_width
}

/// Letters that the font lacks become a dot.
fn shown(font: &Font, letter: char) -> char {
    if font.has_glyph(letter) { letter } else { '·' }
}

/// Blends the glyphs onto the pixels.
fn write(pixels: &mut Pixmap, font: &Font, text: &str, size: f32, (mut x, y): (f32, f32), ink: Tone) {
    let color = ink.color(1.0).to_color_u8();
    for letter in text.chars() {
        let (metrics, coverage) = font.rasterize(shown(font, letter), size);
        let left = (x + metrics.xmin as f32).round();
        let top = (y - metrics.height as f32 - metrics.ymin as f32).round();
        for (row, line) in coverage.chunks_exact(metrics.width.max(1)).enumerate() {
            for (column, &cover) in line.iter().enumerate() {
                let at = (left + column as f32, top + row as f32);
                blend(pixels, at, [color.red(), color.green(), color.blue()], cover);
            }
        }
        x += metrics.advance_width;
    }
}

fn blend(pixels: &mut Pixmap, (x, y): (f32, f32), ink: [u8; 3], cover: u8) {
    let (width, height) = (pixels.width() as f32, pixels.height() as f32);
    if cover == 0 || !(0.0..width).contains(&x) || !(0.0..height).contains(&y) {
        return;
    }
    let at = (y as usize * pixels.width() as usize + x as usize) * 4;
    let target = &mut pixels.data_mut()[at..at + 4];
    let mix = |under: u8, over: u8| {
        ((u32::from(under) * u32::from(255 - cover) + u32::from(over) * u32::from(cover) + 127) / 255) as u8
    };
    for (part, ink) in target.iter_mut().zip([ink[0], ink[1], ink[2], 255]) {
        *part = mix(*part, ink);
    }
}
