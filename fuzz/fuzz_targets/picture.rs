//! Any file as a picture, as a download is checked.
#![no_main]

use std::io::Write;

use imgbatch::download::{verify, verify_seeing};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(data).expect("room for a temporary file");
    // Other code makes the rows than tells whether they are all here.
    let seen = verify_seeing(file.path(), &mut |_| {});
    if let Ok(facts) = verify(file.path()) {
        assert!(facts.width > 0 && facts.height > 0 && facts.bytes == data.len() as u64);
        assert!(seen.is_err() || seen.is_ok_and(|seen| seen == facts));
    }
});
