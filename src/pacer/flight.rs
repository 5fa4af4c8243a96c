//! How many tasks the provider works on at once.
//!
//! A 429 can mean pace or concurrency, and does not say which. How many tasks
//! were there when it came does: the next submission tries one more than
//! that. Taken, the number was not the reason; refused, it was.

/// Submissions taken below a known limit until one more is tried; twice as
/// many each time in vain.
const PATIENCE: u32 = 4;
const LONGEST_PATIENCE: u32 = 128;

/// So many refused tries make a limit of a suspicion: the pace slows down with
/// each, so that it explains less and less.
const TRIES: u8 = 2;

/// The search for the number of tasks in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    most: u32,
    cap: u32,
    limit: Limit,
    /// The most tasks that were in flight when a submission was taken, since
    /// that last stood in doubt.
    proven: u32,
    refused_in_a_row: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    /// None is known below the configured one.
    Open,
    /// So many were there at a refusal: one more is tried next. `tries` of
    /// them were refused.
    Suspected { tasks: u32, tries: u8 },
    /// One more than these was refused again and again.
    Found { tasks: u32, left: u32, patience: u32 },
}

/// What a refusal is put down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Too fast.
    Pace,
    /// Nobody knows: the first of those that may be about either.
    PaceOrFlight,
    /// Too many at once, and so were those that might have been about either.
    NotPace,
    /// Too many at once, as a try beyond the limit showed.
    Flight,
}

impl Flight {
    pub(super) fn new(most: u32) -> Self {
        Self { most, cap: most, limit: Limit::Open, proven: 0, refused_in_a_row: 0 }
    }

    /// Goes on below a limit that an earlier process found.
    pub(super) fn start_at(&mut self, tasks: u32) {
        if tasks < self.most {
            self.found(tasks, PATIENCE);
        }
    }

    /// Tasks that may be in flight, at least 1.
    pub(super) fn cap(&self) -> u32 {
        self.cap
    }

    /// A submission was refused while the provider worked on `tasks`.
    pub(super) fn refuse(&mut self, tasks: u32) -> Reason {
        self.refused_in_a_row += 1;
        match self.limit {
            // Nothing was at work, or more than that was fine a moment ago.
            Limit::Open if tasks == 0 || (tasks < self.proven && self.refused_in_a_row < 3) => Reason::Pace,
            Limit::Open => {
                self.suspect(tasks);
                Reason::PaceOrFlight
            }
            Limit::Suspected { tasks: suspected, tries } if tasks >= suspected => {
                if tries + 1 < TRIES {
                    self.limit = Limit::Suspected { tasks: suspected, tries: tries + 1 };
                    return Reason::Pace;
                }
                self.found(suspected, PATIENCE);
                Reason::NotPace
            }
            Limit::Suspected { .. } => Reason::Pace,
            // The provider allows less by now, or it is the pace: both give way.
            Limit::Found { .. } if tasks < self.cap.saturating_sub(1) => {
                self.found(tasks - tasks / 3, PATIENCE);
                Reason::Pace
            }
            Limit::Found { tasks: limit, patience, .. } => {
                self.found(limit.min(tasks), (patience * 2).min(LONGEST_PATIENCE));
                Reason::Flight
            }
        }
    }

    /// A submission was taken, with which the provider works on `tasks`;
    /// `before` means that it had been sent before the last refusal came.
    pub(super) fn accept(&mut self, tasks: u32, before: bool) {
        self.proven = self.proven.max(tasks);
        if before {
            if let Limit::Suspected { tasks: suspected, .. } = self.limit {
                self.suspect(suspected.max(tasks));
            }
            return;
        }
        self.refused_in_a_row = 0;
        match &mut self.limit {
            Limit::Open => self.cap = self.cap.saturating_add(1 + self.cap / 8).min(self.most),
            Limit::Suspected { tasks: suspected, .. } if tasks > *suspected => {
                self.limit = Limit::Open;
                self.cap = self.most;
            }
            Limit::Suspected { .. } => {}
            Limit::Found { tasks: limit, .. } if tasks > *limit => self.limit = Limit::Open,
            Limit::Found { left, .. } if *left > 0 => *left -= 1,
            Limit::Found { tasks: limit, .. } => self.cap = (*limit + 1).min(self.most),
        }
    }

    fn suspect(&mut self, tasks: u32) {
        self.limit = Limit::Suspected { tasks, tries: 0 };
        self.cap = tasks.saturating_add(1).min(self.most);
    }

