//! Named points at which a test kills the process, and controls that make it
//! wrong on purpose, so that the proofs in `tests/proof` are seen to fail.
//!
//! Only with the feature `crash-points`, which optimised builds refuse.
//! Without it both macros are nothing.

#[cfg(all(feature = "crash-points", not(debug_assertions)))]
compile_error!("the feature `crash-points` is for tests and must not be in a release");

/// Dies here where `IMGBATCH_CRASH_AT` names this point: `point`, or `point@3`
/// for the third passing.
macro_rules! crash_point {
    ($point:literal) => {
        #[cfg(feature = "crash-points")]
        crate::crash::at($point);
    };
}

/// True where `IMGBATCH_SABOTAGE` names this control.
macro_rules! sabotaged {
    ($control:literal) => {
        cfg!(feature = "crash-points") && crate::crash::is_wanted("IMGBATCH_SABOTAGE", $control)
    };
}

/// No destructor runs and nothing is flushed, as at a kill.
#[cfg(feature = "crash-points")]
pub(crate) fn at(point: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static PASSED: AtomicU32 = AtomicU32::new(0);
    let wanted = std::env::var("IMGBATCH_CRASH_AT").unwrap_or_default();
    let (name, nth) = wanted.split_once('@').unwrap_or((&wanted, "1"));
    if name == point && nth.parse() == Ok(PASSED.fetch_add(1, Ordering::Relaxed) + 1) {
        std::process::abort();
    }
}

pub(crate) fn is_wanted(variable: &str, control: &str) -> bool {
    std::env::var(variable).is_ok_and(|wanted| wanted == control)
}
