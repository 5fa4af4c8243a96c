//! Which links may be followed, and how much a download may cost.

use std::thread::available_parallelism;
use std::time::Duration;

/// Four times the largest picture that the API makes. Decoding such a JPEG
/// takes 100 MB; PNGs of any size are gone through row by row.
pub(super) const MAX_PIXELS: u64 = 33_177_600;

/// The longest edge of a picture, section 2 of the API facts.
pub(super) const MAX_EDGE: u32 = 23_170;

/// The bounds of every download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The API itself runs on this machine: `http` and loopback hosts are
    /// allowed.
    pub loopback_http: bool,
    /// The manifest allows hosts with private addresses. Link-local and
    /// multicast stay refused.
    pub private_hosts: bool,
    /// The longest file, in bytes.
    pub max_bytes: u64,
    /// The most pixels of a picture.
    pub max_pixels: u64,
    /// The longest silence within a download.
    pub idle_timeout: Duration,
    /// The longest download.
    pub total_timeout: Duration,
    /// Pictures decoded at once; 0 counts as 1.
    pub decode_threads: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            loopback_http: false,
            private_hosts: false,
            max_bytes: 64 * 1024 * 1024,
            max_pixels: MAX_PIXELS,
            idle_timeout: Duration::from_secs(30),
            total_timeout: Duration::from_mins(10),
            decode_threads: available_parallelism().map_or(2, Into::into),
        }
    }
}
