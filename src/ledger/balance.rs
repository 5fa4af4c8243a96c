//! What the key had used at quiet moments: evidence for a person about
//! submissions of unknown outcome, never a decision.

use rusqlite::{OptionalExtension, params};

use super::start::now_ms;
use super::{LedgerError, Store, View};
use crate::job::Credits;

/// The key under which the latest evidence stands.
const EVIDENCE: &str = "balance_evidence";

impl Store {
    /// Notes what the key has used by now; nothing may be under way. With
    /// submissions in doubt, says how much of their price it shows.
    pub fn observe_balance(&self, used: Credits) -> Result<(), LedgerError> {
        let settled = self.settled()?;
        match self.unexplained(used, settled)? {
            Some((unexplained, at_risk)) => self.set_meta(
                EVIDENCE,
                &format!("the key's use grew by {unexplained} credits that this folder can't explain, of {at_risk} at risk"),
            )?,
            None => self.forget(EVIDENCE)?,
        }
        // With something in doubt the moment before it is the one to compare with.
        if self.view().tally()?.unknown == 0 {
            self.db.execute("DELETE FROM balance", [])?;
            self.db.execute(
                "INSERT INTO balance VALUES (?1, ?2, ?3)",
                params![now_ms(), used.micro(), settled.micro()],
            )?;
        }
        Ok(())
    }

    /// What the key used since the last quiet moment and no settled attempt
    /// accounts for, beside what is at risk.
    fn unexplained(
        &self,
        used: Credits,
        settled: Credits,
    ) -> Result<Option<(Credits, Credits)>, LedgerError> {
        let at_risk: i64 = self.db.query_row(
            "SELECT ifnull(sum(cost), 0) FROM attempt WHERE outcome = 'unknown'",
            [],
            |row| row.get(0),
        )?;
        let before: Option<(i64, i64)> = self
            .db
            .query_row("SELECT used, settled FROM balance", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((used_before, settled_before)) = before.filter(|_| at_risk > 0) else { return Ok(None) };
        let grown = used.micro() - used_before;
        let explained = settled.micro() - settled_before;
        Ok(Some((Credits::from_micro((grown - explained).max(0)), Credits::from_micro(at_risk))))
    }

    /// What the provider has told of its bills.
    fn settled(&self) -> Result<Credits, LedgerError> {
        let micro = self.db.query_row(
            "SELECT ifnull(sum(cost - doubt), 0) FROM attempt WHERE outcome IN ('completed', 'lost', 'failed')",
            [],
            |row| row.get(0),
        )?;
        Ok(Credits::from_micro(micro))
    }
}

impl View<'_> {
    /// What the balance said about submissions in doubt when it was read last.
    pub fn balance_evidence(self) -> Result<Option<String>, LedgerError> {
        super::start::meta(self.db(), EVIDENCE)
    }
}
