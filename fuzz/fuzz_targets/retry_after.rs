//! Any header as a wait: never a panic, never longer than the longest.
#![no_main]

use std::time::{Duration, SystemTime};

use imgbatch::api::retry_after::{LONGEST, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, u64)| {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(input.1 % 253_402_300_800);
    assert!(parse(input.0, now).is_none_or(|wait| wait <= LONGEST));
});
