//! Prices and the estimate of one submission (section 10 of the API facts).
//!
//! An estimate is an upper bound for planning and budgets: nothing is taken
//! as cached, and the prompt counts as one token a byte, because a token of
//! the model's vocabulary is at least one byte long.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::job::{Credits, Request};

use super::dimensions;

const PUBLISHED: &str = include_str!("prices.json");
/// Tokens that the provider reserves for one reference picture.
const REFERENCE_TOKENS: u64 = 1_536;
/// Tokens of a request's text beside the prompt.
const TEXT_OVERHEAD: u64 = 6;
/// What `auto` is reserved as.
const AUTO: (u32, u32) = (2048, 2048);

/// Dated prices; a user may bring newer ones in the same form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Where the figures come from.
    pub source: String,
    /// Year and month in which they were published.
    pub date: String,
    /// How many credits one USD buys.
    pub credits_per_usd: f64,
    /// What the figures below count.
    pub unit: String,
    models: BTreeMap<String, ModelPrice>,
}

/// USD a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelPrice {
    image_output: f64,
    image_input: f64,
    text_input: f64,
}

/// A price file that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// Not JSON of the expected form.
    #[error("the prices are not in the form of the published ones")]
    Form(#[from] serde_json::Error),
    /// A figure is negative, zero where it divides, or not a number.
    #[error("the price `{0}` must be a positive number")]
    Figure(&'static str),
}

impl Prices {
    /// The prices that were published when this version was made.
    ///
    /// # Panics
    /// Never: the embedded file is read by a test.
    #[must_use]
    pub fn published() -> Self {
        Self::from_json(PUBLISHED).expect("the embedded prices are valid")
    }

    /// Reads prices that replace the published ones.
    pub fn from_json(text: &str) -> Result<Self, PriceError> {
        let prices: Self = serde_json::from_str(text)?;
        positive(prices.credits_per_usd, "credits_per_usd")?;
        for price in prices.models.values() {
            positive(price.image_output, "image_output")?;
            positive(price.image_input, "image_input")?;
            positive(price.text_input, "text_input")?;
        }
        Ok(prices)
    }

    /// Upper estimate of one submission with all its `n` pictures; `None` for
    /// a model without a price.
    #[must_use]
    pub fn estimate(&self, request: &Request) -> Option<Credits> {
        let text = request.prompt.len() as u64 + TEXT_OVERHEAD;
        self.without_text(request, text)
    }

    /// An amount in USD.
    #[must_use]
    pub fn usd(&self, credits: Credits) -> f64 {
        credits.as_f64() / self.credits_per_usd
    }

    /// What an amount of USD buys; `None` for NaN and absurd amounts.
    #[must_use]
    pub fn credits(&self, usd: f64) -> Option<Credits> {
        Credits::from_f64(usd * self.credits_per_usd)
    }

    fn without_text(&self, request: &Request, text_tokens: u64) -> Option<Credits> {
        let price = self.models.get(&request.model)?;
        let size = dimensions(&request.size, request.resolution.as_deref()).unwrap_or(AUTO);
        let output = output_tokens(size, &request.quality)? as f64 * price.image_output;
        let input = (request.images.len() as u64 * REFERENCE_TOKENS) as f64 * price.image_input;
        let text = text_tokens as f64 * price.text_input;
        let usd = (output + input + text) / 1e6;
        Some(self.credits(usd)?.times(request.n))
    }
}

fn positive(figure: f64, name: &'static str) -> Result<(), PriceError> {
    if figure.is_finite() && figure > 0.0 { Ok(()) } else { Err(PriceError::Figure(name)) }
}

/// Tokens of one picture; `None` for an unknown quality.
fn output_tokens((w, h): (u32, u32), quality: &str) -> Option<u64> {
    let a: u64 = match quality {
        "low" => 16,
        "medium" => 48,
        "high" => 96,
        _ => return None,
    };
    let (long, short) = (u64::from(w.max(h)), u64::from(w.min(h)));
    let b = (2 * a * short + long) / (2 * long);
    Some((a * b * (2_000_000 + long * short)).div_ceil(4_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Reference;

    fn request(size: &str, resolution: Option<&str>, quality: &str) -> Request {
        Request {
            model: "gpt-image-2".into(),
            prompt: "a fox".into(),
            size: size.into(),
            resolution: resolution.map(Into::into),
            quality: quality.into(),
            n: 1,
            background: None,
            images: vec![],
            mask: None,
            callback_url: None,
        }
    }

    #[test]
    fn tokens_match_the_published_table() {
        for (size, quality, tokens) in [
            ((1024, 1024), "low", 196),
            ((1024, 1024), "medium", 1756),
            ((1024, 1024), "high", 7024),
            ((1536, 1024), "high", 5488),
            ((1024, 1536), "high", 5488),
            ((1792, 1024), "high", 5063),
            ((3584, 2048), "high", 12_329),
            ((1776, 592), "low", 62),
            ((2880, 2880), "high", 23_719),
        ] {
            assert_eq!(output_tokens(size, quality), Some(tokens), "{size:?} {quality}");
        }
    }

    #[test]
    fn the_published_extremes_come_out() {
        let prices = Prices::published();
        let cheapest = prices.without_text(&request("3:1", Some("1K"), "low"), 0).unwrap();
        assert_eq!(format!("{cheapest:#}"), "0.11383");
        let mut dearest = request("1:1", Some("4K"), "high");
        dearest.images = vec![Reference::Url("https://example.com/a.png".into()); 16];
        dearest.mask = Some(Reference::Url("https://example.com/m.png".into()));
        let dearest = prices.without_text(&dearest, 0).unwrap();
        assert_eq!(format!("{dearest:#}"), "55.58049");
    }

    #[test]
    fn text_n_and_auto_count_and_an_unknown_model_has_no_price() {
        let prices = Prices::published();
        let one = request("auto", None, "medium");
        let square = prices.estimate(&request("2048x2048", None, "medium"));
        assert_eq!(prices.estimate(&one), square);
        let three = Request { n: 3, ..one.clone() };
        assert_eq!(prices.estimate(&three), prices.estimate(&one).map(|c| c.times(3)));
        let longer = Request { prompt: "a red fox".into(), ..one.clone() };
        assert!(prices.estimate(&longer) > prices.estimate(&one));
        assert_eq!(prices.estimate(&Request { model: "other".into(), ..one }), None);
    }

    #[test]
    fn own_prices_are_checked() {
        let negative = PUBLISHED.replace("27.0", "-27.0");
        assert!(matches!(Prices::from_json(&negative), Err(PriceError::Figure("image_output"))));
        assert!(matches!(Prices::from_json("{}"), Err(PriceError::Form(_))));
        let usd = Prices::published().usd(Credits::from_micro(68_000_000));
        assert!((usd - 1.0).abs() < 1e-12);
    }
}
