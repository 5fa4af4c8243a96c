//! How long a purchase will take and what room it needs. Pure; nothing
//! depends on it.

use std::time::Duration;

use crate::manifest::units::Rate;
use crate::model::Usual;

use super::kinds::Kinds;

/// What holds a run back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Submissions in a window.
    Rate,
    /// Tasks that the API works on at once.
    InFlight,
}

/// What to expect of a purchase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// From the first submission to the last picture.
    pub time: Duration,
    /// What decides about it.
    pub bound: Bound,
    /// How long one task takes, on average over all jobs.
    pub task: Duration,
    /// How long the slowest kind takes in nineteen of twenty cases.
    pub slowest: Duration,
    /// Bytes of all pictures.
    pub bytes: u64,
}

/// The forecast for these jobs; `None` where there are none. The pace is the
/// smaller one of the rate and, once so many tasks are under way, of tasks in
/// flight over their usual duration.
#[must_use]
pub fn forecast(kinds: &Kinds, usual: &Usual, rate: Rate, in_flight: u32) -> Option<Forecast> {
    let (mut jobs, mut working, mut slowest, mut bytes) = (0, Duration::ZERO, Duration::ZERO, 0_u64);
    for (kind, share) in kinds.iter() {
        let task = usual.task(kind.pixels(), &kind.quality);
        jobs += share.jobs;
        working += task.median.mul_f64(share.jobs as f64);
        slowest = slowest.max(task.p95);
        bytes = bytes.saturating_add(usual.bytes(kind.pixels()).saturating_mul(share.pictures));
    }
    if jobs == 0 {
        return None;
    }
    let task = working.div_f64(jobs as f64);
    let by_rate = rate.window.as_secs_f64() / f64::from(rate.count) * (jobs - 1) as f64;
    let waiting = jobs.saturating_sub(u64::from(in_flight));
    let by_flight = task.as_secs_f64() / f64::from(in_flight) * waiting as f64;
    let bound = if by_rate >= by_flight { Bound::Rate } else { Bound::InFlight };
    let submitting = Duration::try_from_secs_f64(by_rate.max(by_flight)).unwrap_or(Duration::MAX);
    let time = submitting.saturating_add(slowest);
    Some(Forecast { time, bound, task, slowest, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{OutPath, Request, Wanted};

    fn kinds(jobs: u32, size: &str, quality: &str) -> Kinds {
        let request = Request {
            model: "gpt-image-2".into(),
            prompt: "a fox".into(),
            size: size.into(),
            resolution: size.contains(':').then(|| "4K".into()),
            quality: quality.into(),
            n: 1,
            background: None,
            images: vec![],
            mask: None,
            callback_url: None,
        };
        let wanted = Wanted {
            id: "fox".into(),
            fingerprint: request.fingerprint(),
            request,
            path: OutPath::new("fox").unwrap(),
            axes: std::collections::BTreeMap::new(),
            meta: serde_json::Map::new(),
            skip: false,
            size: None,
            estimate: None,
        };
        let mut kinds = Kinds::default();
        (0..jobs).for_each(|_| kinds.add(&wanted));
        kinds
    }

    #[test]
    fn the_smaller_throughput_decides() {
        let usual = Usual::known();
        let default = Rate::default();
        assert_eq!(forecast(&Kinds::default(), &usual, default, 60), None);
        // 2 a second; 60 tasks of 5 s would be 12 a second.
        let small = forecast(&kinds(101, "1024x1024", "low"), &usual, default, 60).unwrap();
        assert_eq!((small.bound, small.time), (Bound::Rate, Duration::from_secs(50 + 15)));
        // 60 tasks of 200 s: 0.3 a second.
        let large = forecast(&kinds(1000, "16:9", "high"), &usual, default, 60).unwrap();
        assert_eq!((large.bound, large.time.as_secs()), (Bound::InFlight, 3133 + 280));
        assert_eq!((large.task.as_secs(), large.slowest.as_secs()), (200, 280));
        assert_eq!(large.bytes, 1000 * 14_100_480);
        // Fewer jobs than may be in flight wait for nobody.
        let few = forecast(&kinds(9, "16:9", "high"), &usual, default, 60).unwrap();
        assert_eq!((few.bound, few.time), (Bound::Rate, Duration::from_secs(4 + 280)));
    }
}
