//! What a provider refuses: submissions beyond a bucket of tokens, or beyond a
//! number in any second.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// `bucket:RATE:DEPTH` or `window:RATE`, a second each.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    Bucket { rate: u32, depth: u32 },
    Window { rate: u32 },
}

impl Limit {
    /// Submissions a second.
    pub(crate) fn rate(self) -> u32 {
        match self {
            Self::Bucket { rate, .. } | Self::Window { rate } => rate,
        }
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.parse::<u32>().map_err(|error| format!("{part:?}: {error}"));
        match text.split(':').collect::<Vec<_>>()[..] {
            ["bucket", rate, depth] => Ok(Self::Bucket { rate: number(rate)?, depth: number(depth)? }),
            ["window", rate] => Ok(Self::Window { rate: number(rate)? }),
            _ => Err("wanted: bucket:RATE:DEPTH or window:RATE".into()),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket { rate, depth } => write!(f, "bucket:{rate}:{depth}"),
            Self::Window { rate } => write!(f, "window:{rate}"),
        }
    }
}

#[derive(Debug)]
pub(crate) enum Limiter {
    Bucket { rate: f64, depth: f64, tokens: f64, filled: Instant },
    Window { rate: usize, taken: VecDeque<Instant> },
}

impl Limiter {
    pub(crate) fn new(limit: Limit) -> Self {
        match limit {
            Limit::Bucket { rate, depth } => {
                let depth = f64::from(depth);
                Self::Bucket { rate: f64::from(rate), depth, tokens: depth, filled: Instant::now() }
            }
            Limit::Window { rate } => Self::Window { rate: rate as usize, taken: VecDeque::new() },
        }
    }

    pub(crate) fn takes(&mut self) -> bool {
        let now = Instant::now();
        match self {
            Self::Bucket { rate, depth, tokens, filled } => {
                *tokens = (*tokens + now.duration_since(*filled).as_secs_f64() * *rate).min(*depth);
                *filled = now;
                let takes = *tokens >= 1.0;
                *tokens -= f64::from(u8::from(takes));
                takes
            }
            Self::Window { rate, taken } => {
                taken.retain(|at| now.duration_since(*at) < Duration::from_secs(1));
                let takes = taken.len() < *rate;
                taken.extend(takes.then_some(now));
                takes
            }
        }
    }
}
