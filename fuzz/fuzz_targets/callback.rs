//! Any body of a callback: what it names can stand in a path and in a log.
#![no_main]

use imgbatch::callback::named_task;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Some((task, status)) = named_task(body) {
        assert!(!task.is_empty() && task.len() <= 200 && status.len() <= 200);
        assert!(task.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/'));
    }
});
