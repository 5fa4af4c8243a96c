//! What a run has to do, in the order in which it should be done. Everything
//! that waits is an entry here; only steps that are due become futures.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};

use tokio::time::Instant;

use super::fetch::Fetch;
use super::look::Watched;
use super::replay::Replay;
use super::stage::Order;
use crate::ledger::{Pending, ToFetch};

/// Something that becomes due.
#[derive(Debug)]
pub(super) enum Due {
    /// A pending job whose wait is over.
    Stage(Box<Pending>),
    /// A job that became pending again, to be loaded afresh.
    Reload(i64),
    /// A complete request that was told to wait.
    Order(Box<Order>),
    Fetch(Box<Fetch>),
    /// A submission of unknown outcome, to be sent again under its key.
    Replay(Box<Replay>),
}

#[derive(Debug)]
struct Timer {
    at: Instant,
    order: u64,
    what: Waiting,
}

/// Tasks wait beside their timers, so that a callback can hurry one.
#[derive(Debug)]
enum Waiting {
    Task(i64),
    /// A picture that could not be fetched: tried again only if the run lasts.
    Left(Box<Fetch>),
    Other(Due),
}

/// Pictures to fetch: the link that dies first comes first.
#[derive(Debug)]
struct Urgent(Fetch, u64);

/// The work of a run.
#[derive(Debug, Default)]
pub(super) struct Queues {
    timers: BinaryHeap<Timer>,
    order: u64,
    /// Jobs to load afresh.
    pub(super) reload: VecDeque<i64>,
    /// Pending jobs whose requests are to be completed.
    pub(super) stage: VecDeque<Pending>,
    /// Complete requests that wait for their turn.
    pub(super) orders: VecDeque<Order>,
    pub(super) looks: VecDeque<Watched>,
    fetches: BinaryHeap<Urgent>,
    /// Replays whose time has come.
    pub(super) replays: VecDeque<Replay>,
    /// Tasks that wait for their next look, with the order of their timers.
    waiting_tasks: HashMap<i64, (u64, Box<Watched>)>,
    /// Pictures that are queued, under way or waiting for a second try.
    known: HashSet<(i64, u32)>,
    /// Timers by kind, to know when a run is over.
    waiting_jobs: usize,
    waiting_fetches: usize,
    waiting_replays: usize,
    /// Pictures that are left to the next run, unless this one lasts.
    left: usize,
    /// Of the waiting tasks, those that are overdue.
    waiting_overdue: usize,
}

impl Queues {
    pub(super) fn later(&mut self, at: Instant, due: Due) {
        *self.counter(&due) += 1;
        self.wait(at, Waiting::Other(due));
    }

    /// Leaves a picture to the next run; this one tries it again at `at`, but
    /// does not wait for that.
    pub(super) fn leave(&mut self, at: Instant, fetch: Fetch) {
        self.left += 1;
        self.wait(at, Waiting::Left(Box::new(fetch)));
    }

    /// Pictures that are left to the next run.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Looks at a task at a time, or when it is hurried.
    pub(super) fn look_later(&mut self, at: Instant, watched: Watched) {
        let attempt = watched.task.attempt;
        self.waiting_overdue += usize::from(watched.overdue);
        let order = self.wait(at, Waiting::Task(attempt));
        self.waiting_tasks.insert(attempt, (order, Box::new(watched)));
    }

    fn wait(&mut self, at: Instant, what: Waiting) -> u64 {
        self.order += 1;
        self.timers.push(Timer { at, order: self.order, what });
        self.order
    }

    /// Moves what is due by `now` to its queue; gives the time of the next.
    pub(super) fn wake(&mut self, now: Instant) -> Option<Instant> {
        while let Some(timer) = self.timers.peek() {
            if timer.at > now {
                return Some(timer.at);
            }
            match self.timers.pop() {
                Some(Timer { what: Waiting::Task(attempt), order, .. }) => self.look(attempt, Some(order)),
                Some(Timer { what: Waiting::Left(fetch), .. }) => {
                    self.left -= 1;
                    self.push(*fetch);
                }
                Some(Timer { what: Waiting::Other(due), .. }) => self.ready(due),
                None => break,
            }
        }
        None
    }

    /// Looks at a waiting task at once.
    pub(super) fn hurry(&mut self, attempt: i64) {
        self.look(attempt, None);
    }

    /// A timer whose task was hurried meanwhile finds nothing, or another
    /// timer's wait, which is not its to end.
    fn look(&mut self, attempt: i64, order: Option<u64>) {
        let own = |(theirs, _): &(u64, Box<Watched>)| order.is_none_or(|order| order == *theirs);
        if self.waiting_tasks.get(&attempt).is_some_and(own)
            && let Some((_, watched)) = self.waiting_tasks.remove(&attempt)
        {
            self.waiting_overdue -= usize::from(watched.overdue);
            self.looks.push_back(*watched);
        }
    }

