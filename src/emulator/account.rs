//! The credits of the emulated account, counted in hundred-thousandths so that
//! sums are exact. What is spent is known at once; what is shown may lag.

use std::collections::VecDeque;
use std::time::Duration;

use super::clock::Millis;

/// Smallest unit: the fifth digit behind the point.
const UNITS: f64 = 1e5;

/// What an unlimited account is said to have left: a million credits.
const UNLIMITED: i64 = 100_000_000_000;

#[derive(Debug, Default)]
pub(super) struct Account {
    /// At the start; `None` is unlimited.
    grant: Option<i64>,
    reserved: i64,
    refunded: i64,
    lag: Millis,
    /// When and how far `net` moved, as far back as the lag reaches.
    recent: VecDeque<(Millis, i64)>,
}

/// What the provider shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Balance {
    pub(super) remaining: f64,
    pub(super) used: f64,
}

impl Account {
    pub(super) fn new(balance: Option<f64>, lag: Duration) -> Self {
        Self { grant: balance.map(units), lag: lag.as_millis() as Millis, ..Self::default() }
    }

    /// Whether a reservation fits into what is left.
    pub(super) fn affords(&self, credits: f64) -> bool {
        self.grant.is_none_or(|grant| self.net() + units(credits) <= grant)
    }

    pub(super) fn reserve(&mut self, credits: f64, at: Millis) {
        self.reserved += units(credits);
        self.moved(units(credits), at);
    }

    /// A task has ended: what it didn't use comes back.
    pub(super) fn settle(&mut self, reserved: f64, used: f64, at: Millis) {
        let back = units(reserved) - units(used);
        self.refunded += back;
        self.moved(-back, at);
    }

    pub(super) fn is_unlimited(&self) -> bool {
        self.grant.is_none()
    }

    pub(super) fn remaining(&self) -> f64 {
        credits(self.grant.map_or(UNLIMITED, |grant| grant - self.net()))
    }

    /// The figures as they were before the lag.
    pub(super) fn shown(&self, now: Millis) -> Balance {
        let since = self.recent.iter().filter(|(at, _)| *at > now - self.lag);
        let net = self.net() - since.map(|(_, change)| change).sum::<i64>();
        Balance { remaining: credits(self.grant.map_or(UNLIMITED, |grant| grant - net)), used: credits(net) }
    }

    pub(super) fn billed(&self) -> f64 {
        credits(self.reserved)
    }

    pub(super) fn refunded(&self) -> f64 {
        credits(self.refunded)
    }

    fn moved(&mut self, change: i64, at: Millis) {
        if self.lag == 0 {
            return;
        }
        while self.recent.front().is_some_and(|(then, _)| *then <= at - self.lag) {
            self.recent.pop_front();
        }
        self.recent.push_back((at, change));
    }

    fn net(&self) -> i64 {
        self.reserved - self.refunded
    }
}

fn units(credits: f64) -> i64 {
    (credits * UNITS).round() as i64
}

fn credits(units: i64) -> f64 {
    units as f64 / UNITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lagging_balance_shows_what_was() {
        let mut account = Account::new(Some(10.0), Duration::from_secs(30));
        account.reserve(4.0, 1_000);
        account.settle(4.0, 1.5, 21_000);
        let shown = [0, 30_999, 31_000, 50_999, 51_000].map(|now| units(account.shown(now).remaining));
        assert_eq!(shown, [10.0, 10.0, 6.0, 6.0, 8.5].map(units));
        assert_eq!(units(account.remaining()), units(8.5));
    }
}
