//! How long tasks usually take and how large their pictures are: data with a
//! date and a source, for the forecast of a plan. Nothing depends on it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

const USUAL: &str = include_str!("usual.toml");

/// What is usual, where it comes from, and since when.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usual {
    /// Year and month.
    pub date: String,
    /// What is documented and what is assumed.
    pub source: String,
    bytes_per_pixel: f64,
    tasks: BTreeMap<String, Qualities>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Qualities {
    low: Seconds,
    medium: Seconds,
    high: Seconds,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seconds {
    median: u32,
    p95: u32,
}

/// How long one kind of task takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskTime {
    /// Half of them are quicker.
    pub median: Duration,
    /// Nineteen of twenty are quicker.
    pub p95: Duration,
}

impl Usual {
    /// What was usual when this version was made.
    ///
    /// # Panics
    /// Never: the embedded file is read by a test.
    #[must_use]
    pub fn known() -> Self {
        toml::from_str(USUAL).expect("the embedded data is valid")
    }

    /// Of a task that makes a picture of this size.
    #[must_use]
    pub fn task(&self, (width, height): (u32, u32), quality: &str) -> TaskTime {
        let tier = match u64::from(width) * u64::from(height) {
            0..=2_000_000 => "1K",
            2_000_001..=6_000_000 => "2K",
            _ => "4K",
        };
        let Some(qualities) = self.tasks.get(tier) else { return TaskTime::default() };
        let Seconds { median, p95 } = match quality {
            "low" => qualities.low,
            "high" => qualities.high,
            _ => qualities.medium,
        };
        TaskTime { median: Duration::from_secs(median.into()), p95: Duration::from_secs(p95.into()) }
    }

    /// Of a picture on disk.
    #[must_use]
    pub fn bytes(&self, (width, height): (u32, u32)) -> u64 {
        (f64::from(width) * f64::from(height) * self.bytes_per_pixel) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_documented_comes_out() {
        let usual = Usual::known();
        let large = usual.task((3840, 2160), "high");
        assert_eq!((large.median.as_secs(), large.p95.as_secs()), (200, 280));
        assert_eq!(usual.task((1024, 1024), "low").median.as_secs(), 5);
        assert_eq!(usual.bytes((1024, 1024)), 1_782_579);
    }

    #[test]
    fn larger_and_finer_takes_longer() {
        let usual = Usual::known();
        let sizes = [(1024, 1024), (2048, 2048), (2880, 2880)];
        for quality in ["low", "medium", "high"] {
            let medians = sizes.map(|size| usual.task(size, quality).median);
            assert!(medians.is_sorted(), "{medians:?}");
        }
        for size in sizes {
            let times = ["low", "medium", "high"].map(|quality| usual.task(size, quality));
            assert!(times.is_sorted_by_key(|time| time.median));
            assert!(times.iter().all(|time| time.median < time.p95));
        }
    }
}
