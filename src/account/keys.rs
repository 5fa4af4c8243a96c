//! Whether a provider honours idempotency keys, as a proof showed it.

use rusqlite::{OptionalExtension, params};

use super::{Account, AccountError};

/// What a proof found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// A repeat named the original task and said so.
    pub honoured: bool,
    /// What the repeat did.
    pub why: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

impl Account {
    /// The latest proof about a base URL.
    pub fn proof(&self, base_url: &str) -> Result<Option<Proof>, AccountError> {
        Ok(self
            .db
            .query_row("SELECT honoured, why, at FROM keys WHERE base_url = ?1", [base_url], |row| {
                Ok(Proof { honoured: row.get(0)?, why: row.get(1)?, at: row.get(2)? })
            })
            .optional()?)
    }

    /// Remembers a proof in place of an earlier one.
    pub fn set_proof(&self, base_url: &str, proof: &Proof) -> Result<(), AccountError> {
        self.db.execute(
            "INSERT OR REPLACE INTO keys VALUES (?1, ?2, ?3, ?4)",
            params![base_url, proof.honoured, proof.why, proof.at],
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_proof_of_each_address_counts() {
        let folder = tempfile::tempdir().unwrap();
        let account = Account::open(folder.path()).unwrap();
        let proof = |honoured, at| Proof { honoured, why: "seen".into(), at };
        assert_eq!(account.proof("https://a").unwrap(), None);
        account.set_proof("https://a", &proof(true, 1)).unwrap();
        account.set_proof("https://b", &proof(true, 2)).unwrap();
        account.set_proof("https://a", &proof(false, 3)).unwrap();
        assert_eq!(account.proof("https://a").unwrap(), Some(proof(false, 3)));
        assert_eq!(account.proof("https://b").unwrap(), Some(proof(true, 2)));
    }
}
