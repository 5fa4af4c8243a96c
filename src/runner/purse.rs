//! The user's account during a run: reserved there first, then intended in the
//! ledger, then told whatever the ledger settles.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::shared::Shared;
use super::submit::Submitted;
use crate::account::{Account, AccountError, Limits, Short, Span, Spent};
use crate::job::Raises;
use crate::ledger::{Booking, Intended, Intent, LedgerError, Money, Store};

/// The account of this user, and the limits of this run's manifest.
pub struct Purse {
    account: Arc<Mutex<Account>>,
    /// The provider, whose prices may prove higher than estimated.
    base_url: String,
    limits: Limits,
    zone: TimeZone,
    /// Held from a look at the ledger to the write in the account that follows
    /// from it: what is told must not overtake what is reserved.
    turn: tokio::sync::Mutex<()>,
    /// What ledger and account both know to be dearer than estimated.
    raises: Mutex<Raises>,
}

/// Why ledger and account could not be brought together.
#[derive(Debug, thiserror::Error)]
pub enum PurseError {
    /// The folder's side.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The user's side.
    #[error(transparent)]
    Account(#[from] AccountError),
}

/// What the account says to a reservation.
enum Reserved {
    Room,
    Short(Short),
    /// Another run has learnt that a kind costs more: quote again.
    Dearer(Raises),
}

const LAGS: &str = "the account of all runs lags behind this folder";

impl Purse {
    /// Days and months are those of `zone`.
    #[must_use]
    pub fn new(account: Account, base_url: String, limits: Limits, zone: TimeZone) -> Self {
        Self {
            account: Arc::new(Mutex::new(account)),
            base_url,
            limits,
            zone,
            turn: tokio::sync::Mutex::default(),
            raises: Mutex::default(),
        }
    }

    /// Before anything is bought: the account learns everything that the
    /// ledger knows of this month, whatever an earlier run told it. Without a
    /// limit that depends on it a failure is told and no more.
    pub fn begin(&self, store: &Store) -> Result<(), PurseError> {
        match self.learn(store) {
            Err(error) if self.limits.is_empty() => tracing::warn!(%error, "{LAGS}"),
            result => result?,
        }
        Ok(())
    }

    fn learn(&self, store: &Store) -> Result<(), PurseError> {
        let month = Span::Month.start(&Zoned::new(Timestamp::now(), self.zone.clone()));
        let known = store.bookings_since(month.timestamp().as_millisecond())?;
        let account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        account.follow(known.iter().map(spent))?;
        account.add_raises(&self.base_url, &store.view().raises()?)?;
        let raises = account.raises(&self.base_url)?;
        store.transaction(|store| {
            store.adopt_raises(&raises)?;
            store.set_booked(&known)
        })?;
        self.both_know(raises);
        Ok(())
    }

    fn both_know(&self, raises: Raises) {
        *self.raises.lock().unwrap_or_else(PoisonError::into_inner) = raises;
    }

    fn known_to_both(&self) -> Raises {
        self.raises.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn on_account<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Account) -> Result<T, AccountError> + Send + 'static,
    ) -> Result<T, AccountError> {
        let account = Arc::clone(&self.account);
        let done = tokio::task::spawn_blocking(move || {
            work(&account.lock().unwrap_or_else(PoisonError::into_inner))
        });
        match done.await {
            Ok(result) => result,
            Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
        }
    }

    fn at(&self, ms: i64) -> Zoned {
        Timestamp::from_millisecond(ms).unwrap_or_else(|_| Timestamp::now()).to_zoned(self.zone.clone())
    }
}