    fn found(&mut self, tasks: u32, patience: u32) {
        let tasks = tasks.clamp(1, self.most);
        self.cap = tasks;
        self.proven = tasks;
        self.limit = Limit::Found { tasks, left: patience, patience };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_is_at_work_it_is_the_pace() {
        let mut flight = Flight::new(60);
        assert_eq!(flight.refuse(0), Reason::Pace);
        assert_eq!(flight.cap(), 60);
    }

    #[test]
    fn a_number_that_was_fine_a_moment_ago_is_not_the_reason_at_first() {
        let mut flight = Flight::new(60);
        flight.accept(30, false);
        assert_eq!([flight.refuse(29), flight.refuse(29)], [Reason::Pace; 2]);
        assert_eq!(flight.cap(), 60);
        assert_eq!(flight.refuse(29), Reason::PaceOrFlight);
        assert_eq!(flight.cap(), 30);
        // What is taken in between begins the row anew.
        let mut flight = Flight::new(60);
        flight.accept(30, false);
        for _ in 0..5 {
            assert_eq!([flight.refuse(29), flight.refuse(29)], [Reason::Pace; 2]);
            flight.accept(12, false);
        }
        assert_eq!(flight.refuse(30), Reason::PaceOrFlight);
    }

    #[test]
    fn one_more_than_were_there_is_tried_and_settles_it() {
        let mut taken = Flight::new(60);
        assert_eq!(taken.refuse(3), Reason::PaceOrFlight);
        assert_eq!(taken.cap(), 4);
        taken.accept(3, false);
        assert_eq!(taken.cap(), 4);
        taken.accept(4, false);
        assert_eq!(taken.cap(), 60);

        let mut refused = Flight::new(60);
        let reasons = [refused.refuse(3), refused.refuse(2), refused.refuse(3), refused.refuse(3)];
        assert_eq!(reasons, [Reason::PaceOrFlight, Reason::Pace, Reason::Pace, Reason::NotPace]);
        assert_eq!(refused.cap(), 3);
    }

    #[test]
    fn what_was_on_the_wire_at_the_refusal_counts_to_those_that_were_there() {
        let mut flight = Flight::new(60);
        flight.refuse(1);
        flight.accept(2, true);
        flight.accept(3, true);
        assert_eq!(flight.cap(), 4);
        assert_eq!([flight.refuse(3), flight.refuse(3)], [Reason::Pace, Reason::NotPace]);
        assert_eq!(flight.cap(), 3);
    }

    #[test]
    fn a_limit_is_tried_again_after_twice_as_many_each_time_in_vain() {
        let mut flight = Flight::new(60);
        flight.start_at(3);
        for patience in [4, 8, 16, 32, 64, 128, 128] {
            for _ in 0..patience {
                assert_eq!(flight.cap(), 3);
                flight.accept(3, false);
            }
            flight.accept(3, false);
            assert_eq!(flight.cap(), 4);
            assert_eq!(flight.refuse(3), Reason::Flight);
        }
    }

    #[test]
    fn a_limit_that_is_lifted_is_climbed_over_and_one_that_sinks_followed() {
        let mut flight = Flight::new(60);
        flight.start_at(3);
        for _ in 0..=PATIENCE {
            flight.accept(3, false);
        }
        let caps: Vec<u32> = (4..12)
            .map(|tasks| {
                flight.accept(tasks, false);
                flight.cap()
            })
            .collect();
        assert_eq!(caps, [4, 5, 6, 7, 8, 10, 12, 14]);
        flight.start_at(9);
        assert_eq!(flight.refuse(8), Reason::Flight);
        assert_eq!(flight.cap(), 8);
        assert_eq!(flight.refuse(6), Reason::Pace);
        assert_eq!(flight.cap(), 4);
        assert_eq!(flight.refuse(1), Reason::Pace);
        assert_eq!(
            [flight.cap(), {
                flight.refuse(0);
                flight.cap()
            }],
            [1, 1]
        );
    }

    #[test]
    fn a_limit_above_the_configured_one_is_none() {
        let mut flight = Flight::new(60);
        flight.start_at(60);
        assert_eq!(flight.refuse(10), Reason::PaceOrFlight);
        assert_eq!(flight.cap(), 11);
        let mut flight = Flight::new(2);
        flight.refuse(7);
        assert_eq!(flight.cap(), 2);
    }
}
