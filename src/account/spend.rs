//! What all runs of a user spend, and the limits that hold for all of them.
//!
//! Reserved here first, then written in the folder's ledger, then sent. From
//! there on the ledger is the truth and this follows it: whatever ends a
//! process in between leaves these sums too high and never too low.

use std::fmt;

use jiff::Zoned;
use rusqlite::{Transaction, TransactionBehavior, params};

use super::{Account, AccountError, Span};
use crate::job::Credits;

/// The most that all runs of a user may spend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// In a day.
    pub day: Option<Credits>,
    /// In a month.
    pub month: Option<Credits>,
}

/// A submission that a limit has no room for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// Which limit.
    pub span: Span,
    /// What it allows.
    pub limit: Credits,
    /// What is left of it; negative where more was spent.
    pub left: Credits,
    /// What the submission may cost.
    pub needed: Credits,
    /// When the limit renews.
    pub renews: Zoned,
}

/// What the ledger of a folder holds for a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent<'a> {
    /// Its idempotency key.
    pub key: &'a str,
    /// When it was about to leave, in milliseconds since 1970.
    pub at: i64,
    /// Used, else reserved, else estimated; nothing once proven free.
    pub amount: Credits,
}

impl Limits {
    /// Nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.day.is_none() && self.month.is_none()
    }

    /// Each limit with its span.
    pub fn each(&self) -> impl Iterator<Item = (Span, Credits)> {
        let limits = [(Span::Day, self.day), (Span::Month, self.month)];
        limits.into_iter().filter_map(|(span, limit)| Some((span, limit?)))
    }
}

impl Account {
    /// Reserves what a submission may cost, durably, or says which limit has
    /// no room for it. Where both lack it, the one that renews last.
    pub fn reserve(
        &self,
        key: &str,
        needed: Credits,
        limits: &Limits,
        now: &Zoned,
    ) -> Result<Option<Short>, AccountError> {
        // Two processes at once: the second sees what the first has reserved.
        let transaction = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?;
        let mut short = None;
        for (span, limit) in limits.each() {
            let left = limit - self.held(span, key, now)?;
            if needed > left {
                short = Some(Short { span, limit, left, needed, renews: span.end(now) });
            }
        }
        if short.is_none() {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO spend VALUES (?1, ?2, ?3)")?
                .execute(params![key, now.timestamp().as_millisecond(), needed.micro()])?;
        }
        transaction.commit()?;
        Ok(short)
    }

    /// Takes a reservation back for which no intent was written.
    pub fn release(&self, key: &str) -> Result<(), AccountError> {
        Ok(self.db.execute("UPDATE spend SET amount = 0 WHERE key = ?1", [key]).map(drop)?)
    }

    /// Brings in what a ledger knows. A submission stays in the day in which
    /// it was reserved.
    pub fn follow<'a>(&self, spent: impl Iterator<Item = Spent<'a>>) -> Result<(), AccountError> {
        let transaction = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?;
        {
            let mut update = transaction.prepare_cached(
                "INSERT INTO spend VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE SET amount = excluded.amount",
            )?;
            for Spent { key, at, amount } in spent {
                update.execute(params![key, at, amount.micro()])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// What is spent and reserved in the span around `now`.
    pub fn spent(&self, span: Span, now: &Zoned) -> Result<Credits, AccountError> {
        self.held(span, "", now)
    }

    /// The same without one submission. A clock that was set back makes what
    /// was spent look like the future: it counts.
    fn held(&self, span: Span, without: &str, now: &Zoned) -> Result<Credits, AccountError> {
        let since = span.start(now).timestamp().as_millisecond();
        let micro = self
            .db
            .prepare_cached("SELECT ifnull(sum(amount), 0) FROM spend WHERE at >= ?1 AND key <> ?2")?
            .query_row(params![since, without], |row| row.get(0))?;
        Ok(Credits::from_micro(micro))
    }
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { span, limit, left, needed, renews } = self;
        let left = (*left).max(Credits::ZERO);
        write!(
            f,
            "the budget of the {span} holds for all your runs: of {limit} credits {left} are left, and the next submission may cost {needed}; it renews on {}",
            renews.strftime("%Y-%m-%d at %H:%M %Z")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credits(amount: i64) -> Credits {
        Credits::from_micro(amount * 1_000_000)
    }

    fn at(text: &str) -> Zoned {
        format!("{text}[Europe/Berlin]").parse().unwrap()
    }

    fn account() -> (tempfile::TempDir, Account) {
        let folder = tempfile::tempdir().unwrap();
        let account = Account::open(folder.path()).unwrap();
        (folder, account)
    }

    #[test]
    fn each_limit_holds_and_renews_at_its_own_midnight() {
        let (_folder, account) = account();
        let limits = Limits { day: Some(credits(3)), month: Some(credits(5)) };
        let rows = [
            ("a", 2, "2026-11-29T23:59:59", None),
            ("b", 2, "2026-11-29T23:59:59", Some((Span::Day, 1, "2026-11-30"))),
            ("b", 1, "2026-11-29T23:59:59", None),
            ("c", 2, "2026-11-30T00:00:00", None),
            ("d", 2, "2026-11-30T00:00:01", Some((Span::Month, 0, "2026-12-01"))),
            ("d", 2, "2026-12-01T00:00:00", None),
        ];
        for (key, needed, now, expected) in rows {
            let short = account.reserve(key, credits(needed), &limits, &at(now)).unwrap();
            let found = short.map(|short| (short.span, short.left, short.renews.date().to_string()));
            let expected = expected.map(|(span, left, on)| (span, credits(left), on.to_owned()));
            assert_eq!(found, expected, "{key} {now}");
        }
    }

    #[test]
    fn what_a_ledger_knows_replaces_what_was_reserved_and_keeps_its_day() {
        let (_folder, account) = account();
        let (yesterday, today) = (at("2026-11-10T23:00:00"), at("2026-11-11T01:00:00"));
        account.reserve("a", credits(3), &Limits::default(), &yesterday).unwrap();
        let known = |amount| {
            let at = today.timestamp().as_millisecond();
            account.follow([Spent { key: "a", at, amount }, Spent { key: "b", at, amount }].into_iter())
        };
        known(credits(1)).unwrap();
        assert_eq!(account.spent(Span::Day, &today).unwrap(), credits(1));
        assert_eq!(account.spent(Span::Month, &today).unwrap(), credits(2));
        account.release("b").unwrap();
        assert_eq!(account.spent(Span::Month, &today).unwrap(), credits(1));
    }

    #[test]
    fn a_submission_that_is_sent_again_does_not_stand_in_its_own_way() {
        let (_folder, account) = account();
        let (limits, now) = (Limits { day: Some(credits(2)), month: None }, at("2026-11-11T01:00:00"));
        for _ in 0..2 {
            assert_eq!(account.reserve("a", credits(2), &limits, &now).unwrap(), None);
        }
        let short = account.reserve("b", credits(1), &limits, &now).unwrap().unwrap();
        assert_eq!(
            short.to_string(),
            "the budget of the day holds for all your runs: of 2.00 credits 0.00 are left, and the next submission may cost 1.00; it renews on 2026-11-12 at 00:00 CET"
        );
    }
}