impl Shared {
    /// Makes the intent durable, in the user's account first where one is
    /// kept. Gives the attempt and its key.
    pub(super) async fn intend(&self, intent: Intent) -> Result<(i64, String), Submitted> {
        let Some(purse) = &self.purse else { return self.write_intent(intent).await };
        let _turn = purse.turn.lock().await;
        loop {
            let (job, body, fresh) = (intent.job, intent.body.clone(), intent.key.clone());
            let quote = self.ledger.write(move |store| store.quote(job, &body, &fresh)).await;
            let quote = quote.map_err(Submitted::Broken)?;
            let amount = match quote.amount {
                None if !purse.limits.is_empty() => return Err(Submitted::NoMoney(Money::Unpriced)),
                amount => amount.unwrap_or_default(),
            };
            let (key, limits, now) = (quote.key.clone(), purse.limits, purse.at(self.clock.now_ms()));
            let (base_url, known) = (purse.base_url.clone(), purse.known_to_both());
            let reserve = move |account: &Account| {
                let raises = account.raises(&base_url)?;
                if raises != known {
                    return Ok(Reserved::Dearer(raises));
                }
                Ok(match account.reserve(&key, amount, &limits, &now)? {
                    None => Reserved::Room,
                    Some(short) => Reserved::Short(short),
                })
            };
            match purse.on_account(reserve).await {
                Ok(Reserved::Room) => {}
                Ok(Reserved::Short(short)) => return Err(Submitted::Short(short)),
                Ok(Reserved::Dearer(raises)) => {
                    let others = raises.clone();
                    let adopted = self.ledger.write(move |store| store.adopt_raises(&others)).await;
                    adopted.map_err(Submitted::Broken)?;
                    purse.both_know(raises);
                    continue;
                }
                Err(error) if purse.limits.is_empty() => {
                    tracing::warn!(%error, "a submission is missing in the account of all runs");
                    return self.write_intent(intent).await;
                }
                Err(error) => return Err(Submitted::NoAccount(error.to_string())),
            }
            let written = self.write_intent(Intent { booked: Some(amount), ..intent.clone() }).await;
            if let Err(Submitted::NoMoney(_) | Submitted::Dearer) = &written {
                let released = purse.on_account(move |account| account.release(&quote.key)).await;
                released.map_err(|error| Submitted::NoAccount(error.to_string()))?;
            }
            // After any other error nobody knows whether it was written: the reservation stays.
            if !matches!(written, Err(Submitted::Dearer)) {
                return written;
            }
        }
    }

    async fn write_intent(&self, intent: Intent) -> Result<(i64, String), Submitted> {
        match self.ledger.write(move |store| store.intend(&intent)).await {
            Ok(Intended::Durable { attempt, key }) => Ok((attempt, key)),
            Ok(Intended::Refused(money)) => Err(Submitted::NoMoney(money)),
            Ok(Intended::Dearer) => Err(Submitted::Dearer),
            Err(error) => Err(Submitted::Broken(error)),
        }
    }

    /// Tells the account what the ledger knows by now. What fails here is told
    /// by the next call, or at the next start.
    pub(super) async fn tell_account(&self) {
        let Some(purse) = &self.purse else { return };
        let _turn = purse.turn.lock().await;
        if let Err(error) = self.bring_in(purse).await {
            tracing::warn!(%error, "{LAGS}");
        }
    }

    async fn bring_in(&self, purse: &Purse) -> Result<(), PurseError> {
        let (news, raises) =
            self.ledger.write(|store| Ok((store.unbooked()?, store.view().raises()?))).await?;
        if raises != purse.known_to_both() {
            let base_url = purse.base_url.clone();
            let told = raises.clone();
            purse.on_account(move |account| account.add_raises(&base_url, &told)).await?;
            purse.both_know(raises);
        }
        if news.is_empty() {
            return Ok(());
        }
        let news = Arc::new(news);
        let told = Arc::clone(&news);
        purse.on_account(move |account| account.follow(told.iter().map(spent))).await?;
        Ok(self.ledger.write(move |store| store.set_booked(&news)).await?)
    }
}

fn spent(booking: &Booking) -> Spent<'_> {
    Spent { key: &booking.key, at: booking.at, amount: booking.cost }
}

impl fmt::Debug for Purse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Purse").field("limits", &self.limits).finish_non_exhaustive()
    }
}
