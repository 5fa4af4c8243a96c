//! What one round of a method came to, as a line for `tests/soak.sh`.

use std::io::Write;

use serde_json::{Value, json};

use crate::support::sized;

/// The round's seed; the soak gives every round a new one.
pub(crate) fn seed() -> u64 {
    sized("IMGBATCH_TEST_SEED", 1) as u64
}

/// Appends `figures` to the soak's results, where there is one.
#[expect(clippy::needless_pass_by_value, reason = "every caller makes them on the spot")]
pub(crate) fn record(method: &str, figures: Value) {
    let Some(file) = std::env::var_os("IMGBATCH_TEST_RESULTS") else { return };
    let line = json!({
        "method": method,
        "at": jiff::Timestamp::now().to_string(),
        "seed": seed(),
        "held": true,
        "figures": figures,
    });
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
    writeln!(file, "{line}").unwrap();
}

/// A proof that can't be given on this machine says so.
pub(crate) fn skip(what: &str, why: &str) {
    // Not `eprintln`, which the harness keeps to itself where a test passes.
    std::io::stderr().write_all(format!("SKIPPED: {what}: {why}\n").as_bytes()).unwrap();
}
