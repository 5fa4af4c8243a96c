//! The secret addresses under which callbacks are expected.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use url::Url;

/// A token has 32 hexadecimal digits: 128 random bits.
const TOKEN: usize = 32;

/// Addresses and the attempts behind them; clones share one book.
#[derive(Clone, Debug)]
pub struct Addresses {
    public_url: Url,
    expected: Arc<Mutex<HashMap<String, (i64, i64)>>>,
}

impl Addresses {
    /// Addresses below `public_url`, which a proxy of the user's leads here.
    #[must_use]
    pub fn new(public_url: Url) -> Self {
        Self { public_url, expected: Arc::default() }
    }

    /// A token that nobody can guess, and its address. `None` on a machine
    /// that has no random numbers to give.
    #[must_use]
    pub fn make(&self) -> Option<(String, String)> {
        let mut bytes = [0; TOKEN / 2];
        getrandom::fill(&mut bytes).ok()?;
        let token = bytes.iter().fold(String::new(), |token, byte| format!("{token}{byte:02x}"));
        let mut url = self.public_url.clone();
        url.path_segments_mut().ok()?.pop_if_empty().push(&token);
        Some((token, url.into()))
    }

    /// From now on a callback at this token's address speaks of this attempt.
    pub fn expect(&self, token: &str, job: i64, attempt: i64) {
        self.book().insert(token.to_owned(), (job, attempt));
    }

    /// Job and attempt behind the last part of a path.
    pub(super) fn find(&self, path: &str) -> Option<(i64, i64)> {
        let token = path.rsplit('/').next().unwrap_or_default();
        if token.len() != TOKEN {
            return None;
        }
        self.book().get(token).copied()
    }

    fn book(&self) -> MutexGuard<'_, HashMap<String, (i64, i64)>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_to_its_attempt_and_no_other_does() {
        let addresses = Addresses::new("https://me.example/hooks/".parse().unwrap());
        let (token, url) = addresses.make().unwrap();
        assert_eq!(url, format!("https://me.example/hooks/{token}"));
        assert_eq!(addresses.find(&format!("/hooks/{token}")), None);
        addresses.expect(&token, 7, 9);
        for path in [format!("/{token}"), format!("/hooks/{token}")] {
            assert_eq!(addresses.find(&path), Some((7, 9)), "{path}");
        }
        for path in [format!("/{token}/"), format!("/{}", token.to_uppercase()), "/".into(), String::new()] {
            assert_ne!(addresses.find(&path), Some((7, 9)), "{path}");
        }
        assert_ne!(addresses.make().unwrap().0, token);
    }
}
