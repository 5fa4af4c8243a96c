//! The fastest pace that the provider takes, as a share of the configured one.
//!
//! A refusal says that the present share is too fast, a spell without one that
//! it is not. Between the two the search halves the distance; what it found it
//! keeps, and only now and then tries whether more is allowed by now.

use std::time::Duration;

use tokio::time::Instant;

/// Where nothing else is known, a refusal lowers the share by this much.
const SLOWER: f64 = 1.5;

/// The share never falls below this.
const SLOWEST: f64 = 1.0 / 64.0;

/// A share counts as kept after two windows, the first of which may have been
/// empty, but not before so many submissions.
const SPELL: u32 = 10;

/// A kept share and a refused one this close together end the search.
const CLOSE: f64 = 1.04;

/// Spells until a refused share is tried again; twice as many each time in vain.
const PATIENCE: u32 = 30;
const LONGEST_PATIENCE: u32 = 240;

/// Steps of a climb for which no refused share is known: careful first.
const FIRST_STEP: f64 = 1.05;
const LONGEST_STEP: f64 = 1.25;

/// From here on turns are not caught up once the configured pace was refused.
const NEARLY_FULL: f64 = 0.85;

/// The search for the pace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Submissions a second as configured.
    configured: f64,
    spell: Duration,
    share: f64,
    since: Instant,
    /// Submissions taken at this share.
    taken: u32,
    /// The last share that lasted a spell.
    kept: Option<f64>,
    /// The last share that was refused, until it is to be tried again.
    refused: Option<f64>,
    patience: u32,
    step: f64,
    /// The configured pace itself was refused.
    full_refused: bool,
    /// The last refusal, and submissions taken since.
    last: Option<(Instant, u32)>,
}

impl Pace {
    pub(super) fn new(configured: f64, window: Duration) -> Self {
        Self {
            configured,
            spell: (window * 2).max(Duration::from_secs(2)),
            share: 1.0,
            since: Instant::now(),
            taken: 0,
            kept: None,
            refused: None,
            patience: PATIENCE,
            step: FIRST_STEP,
            full_refused: false,
            last: None,
        }
    }

    /// Goes on with a share that an earlier process found.
    pub(super) fn start_at(&mut self, share: f64) {
        self.set(share);
    }

    pub(super) fn share(&self) -> f64 {
        self.share
    }

    /// The configured pace was refused, and what is close to it may be: what
    /// limits it counts every single submission.
    pub(super) fn is_strict(&self) -> bool {
        self.full_refused && self.share > NEARLY_FULL
    }

    /// The present share was refused; nothing is sent before `until`.
    pub(super) fn refuse(&mut self, until: Instant) {
        let failed = self.share;
        // From one refusal to the next the provider took what it allows: a
        // bucket was empty both times, a window full. Before the first, it took
        // at least what it took for a spell.
        let spell = self.since.elapsed() >= self.spell;
        let (since, taken) =
            self.last.or(spell.then_some((self.since, self.taken))).unwrap_or((self.since, 0));
        let allowed = (taken >= SPELL).then(|| {
            f64::from(taken) / since.elapsed().as_secs_f64().max(f64::MIN_POSITIVE) / self.configured
        });
        if let Some(kept) = self.kept.filter(|kept| *kept < failed * 0.99) {
            if self.refused.is_none() {
                self.patience = (self.patience * 2).min(LONGEST_PATIENCE);
            }
            self.set(kept);
        } else {
            self.kept = None;
            self.patience = PATIENCE;
            let slower = allowed.map_or(0.0, |allowed| allowed * 0.97);
            self.set(slower.clamp(failed / SLOWER, failed * 0.95));
        }
        self.refused = Some(failed);
        self.full_refused |= failed >= 1.0;
        self.step = FIRST_STEP;
        self.since = until;
        self.last = Some((Instant::now(), 0));
    }

    /// A submission was taken. Gives whether the share is another now.
    pub(super) fn accept(&mut self) -> bool {
        self.taken += 1;
        if let Some((_, taken)) = &mut self.last {
            *taken += 1;
        }
        if self.taken < SPELL || self.since.elapsed() < self.spell {
            return false;
        }
        self.kept = Some(self.share);
        match self.refused {
            Some(refused) if self.share * CLOSE < refused => {
                self.set(f64::midpoint(self.share, refused));
                true
            }
            Some(_) => {
                if self.since.elapsed() >= self.spell * self.patience {
                    self.refused = None;
                }
                false
            }
            None if self.share < 1.0 => {
                self.set(self.share * self.step);
                self.step = (self.step * FIRST_STEP).min(LONGEST_STEP);
                true
            }
            None => false,
        }
    }

