//! Logs on standard error: warnings by default, as text or JSON lines.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::prelude::*;

use super::Global;
use crate::events::Screen;

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging. `IMGBATCH_LOG` takes a filter such as `imgbatch=debug` and
/// outranks -v and -q.
pub(super) fn start(global: &Global, screen: Screen) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "imgbatch=info,warn",
        (false, 2) => "imgbatch=debug,info",
        (false, _) => "trace",
    };
    let filter = EnvFilter::try_from_env("IMGBATCH_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let registry = tracing_subscriber::registry().with(filter);
    let color = global.color(&std::io::stderr());
    let writer = move || screen.clone();
    // A second start, as in tests, keeps the first subscriber.
    let _ = match global.log_format {
        Format::Text => {
            registry.with(layer().with_writer(writer).with_ansi(color).with_target(false)).try_init()
        }
        Format::Json => registry.with(layer().json().with_writer(writer)).try_init(),
    };
}
