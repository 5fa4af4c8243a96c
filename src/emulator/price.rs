//! What pictures cost (section 10 of the API facts, as published 2026-10).

use serde::{Deserialize, Serialize};

const CREDITS_PER_USD: f64 = 68.0;
const IMAGE_OUTPUT_USD: f64 = 27.0;
const IMAGE_INPUT_USD: f64 = 7.2;
const TEXT_INPUT_USD: f64 = 4.5;

/// Tokens that the provider reserves for each reference.
pub(super) const REFERENCE_TOKENS: u64 = 1536;

/// `quality` of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Quality {
    Low,
    #[default]
    Medium,
    High,
}

impl Quality {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "low" => Some(Self::Low),
            "medium" => Some(Self::Medium),
            "high" => Some(Self::High),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    fn tiles(self) -> u64 {
        match self {
            Self::Low => 16,
            Self::Medium => 48,
            Self::High => 96,
        }
    }
}

/// Tokens of a whole task, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tokens {
    pub(super) image_output: u64,
    pub(super) image_input: u64,
    pub(super) text_input: u64,
}

impl Tokens {
    pub(super) fn total(self) -> u64 {
        self.image_output + self.image_input + self.text_input
    }

    /// Credits, rounded to the five digits that the provider publishes.
    pub(super) fn credits(self) -> f64 {
        let usd = self.image_output as f64 * IMAGE_OUTPUT_USD
            + self.image_input as f64 * IMAGE_INPUT_USD
            + self.text_input as f64 * TEXT_INPUT_USD;
        round5(usd * CREDITS_PER_USD / 1e6)
    }
}

/// To five digits behind the point.
pub(super) fn round5(credits: f64) -> f64 {
    (credits * 1e5).round() / 1e5
}

/// Output tokens of one picture.
pub(super) fn picture_tokens(width: u32, height: u32, quality: Quality) -> u64 {
    let a = quality.tiles();
    let long = u64::from(width.max(height));
    let short = u64::from(width.min(height));
    let b = (2 * a * short + long) / (2 * long);
    (a * b * (2_000_000 + long * short)).div_ceil(4_000_000)
}

/// Tokens of a prompt: six of framing, one for four ASCII letters, one for
/// each other code point. The emulator has no tokenizer; this is close for
/// English and on the high side elsewhere.
pub(super) fn prompt_tokens(prompt: &str) -> u64 {
    let ascii = prompt.chars().filter(char::is_ascii).count() as u64;
    let other = prompt.chars().count() as u64 - ascii;
    ascii.div_ceil(4) + other + 6
}

/// Tokens of one reference after it was looked at: its 32-pixel patches, at
/// most what was reserved.
pub(super) fn reference_tokens(width: u32, height: u32) -> u64 {
    let patches = u64::from(width.div_ceil(32)) * u64::from(height.div_ceil(32));
    patches.min(REFERENCE_TOKENS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_token_table() {
        let table = [
            (1024, 1024, Quality::Low, 196),
            (1024, 1024, Quality::Medium, 1756),
            (1024, 1024, Quality::High, 7024),
            (1536, 1024, Quality::High, 5488),
            (1024, 1536, Quality::High, 5488),
            (1792, 1024, Quality::High, 5063),
            (3584, 2048, Quality::High, 12329),
            (1776, 592, Quality::Low, 62),
            (2880, 2880, Quality::High, 23719),
        ];
        for (width, height, quality, tokens) in table {
            assert_eq!(picture_tokens(width, height, quality), tokens, "{width}x{height} {quality:?}");
        }
    }

    #[test]
    fn the_published_extremes() {
        let cheapest = Tokens { image_output: 62, ..Tokens::default() };
        assert!((cheapest.credits() - 0.11383).abs() < 1e-9);
        let dearest = Tokens { image_output: 23719, image_input: 16 * REFERENCE_TOKENS, text_input: 0 };
        assert!((dearest.credits() - 55.58049).abs() < 1e-9);
    }
}
