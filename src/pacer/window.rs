//! Counts what really left in the last window.
//!
//! Even spacing bunches when a slow sync delays one submission and not the
//! next. This guard is exact: it knows when each of the last `count`
//! submissions was sent, refused ones included, and gives no turn that could
//! be one too many in any window.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The slot of one granted turn, to report its send with.
pub(super) type Slot = u64;

/// The send times of the last `count` granted turns.
#[derive(Debug)]
pub(super) struct Window {
    span: Duration,
    count: usize,
    /// `None` for a turn that was granted and has not been sent yet.
    sends: VecDeque<Option<Instant>>,
    first: Slot,
}

/// When the guard would grant a turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Room {
    Now,
    At(Instant),
    /// Only after a granted turn has been sent.
    AfterASend,
}

impl Window {
    pub(super) fn new(count: u32, span: Duration) -> Self {
        Self { span, count: count.max(1) as usize, sends: VecDeque::new(), first: 0 }
    }

    pub(super) fn room(&self, now: Instant) -> Room {
        if self.sends.len() < self.count {
            return Room::Now;
        }
        match self.sends[self.sends.len() - self.count] {
            None => Room::AfterASend,
            Some(sent) if sent + self.span <= now => Room::Now,
            Some(sent) => Room::At(sent + self.span),
        }
    }

    pub(super) fn grant(&mut self) -> Slot {
        if self.sends.len() == self.count {
            self.sends.pop_front();
            self.first += 1;
        }
        self.sends.push_back(None);
        self.first + self.sends.len() as Slot - 1
    }

    /// The first report of a slot counts.
    pub(super) fn sent(&mut self, slot: Slot, at: Instant) {
        let known = slot.checked_sub(self.first).and_then(|index| self.sends.get_mut(index as usize));
        if let Some(send) = known {
            send.get_or_insert(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[tokio::test(start_paused = true)]
    async fn a_delayed_send_delays_the_turn_one_window_later() {
        let start = Instant::now();
        let mut window = Window::new(2, Duration::from_secs(1));
        let first = window.grant();
        window.sent(first, at(start, 300));
        let second = window.grant();
        window.sent(second, at(start, 505));
        assert_eq!(window.room(at(start, 1010)), Room::At(at(start, 1300)));
        assert_eq!(window.room(at(start, 1300)), Room::Now);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unsent_turn_counts_until_it_is_sent() {
        let start = Instant::now();
        let mut window = Window::new(1, Duration::from_secs(1));
        let slot = window.grant();
        assert_eq!(window.room(at(start, 5000)), Room::AfterASend);
        window.sent(slot, at(start, 5000));
        assert_eq!(window.room(at(start, 5999)), Room::At(at(start, 6000)));
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_last_count_sends_are_kept() {
        let start = Instant::now();
        let mut window = Window::new(3, Duration::from_secs(1));
        for second in 0..1000 {
            let slot = window.grant();
            window.sent(slot, at(start, second * 1000));
        }
        assert_eq!(window.sends.len(), 3);
        assert_eq!(window.room(at(start, 997_999)), Room::At(at(start, 998_000)));
        let late = [window.grant(), window.grant()];
        assert_ne!(late[0], late[1]);
    }
}
