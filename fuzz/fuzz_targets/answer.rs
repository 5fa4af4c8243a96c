//! Any bytes under any status as the answer to a submission: task JSON and
//! errors. A success that carries no usable id is never a task.
#![no_main]

use imgbatch::api::{Submission, classify_submit};
use libfuzzer_sys::fuzz_target;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

fuzz_target!(|input: (u16, &[u8])| {
    let (status, body) = input;
    let Ok(status) = StatusCode::from_u16(status % 600) else { return };
    match classify_submit(status, &HeaderMap::new(), body) {
        Submission::Accepted(accepted) => {
            assert!(status.is_success());
            assert!(!accepted.task.id.is_empty() && !accepted.task.id.contains(['/', ' ', '\n']));
        }
        Submission::NeverSent { .. } => panic!("it was answered"),
        Submission::Unknown(_) => {}
        _ => assert!(!status.is_success(), "a success is a task or a doubt"),
    }
});
