//! Estimates that a provider proved too low in one folder hold for all.

use rusqlite::{Transaction, TransactionBehavior, params};

use super::{Account, AccountError};
use crate::job::{Credits, Raise, Raises};

impl Account {
    /// What any run has seen of a provider.
    pub fn raises(&self, base_url: &str) -> Result<Raises, AccountError> {
        let mut query =
            self.db.prepare_cached("SELECT kind, estimate, proven FROM raise WHERE base_url = ?1")?;
        let raises = query.query_map([base_url], |row| {
            let (estimate, proven) = (Credits::from_micro(row.get(1)?), Credits::from_micro(row.get(2)?));
            Ok(Raise { kind: row.get(0)?, estimate, proven })
        })?;
        Ok(raises.collect::<Result<_, _>>()?)
    }

    /// Adds what one folder has seen.
    pub fn add_raises(&self, base_url: &str, raises: &Raises) -> Result<(), AccountError> {
        let transaction = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?;
        let mut known = self.raises(base_url)?;
        for raise in raises.iter() {
            if known.add(raise.clone()) {
                transaction.execute(
                    "INSERT OR REPLACE INTO raise VALUES (?1, ?2, ?3, ?4)",
                    params![base_url, raise.kind, raise.estimate.micro(), raise.proven.micro()],
                )?;
            }
        }
        Ok(transaction.commit()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dearest_proof_of_each_provider_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let account = Account::open(folder.path()).unwrap();
        let raise = |proven| Raise {
            kind: "a".into(),
            estimate: Credits::from_micro(10),
            proven: Credits::from_micro(proven),
        };
        for proven in [15, 20, 12] {
            account.add_raises("https://a", &[raise(proven)].into_iter().collect()).unwrap();
        }
        assert_eq!(account.raises("https://a").unwrap(), [raise(20)].into_iter().collect());
        assert!(account.raises("https://b").unwrap().is_empty());
    }
}
