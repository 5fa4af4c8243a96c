//! Prices and the estimate of one submission (section 10 of the API facts).
//!
//! An estimate is an upper bound for planning and budgets: nothing is taken
//! as cached, and the prompt counts as one token a byte, because a token of
//! the model's vocabulary is at least one byte long.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::job::{Credits, Request};

use super::dimensions;

const PUBLISHED: &str = include_str!("prices.toml");
/// Tokens that the provider reserves for one reference picture.
const REFERENCE_TOKENS: u64 = 1_536;
/// Tokens of a request's text beside the prompt.
const TEXT_OVERHEAD: u64 = 6;
/// What `auto` is reserved as.
pub const AUTO: (u32, u32) = (2048, 2048);

/// Dated prices; a user may bring newer ones in the same form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// When the figures were published: year and month, or a day.
    pub date: String,
    /// Where they come from.
    pub source: String,
    /// How many credits one USD buys.
    pub credits_per_usd: f64,
    models: BTreeMap<String, ModelPrice>,
}

/// USD a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelPrice {
    image_output: f64,
    image_input: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image_input_cached: Option<f64>,
    text_input: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text_input_cached: Option<f64>,
}

/// Something in a price file that can't be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceFault {
    /// The keys that lead to it.
    pub path: Vec<String>,
    /// The value and the rule.
    pub message: String,
}

impl Prices {
    /// The prices that were published when this version was made.
    ///
    /// # Panics
    /// Never: the embedded file is read by a test.
    #[must_use]
    pub fn published() -> Self {
        toml::from_str(PUBLISHED).expect("the embedded prices are valid")
    }

    /// What is wrong with these figures. Only prices without faults may
    /// estimate.
    #[must_use]
    pub fn faults(&self) -> Vec<PriceFault> {
        let mut faults = vec![];
        let mut refuse = |path: &[&str], message: String| {
            faults.push(PriceFault { path: path.iter().map(|&key| key.to_owned()).collect(), message });
        };
        if !is_date(&self.date) {
            refuse(&["date"], format!("`{}` is no date such as `2026-10` or `2026-10-31`", self.date));
        }
        if let Some(rule) = broken_rule("credits_per_usd", self.credits_per_usd) {
            refuse(&["credits_per_usd"], rule);
        }
        if self.models.is_empty() {
            refuse(&["models"], "no model has a price".into());
        }
        for (model, price) in &self.models {
            for (key, figure) in price.figures() {
                let Some(rule) = figure.and_then(|figure| broken_rule(key, figure)) else { continue };
                refuse(&["models", model, key], rule);
            }
        }
        faults
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

impl ModelPrice {
    fn figures(&self) -> [(&'static str, Option<f64>); 5] {
        [
            ("image_output", Some(self.image_output)),
            ("image_input", Some(self.image_input)),
            ("image_input_cached", self.image_input_cached),
            ("text_input", Some(self.text_input)),
            ("text_input_cached", self.text_input_cached),
        ]
    }
}

/// A budget in credits or an estimate of nothing would bound nothing.
fn broken_rule(key: &str, figure: f64) -> Option<String> {
    let good = figure.is_finite() && figure > 0.0 && figure < 1e9;
    (!good).then(|| format!("`{key}` is {figure}; it must be more than 0 and below a billion"))
}

/// `YYYY-MM` or `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    let month = text.get(..7).is_some_and(|month| format!("{month}-01").parse::<jiff::civil::Date>().is_ok());
    month && (text.len() == 7 || (text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()))
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
    fn the_published_figures_are_in_the_file() {
        let prices = Prices::published();
        assert_eq!(prices.faults(), []);
        assert_eq!((prices.date.as_str(), prices.credits_per_usd), ("2026-10", 68.0));
        let figures = prices.models["gpt-image-2"].figures().map(|(_, figure)| figure);
        assert_eq!(figures, [Some(27.0), Some(7.2), Some(1.8), Some(4.5), Some(1.125)]);
        let usd = prices.usd(Credits::from_micro(68_000_000));
        assert!((usd - 1.0).abs() < 1e-12);
    }

    #[test]
    fn figures_that_bound_nothing_are_refused() {
        for (from, to, path) in [
            ("27.00", "-27.00", "models.gpt-image-2.image_output"),
            ("7.20", "0.0", "models.gpt-image-2.image_input"),
            ("1.125", "nan", "models.gpt-image-2.text_input_cached"),
            ("= 68", "= inf", "credits_per_usd"),
            ("2026-10", "2026-13", "date"),
            ("2026-10", "last year", "date"),
        ] {
            let prices: Prices = toml::from_str(&PUBLISHED.replacen(from, to, 1)).unwrap();
            let faults = prices.faults();
            assert_eq!(faults.iter().map(|fault| fault.path.join(".")).collect::<Vec<_>>(), [path]);
        }
        assert!(is_date("2026-10-31") && !is_date("2026-10-32") && !is_date("2026"));
    }
}
