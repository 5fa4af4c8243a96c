//! The credits of the emulated account, counted in hundred-thousandths so that
//! sums are exact.

/// Smallest unit: the fifth digit behind the point.
const UNITS: f64 = 1e5;

/// What an unlimited account is said to have left: a million credits.
const UNLIMITED: i64 = 100_000_000_000;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Account {
    /// At the start; `None` is unlimited.
    grant: Option<i64>,
    reserved: i64,
    refunded: i64,
}

impl Account {
    pub(super) fn new(balance: Option<f64>) -> Self {
        Self { grant: balance.map(units), ..Self::default() }
    }

    /// Whether a reservation fits into what is left.
    pub(super) fn affords(&self, credits: f64) -> bool {
        self.grant.is_none_or(|grant| self.net() + units(credits) <= grant)
    }

    pub(super) fn reserve(&mut self, credits: f64) {
        self.reserved += units(credits);
    }

    /// A task has ended: what it didn't use comes back.
    pub(super) fn settle(&mut self, reserved: f64, used: f64) {
        self.refunded += units(reserved) - units(used);
    }

    pub(super) fn is_unlimited(&self) -> bool {
        self.grant.is_none()
    }

    pub(super) fn remaining(&self) -> f64 {
        credits(self.grant.map_or(UNLIMITED, |grant| grant - self.net()))
    }

    pub(super) fn used(&self) -> f64 {
        credits(self.net())
    }

    pub(super) fn billed(&self) -> f64 {
        credits(self.reserved)
    }

    pub(super) fn refunded(&self) -> f64 {
        credits(self.refunded)
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
