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
            Limit::Open if self.cap < self.most => self.cap = (self.cap + 1 + self.cap / 8).min(self.most),
            Limit::Suspected { tasks: suspected, .. } if tasks > *suspected => {
                self.limit = Limit::Open;
                self.cap = self.most;
            }
            Limit::Open | Limit::Suspected { .. } => {}
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
