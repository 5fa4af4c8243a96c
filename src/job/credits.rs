//! Money as the provider counts it.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount of credits, kept as whole millionths so that sums are exact.
///
/// Printed with two digits behind the point and with five by the alternate
/// form (`{:#}`), which is the precision the provider publishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credits(i64);

impl schemars::JsonSchema for Credits {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Credits".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "number", "description": "credits of the provider" })
    }
}

impl Credits {
    /// No credits at all.
    pub const ZERO: Self = Self(0);

    const MICRO: f64 = 1_000_000.0;

    /// From millionths of a credit.
    #[must_use]
    pub const fn from_micro(micro: i64) -> Self {
        Self(micro)
    }

    /// Millionths of a credit.
    #[must_use]
    pub const fn micro(self) -> i64 {
        self.0
    }

    /// The nearest representable amount; `None` for NaN, infinities and
    /// amounts beyond nine trillion credits.
    #[must_use]
    pub fn from_f64(credits: f64) -> Option<Self> {
        let micro = (credits * Self::MICRO).round();
        (micro.abs() < 9e18).then_some(Self(micro as i64))
    }

    /// As a floating-point number of credits, for JSON and display.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / Self::MICRO
    }

    /// This amount `count` times.
    #[must_use]
    pub const fn times(self, count: u32) -> Self {
        Self(self.0.saturating_mul(count as i64))
    }

    /// What `part` of `whole` equal pieces cost, rounded up.
    #[must_use]
    pub const fn share(self, part: u32, whole: u32) -> Self {
        if part == whole || whole == 0 {
            return self;
        }
        let product = self.0 as i128 * part as i128;
        Self(((product + whole as i128 - 1) / whole as i128) as i64)
    }
}

impl Add for Credits {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Credits {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for Credits {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Credits {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(if f.alternate() { 5 } else { 2 });
        write!(f, "{:.digits$}", self.as_f64())
    }
}

impl Serialize for Credits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_f64())
    }
}

impl<'de> Deserialize<'de> for Credits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let credits = f64::deserialize(deserializer)?;
        Self::from_f64(credits).ok_or_else(|| serde::de::Error::custom("not an amount of credits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact_and_printing_rounds() {
        let tenth = Credits::from_f64(0.1).unwrap();
        let sum: Credits = std::iter::repeat_n(tenth, 10).sum();
        assert_eq!(sum, Credits::from_f64(1.0).unwrap());
        assert_eq!(format!("{sum}"), "1.00");
        assert_eq!(format!("{:#}", Credits::from_micro(55_580_494)), "55.58049");
        assert_eq!(Credits::from_f64(f64::NAN), None);
    }
}
