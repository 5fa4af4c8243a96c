//! What goes wrong and when: rules with a seed, and words in prompts.
//!
//! Drawing is a pure function of seed, fault and number, so a run with the
//! same order of requests sees the same faults.

mod kind;
mod parse;
mod prompt;

use std::ops::RangeInclusive;

use sha2::{Digest, Sha256};

pub use kind::{FAULT_MEANINGS, FAULT_NAMES, FaultMeaning};
pub(super) use kind::{Fault, Kind, Site};
pub use parse::ParseFaultsError;
pub(super) use prompt::in_prompt;

/// Rules that say what goes wrong. Parsed from a comma-separated text:
///
/// - `kind` always, `kind=0.05` with this probability, `kind@3` the third
///   time, `kind@3-5` the third to fifth time, counted from 1;
/// - `kind:argument` where a kind takes one: `fail:service_error@2`,
///   `429:date=0.1`, `slow:120@1`, `500:billed@4`;
/// - a download fault with `-once` behind its name is gone at the next try;
/// - `seed=N` for the probabilities, `retry-after=S` for every 429.
///
/// Where several rules strike one request, the first one wins; the faults of
/// one task add up. Create faults count creates, task faults tasks, read
/// faults reads, upload faults uploads, and download faults pictures by their
/// first download. Those that a prompt asks for (`[emulate: slow 120]`) come
/// after the rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    rules: Vec<Rule>,
    seed: u64,
    retry_after: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
struct Rule {
    fault: Fault,
    when: When,
}

#[derive(Clone, Debug, PartialEq)]
enum When {
    Probability(f64),
    Numbers(RangeInclusive<u64>),
}

impl Faults {
    /// The faults of one site that strike the `number`-th time, from 1.
    pub(super) fn draw(&self, site: Site, number: u64) -> Vec<Fault> {
        let strikes = |(index, rule): (usize, &Rule)| {
            let hit = rule.fault.kind.site() == site
                && match &rule.when {
                    When::Numbers(numbers) => numbers.contains(&number),
                    When::Probability(p) => self.chance(index, &rule.fault, number) < *p,
                };
            hit.then(|| rule.fault.clone())
        };
        self.rules.iter().enumerate().filter_map(strikes).collect()
    }

    /// What a 429 says about waiting when its own rule doesn't.
    pub(super) fn retry_after(&self) -> Option<&str> {
        self.retry_after.as_deref()
    }

    /// Evenly spread over 0..1.
    fn chance(&self, index: usize, fault: &Fault, number: u64) -> f64 {
        let text = format!("{}/{index}/{}/{number}", self.seed, fault.label());
        let digest = Sha256::digest(text.as_bytes());
        let mut head = [0; 4];
        head.copy_from_slice(&digest[..4]);
        f64::from(u32::from_le_bytes(head)) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Faults {
        text.parse().unwrap()
    }

    #[test]
    fn positions_are_exact() {
        let faults = faults("500@3, drop-after@5-6, fail:service_error@3");
        let kinds =
            |number| -> Vec<_> { faults.draw(Site::Create, number).into_iter().map(|f| f.kind).collect() };
        assert_eq!(kinds(3), [Kind::Internal]);
        assert_eq!(kinds(5), [Kind::DropAfter]);
        assert!(kinds(4).is_empty() && kinds(7).is_empty());
        let failed = faults.draw(Site::Task, 3);
        assert_eq!(failed[0].argument(), Some("service_error"));
    }

    #[test]
    fn probabilities_hold_and_depend_on_the_seed() {
        let count = |text| (1..=10_000).filter(|&n| !faults(text).draw(Site::Create, n).is_empty()).count();
        let hits = count("429=0.05");
        assert!((400..600).contains(&hits), "{hits}");
        assert_eq!(hits, count("429=0.05"));
        assert_ne!(hits, count("429=0.05,seed=7"));
    }

    #[test]
    fn mistakes_are_explained() {
        let message = |text: &str| text.parse::<Faults>().unwrap_err().to_string();
        assert_eq!(message("drop-aftr=0.1"), "unknown fault `drop-aftr`, did you mean `drop-after`?");
        assert!(message("429=5%").contains("not a probability"));
        assert!(message("500@0").contains("counted from 1"));
        assert!(message("fail@2").contains("error code"));
        assert!(message("429:soon").contains("retry-after"));
        assert!(message("429-once").contains("unknown fault"));
    }
}
