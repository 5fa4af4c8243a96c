//! The one stream of what happens in a run, and its reporters.
//!
//! An [`Event`] is plain data. The progress bar, the plain lines and the JSON
//! lines tell the same events in their own way; none of them knows the ledger.

mod bar;
mod event;
mod json;
mod plain;
mod screen;
mod text;

use std::io::IsTerminal;
use std::time::Duration;

pub use bar::Bar;
pub use event::{Event, Snapshot};
pub use json::{JsonLines, line_schema};
pub use plain::Plain;
pub use screen::Screen;
pub use text::{bytes, counted, duration, printable, slower, wrap};

/// Tells a user what happens.
pub trait Reporter: Send {
    /// Something happened; `snapshot` is how the run stands after it.
    fn tell(&mut self, event: &Event, snapshot: &Snapshot);

    /// How often [`Reporter::tick`] is worth a wake-up; `None` where only
    /// events are told, so that a run that waits costs nothing.
    fn every(&self) -> Option<Duration> {
        None
    }

    /// Time passed.
    fn tick(&mut self, _snapshot: &Snapshot) {}

    /// The run is over; leaves the terminal as it was.
    fn finish(&mut self) {}
}

/// Says nothing.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Reporter for Silent {
    fn tell(&mut self, _event: &Event, _snapshot: &Snapshot) {}
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Style {
    /// A bar on a terminal, plain lines otherwise.
    #[default]
    Auto,
    /// A progress bar.
    Bar,
    /// One line an event.
    Plain,
    /// One JSON object a line.
    Json,
    /// Nothing.
    None,
}

impl Style {
    /// The reporter of this style; all of them write to standard error.
    #[must_use]
    pub fn reporter(self, screen: &Screen, color: bool) -> Box<dyn Reporter> {
        match self {
            Self::Auto if std::io::stderr().is_terminal() => Box::new(Bar::new(screen, color)),
            Self::Bar => Box::new(Bar::new(screen, color)),
            Self::Auto | Self::Plain => Box::new(Plain::new(std::io::stderr(), color)),
            Self::Json => Box::new(JsonLines::new(std::io::stderr())),
            Self::None => Box::new(Silent),
        }
    }
}