    fn set(&mut self, share: f64) {
        self.share = share.clamp(SLOWEST, 1.0);
        self.since = Instant::now();
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ten_a_second() -> Pace {
        Pace::new(10.0, Duration::from_secs(1))
    }

    /// Submissions at `rate` a second are taken for some seconds.
    async fn taken(pace: &mut Pace, rate: u32, seconds: u32) {
        for _ in 0..rate * seconds {
            tokio::time::advance(Duration::from_secs(1) / rate).await;
            pace.accept();
        }
    }

    fn refuse(pace: &mut Pace) {
        pace.refuse(Instant::now());
    }

    fn near(pace: &Pace, share: f64) {
        assert!((pace.share() - share).abs() < 0.001, "{} instead of {share}", pace.share());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_slows_down_and_the_distance_is_halved_after_each_spell() {
        let mut pace = ten_a_second();
        refuse(&mut pace);
        near(&pace, 1.0 / 1.5);
        for share in [0.8333, 0.9167, 0.9583, 0.9792] {
            taken(&mut pace, 10, 2).await;
            near(&pace, share);
        }
        // Close enough.
        taken(&mut pace, 10, 10).await;
        near(&pace, 0.9792);
    }

    #[tokio::test(start_paused = true)]
    async fn a_spell_takes_two_windows_after_the_wait_and_ten_submissions() {
        let mut pace = ten_a_second();
        pace.refuse(Instant::now() + Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(5)).await;
        taken(&mut pace, 20, 1).await;
        near(&pace, 1.0 / 1.5);
        taken(&mut pace, 1, 1).await;
        near(&pace, 0.8333);
        taken(&mut pace, 1, 9).await;
        near(&pace, 0.8333);
        taken(&mut pace, 1, 1).await;
        near(&pace, 0.9167);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_kept_is_gone_back_to_and_what_then_fails_is_not() {
        let mut pace = ten_a_second();
        refuse(&mut pace);
        taken(&mut pace, 10, 2).await;
        near(&pace, 0.8333);
        refuse(&mut pace);
        near(&pace, 1.0 / 1.5);
        // Five a second were taken from one refusal to the next: half of what is configured.
        taken(&mut pace, 5, 2).await;
        near(&pace, 0.75);
        refuse(&mut pace);
        near(&pace, 1.0 / 1.5);
        taken(&mut pace, 5, 1).await;
        refuse(&mut pace);
        near(&pace, 1.0 / 1.5 / 1.5);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_taken_between_two_refusals_says_what_is_allowed() {
        let mut pace = ten_a_second();
        refuse(&mut pace);
        taken(&mut pace, 6, 5).await;
        let before = pace.share();
        pace.kept = None;
        refuse(&mut pace);
        near(&pace, (0.6 * 0.97f64).max(before / 1.5));
        // Nine taken are too few to tell.
        tokio::time::advance(Duration::from_secs(1)).await;
        taken(&mut pace, 9, 1).await;
        let before = pace.share();
        refuse(&mut pace);
        near(&pace, before / 1.5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pace_that_lasted_a_spell_is_nearly_right() {
        let mut pace = ten_a_second();
        taken(&mut pace, 10, 2).await;
        refuse(&mut pace);
        near(&pace, 0.95);
        let mut pace = ten_a_second();
        taken(&mut pace, 15, 1).await;
        refuse(&mut pace);
        near(&pace, 1.0 / 1.5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_share_is_tried_again_after_ever_longer() {
        let mut pace = ten_a_second();
        refuse(&mut pace);
        taken(&mut pace, 10, 8).await;
        near(&pace, 0.9792);
        for spells in [30, 60, 120, 240, 240] {
            taken(&mut pace, 10, spells * 2 - 1).await;
            near(&pace, 0.9792);
            taken(&mut pace, 10, 3).await;
            near(&pace, 1.0);
            refuse(&mut pace);
            near(&pace, 0.9792);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_refused_share_the_climb_quickens() {
        let mut pace = ten_a_second();
        pace.start_at(0.1);
        let mut shares = vec![];
        while pace.share() < 1.0 {
            taken(&mut pace, 10, 2).await;
            shares.push((pace.share() * 1000.0).round());
        }
        assert_eq!(&shares[..4], [105.0, 116.0, 134.0, 163.0]);
        assert_eq!(&shares[shares.len() - 2..], [971.0, 1000.0]);
        pace.start_at(0.0);
        near(&pace, SLOWEST);
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_close_to_a_refused_full_pace_is_strict() {
        let mut pace = ten_a_second();
        assert!(!pace.is_strict());
        refuse(&mut pace);
        assert!(!pace.is_strict());
        taken(&mut pace, 10, 4).await;
        assert!(pace.is_strict());
        let mut slow = ten_a_second();
        slow.start_at(0.9);
        refuse(&mut slow);
        slow.start_at(0.9);
        assert!(!slow.is_strict());
        pace.start_at(NEARLY_FULL);
        assert!(!pace.is_strict());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_as_good_as_refused_is_neither_kept_nor_halved() {
        let mut pace = ten_a_second();
        pace.kept = Some(0.99);
        refuse(&mut pace);
        near(&pace, 1.0 / 1.5);
        pace.start_at(0.5);
        pace.refused = Some(0.5 * CLOSE);
        taken(&mut pace, 10, 3).await;
        near(&pace, 0.5);
    }
}
