//! One sync for all who wait for one.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A folder that many files are put into at once. A sync that begins after a
/// file is there covers it, whoever asked for it: those who come while one is
/// under way share the next.
#[derive(Debug, Default)]
pub(super) struct Together {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Syncs that began, and the last of them that succeeded.
    begun: u64,
    succeeded: u64,
    running: bool,
    waiting: u32,
}

impl Together {
    /// Returns once a sync that began after this call has succeeded; blocking.
    pub(super) fn sync(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut state = self.lock();
        let wanted = state.begun + 1;
        while state.running {
            state.waiting += 1;
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
            if state.succeeded >= wanted {
                return Ok(());
            }
        }
        state.begun += 1;
        state.running = true;
        let number = state.begun;
        drop(state);
        let result = sync();
        let mut state = self.lock();
        state.running = false;
        if result.is_ok() {
            state.succeeded = number;
        }
        drop(state);
        self.ended.notify_all();
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc;
    use std::thread::scope;

    use super::*;

    /// What is there and what a sync took along, of many who add and sync.
    #[test]
    fn nobody_returns_before_a_sync_that_began_after_the_call() {
        let (together, there, safe) = (Together::default(), AtomicU64::new(0), AtomicU64::new(0));
        let syncs = AtomicU64::new(0);
        scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let mine = there.fetch_add(1, Ordering::SeqCst) + 1;
                        let sync = || {
                            syncs.fetch_add(1, Ordering::SeqCst);
                            let covered = there.load(Ordering::SeqCst);
                            std::thread::yield_now();
                            safe.fetch_max(covered, Ordering::SeqCst);
                            Ok(())
                        };
                        together.sync(sync).unwrap();
                        assert!(safe.load(Ordering::SeqCst) >= mine);
                    }
                });
            }
        });
        assert!(syncs.into_inner() <= 1600);
    }

    #[test]
    fn those_who_wait_share_one_sync_and_a_failure_is_not_shared() {
        for fails in [false, true] {
            let (together, syncs) = (Together::default(), AtomicU64::new(0));
            let (begun, first_begun) = mpsc::channel();
            let (let_go, go) = mpsc::channel::<()>();
            scope(|scope| {
                let first = scope.spawn(|| {
                    together.sync(move || {
                        begun.send(()).unwrap();
                        go.recv().unwrap();
                        Ok(())
                    })
                });
                first_begun.recv().unwrap();
                let waiting: Vec<_> = (0..4)
                    .map(|_| {
                        scope.spawn(|| {
                            together.sync(|| {
                                let number = syncs.fetch_add(1, Ordering::SeqCst);
                                if fails && number == 0 { Err(io::Error::other("no")) } else { Ok(()) }
                            })
                        })
                    })
                    .collect();
                while together.lock().waiting < 4 {
                    std::thread::yield_now();
                }
                let_go.send(()).unwrap();
                first.join().unwrap().unwrap();
                let failed =
                    waiting.into_iter().map(|one| one.join().unwrap()).filter(Result::is_err).count();
                assert_eq!(failed, usize::from(fails));
                assert_eq!(syncs.load(Ordering::SeqCst), 1 + u64::from(fails));
            });
        }
    }
}
