//! `imgbatch gallery`: one HTML page of a run.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::exit::Exit;
use super::{Global, Usage, note, print};
use crate::events::{Style, counted};
use crate::gallery::{self, GalleryError, Made, Options};

/// Arguments of `gallery`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The output folder of a run.
    out: PathBuf,
    /// Put the thumbnails into the page, so that this one file can be sent to somebody.
    #[arg(long)]
    embed: bool,
    /// Where the page goes [default: gallery.html in OUT].
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
}

/// Unreadable pictures that are named; the rest is counted.
const NAMED: usize = 5;

pub(super) fn execute(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let to = args.to.clone().unwrap_or_else(|| gallery::usual_path(&args.out));
    if to.is_dir() {
        return Err(Usage::error(format!("{} is a folder; name the page's file with --to", to.display())));
    }
    let bar = bar(global);
    let options = Options { out: args.out.clone(), to, embed: args.embed };
    let made = gallery::make(&options, &|done, of| {
        bar.set_length(of);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let made = made.map_err(explained)?;
    if !global.quiet {
        note(&remarks(&made));
    }
    print(&format!("{}\n", options.to.display()))?;
    Ok(Exit::Success)
}

fn bar(global: &Global) -> ProgressBar {
    let wanted = match global.progress {
        Style::Auto => !global.quiet,
        Style::Bar => true,
        Style::Plain | Style::Json | Style::None => false,
    };
    let target = if wanted { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} thumbnails") {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar
}

fn remarks(made: &Made) -> String {
    let named = made.unreadable.iter().take(NAMED);
    let named = named.map(|picture| format!("warning: {} can't be shown: {}\n", picture.path, picture.why));
    let more = match made.unreadable.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("warning: {more} more pictures can't be shown\n"),
    };
    let (pictures, jobs) = (counted(made.pictures, "picture"), counted(made.jobs, "job"));
    std::iter::once(format!("{pictures} of {jobs}\n")).chain(named).chain([more]).collect()
}

fn explained(error: GalleryError) -> anyhow::Error {
    match error {
        GalleryError::Ledger(error) => error.into(),
        GalleryError::Write { path, source } => {
            Usage::error(format!("can't write {}: {source}; name another place with --to", path.display()))
        }
        GalleryError::Page(_) => error.into(),
    }
}