    fn ready(&mut self, due: Due) {
        *self.counter(&due) -= 1;
        match due {
            Due::Stage(pending) => self.stage.push_back(*pending),
            Due::Reload(job) => self.reload.push_back(job),
            Due::Order(order) => self.orders.push_front(*order),
            Due::Fetch(fetch) => self.push(*fetch),
            Due::Replay(replay) => self.replays.push_back(*replay),
        }
    }

    fn counter(&mut self, due: &Due) -> &mut usize {
        match due {
            Due::Stage(_) | Due::Reload(_) | Due::Order(_) => &mut self.waiting_jobs,
            Due::Fetch(_) => &mut self.waiting_fetches,
            Due::Replay(_) => &mut self.waiting_replays,
        }
    }

    /// Queues pictures that are not queued yet; `failures` as counted so far.
    pub(super) fn fetch(&mut self, pictures: Vec<ToFetch>, failures: u32) {
        for picture in pictures {
            if self.known.insert((picture.task.attempt, picture.number)) {
                self.push(Fetch { picture, failures });
            }
        }
    }

    fn push(&mut self, fetch: Fetch) {
        self.order += 1;
        self.fetches.push(Urgent(fetch, self.order));
    }

    pub(super) fn next_fetch(&mut self) -> Option<Fetch> {
        self.fetches.pop().map(|urgent| urgent.0)
    }

    /// The picture is here, lost, or will come back with another link.
    pub(super) fn forget(&mut self, picture: &ToFetch) {
        self.known.remove(&(picture.task.attempt, picture.number));
    }

    /// Pictures that wait for a download.
    pub(super) fn backlog(&self) -> usize {
        self.fetches.len()
    }

    /// When the first link of a queued picture dies.
    pub(super) fn first_expiry(&self) -> Option<i64> {
        self.fetches.peek().map(|urgent| urgent.0.picture.expires_at)
    }

    /// Nothing is left to collect but tasks that are overdue and were looked
    /// at in this run.
    pub(super) fn only_overdue(&self) -> bool {
        self.looks.is_empty()
            && self.fetches.is_empty()
            && self.waiting_tasks.len() == self.waiting_overdue
            && self.waiting_fetches == 0
    }

    /// Nothing is left to submit, as far as it has been loaded.
    pub(super) fn nothing_to_submit(&self) -> bool {
        self.reload.is_empty() && self.stage.is_empty() && self.orders.is_empty() && self.waiting_jobs == 0
    }

    /// Nothing is left to ask again.
    pub(super) fn nothing_to_replay(&self) -> bool {
        self.replays.is_empty() && self.waiting_replays == 0
    }

    /// Tasks that wait for their next look.
    pub(super) fn waiting_tasks(&self) -> usize {
        self.waiting_tasks.len()
    }

    /// Overdue tasks that are waited for.
    pub(super) fn overdue(&self) -> usize {
        self.waiting_overdue
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    /// The heap's greatest is the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl PartialEq for Urgent {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Urgent {}

impl PartialOrd for Urgent {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Urgent {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.0.picture.expires_at, other.1).cmp(&(self.0.picture.expires_at, self.1))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::job::OutPath;
    use crate::ledger::InFlight;

    fn picture(attempt: i64, expires_at: i64) -> ToFetch {
        ToFetch {
            task: InFlight {
                job: attempt,
                attempt,
                task: String::new(),
                accepted_at: 0,
                estimated: None,
                tries: 1,
            },
            number: 1,
            numbered: false,
            link: String::new(),
            expires_at,
            path: OutPath::new("x").unwrap(),
            outdated: false,
        }
    }

    #[test]
    fn the_link_that_dies_first_comes_first_and_none_twice() {
        let mut queues = Queues::default();
        queues.fetch(vec![picture(1, 300), picture(2, 100), picture(3, 200), picture(2, 100)], 0);
        assert_eq!(queues.first_expiry(), Some(100));
        let order: Vec<i64> =
            std::iter::from_fn(|| queues.next_fetch()).map(|fetch| fetch.picture.task.attempt).collect();
        assert_eq!(order, [2, 3, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn timers_wake_in_order_and_count_what_waits() {
        let mut queues = Queues::default();
        let start = Instant::now();
        for seconds in [3, 1, 2] {
            let fetch = Fetch { picture: picture(seconds, 0), failures: 0 };
            queues.later(start + Duration::from_secs(seconds as u64), Due::Fetch(Box::new(fetch)));
        }
        assert!(!queues.only_overdue());
        assert_eq!(queues.wake(start + Duration::from_secs(2)), Some(start + Duration::from_secs(3)));
        assert_eq!(queues.backlog(), 2);
        assert_eq!(queues.wake(start + Duration::from_secs(9)), None);
        assert_eq!(queues.waiting_fetches, 0);
    }
}
