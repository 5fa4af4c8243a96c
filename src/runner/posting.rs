//! What leaves for money, and when: completed requests and old keys, one slot
//! of the pacer each, while there is room on the wire, at the provider, in the
//! budget and on the disk.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::driver::{Driver, Step, Trust};
use super::halt::Halt;
use super::settings::{Stop, posts_on_the_wire};
use crate::events::Event;

/// No new submission while so many pictures wait for a download.
const BACKLOG: usize = 512;

/// No new submission while a link dies within this time.
const EXPIRY_MARGIN_MS: i64 = 2 * 60 * 60 * 1000;

impl Driver {
    pub(super) fn start_staging(&mut self) {
        let most = posts_on_the_wire(self.settings.posts, self.pacer.rate(), self.post_duration);
        while self.staging + self.queues.orders.len() < most && !self.may_not_submit() {
            let Some(pending) = self.queues.stage.pop_front() else { return };
            self.staging += 1;
            let shared = Arc::clone(&self.shared);
            self.steps.push(Box::pin(async move { Step::Staged(Box::new(shared.stage(pending).await)) }));
        }
    }

    pub(super) fn start_submissions(&mut self) -> Option<Instant> {
        while self.has_next() && self.has_room() && !(self.settings.exclusive_key && self.ladder.is_listing())
        {
            match self.trust {
                Trust::ProveAt(at) if at > Instant::now() => return Some(at),
                Trust::ProveAt(_) => self.prove(),
                Trust::Full | Trust::Proving | Trust::OneByOne => {}
            }
            if self.trust == Trust::Proving {
                return None;
            }
            if !self.has_replay()
                && let Some(why) = self.disk_is_short()
            {
                // Downloads under way free nothing, but they end what is needed.
                if self.in_flight + self.queues.backlog() + self.fetching == 0 {
                    self.halt(Halt::Disk(why));
                } else if !std::mem::replace(&mut self.told_of_disk, true) {
                    self.tell(&Event::Waiting { why });
                }
                return None;
            }
            let slot = match self.pacer.turn() {
                Ok(slot) => slot,
                Err(until) => return until,
            };
            self.post(slot);
        }
        None
    }

    /// Whether anything may be sent: what is asked again comes first.
    fn has_next(&mut self) -> bool {
        self.has_replay() || !(self.queues.orders.is_empty() || self.may_not_submit())
    }

    fn has_replay(&mut self) -> bool {
        let (ladder, wanted) = (&self.ladder, self.settings.replays);
        self.queues.replays.retain(|replay| wanted && ladder.holds(replay.held.attempt));
        !self.queues.replays.is_empty() && self.may_replay()
    }

    pub(super) fn may_replay(&self) -> bool {
        self.stopping == Stop::No
            && self.ended.broken.is_none()
            && !self.ended.halted.as_ref().is_some_and(Halt::forbids_replays)
    }

    fn post(&mut self, slot: u64) {
        let replay = if self.may_replay() { self.queues.replays.pop_front() } else { None };
        let remembered = self.settings.limits.count;
        let (shared, budget) = (Arc::clone(&self.shared), self.settings.budget);
        let step: BoxFuture<'static, Step> = if let Some(replay) = replay {
            Box::pin(async move {
                let begun = Instant::now();
                let replayed = shared.replay(&replay.held, slot, remembered).await;
                shared.sending(slot, begun);
                Step::Replayed(Box::new(replay), begun, Box::new(replayed))
            })
        } else if let Some(order) = self.queues.orders.pop_front() {
            Box::pin(async move {
                let begun = Instant::now();
                let submitted = shared.submit(&order, slot, remembered, budget).await;
                // Whatever happened, the slot is used up.
                shared.sending(slot, begun);
                Step::Submitted(Box::new(order), begun, Box::new(submitted))
            })
        } else {
            return;
        };
        self.posting += 1;
        self.in_flight += 1;
        self.steps.push(step);
    }

    fn prove(&mut self) {
        self.trust = Trust::Proving;
        let shared = Arc::clone(&self.shared);
        self.steps.push(Box::pin(async move { Step::Proved(shared.client.credits().await.map(drop)) }));
    }

    fn has_room(&self) -> bool {
        let posts = match self.trust {
            Trust::Full => posts_on_the_wire(self.settings.posts, self.pacer.rate(), self.post_duration),
            Trust::ProveAt(_) | Trust::Proving | Trust::OneByOne => 1,
        };
        let working = self.working();
        let money = !self.waits_for_money || working == 0;
        money && self.posting < posts && working < self.pacer.in_flight() as usize && !self.downloads_lag()
    }

    /// Tasks and submissions that will end by themselves; overdue ones must
    /// not hold up the others for ever.
    pub(super) fn working(&self) -> usize {
        self.in_flight.saturating_sub(self.queues.overdue())
    }

    /// Tasks that are known to be at work, as far as the pacer cares.
    pub(super) fn at_the_provider(&self) -> u32 {
        u32::try_from(self.working().saturating_sub(self.posting)).unwrap_or(u32::MAX)
    }

    /// Download first, buy second.
    fn downloads_lag(&self) -> bool {
        let soon = self.shared.clock.now_ms() + EXPIRY_MARGIN_MS;
        let dying = self.queues.first_expiry().is_some_and(|expiry| expiry < soon);
        self.settings.collect && (dying || self.queues.backlog() >= BACKLOG)
    }
}
