//! The balance before a run: a free read that tells a key that is refused, an
//! account that is too poor, and, while nothing is under way, what the key has
//! used.

use std::time::Duration;

use crate::api::{Balance, Client, LookError};
use crate::job::Credits;

/// Reads that must agree before a balance counts as evidence: it may lag.
const READS: usize = 3;

/// Between them.
const PAUSE: Duration = Duration::from_millis(500);

/// Reads the balance once; `None` where the API tells none.
pub async fn balance(client: &Client) -> Option<Balance> {
    match client.credits().await {
        Ok(balance) => Some(balance),
        Err(LookError::KeyRefused(_)) => None,
        Err(error) => {
            tracing::debug!(?error, "no balance");
            None
        }
    }
}

/// What the key has used, if it stands still over several reads.
pub async fn steady_use(client: &Client, first: &Balance) -> Option<Credits> {
    let used = first.key_used?;
    for _ in 1..READS {
        tokio::time::sleep(PAUSE).await;
        if balance(client).await?.key_used != Some(used) {
            return None;
        }
    }
    Some(used)
}

/// What key and account have left together; `None` where there is no limit.
#[must_use]
pub fn left(balance: &Balance) -> Option<Credits> {
    [balance.key_remaining.filter(|_| !balance.unlimited), balance.user_remaining].into_iter().flatten().min()
}
