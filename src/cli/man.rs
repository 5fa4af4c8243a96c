//! `imgbatch man`: the manual, from the same text as `--help`.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_mangen::{Man, generate_to};

use super::exit::Exit;
use super::{Cli, Usage, print};

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write a page for every command into this folder instead, such as ~/.local/share/man/man1.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub(super) fn execute(args: &Args) -> anyhow::Result<Exit> {
    // `help` repeats the pages of all others.
    let command = Cli::command().disable_help_subcommand(true);
    if let Some(folder) = &args.to {
        std::fs::create_dir_all(folder).and_then(|()| generate_to(command, folder)).map_err(|error| {
            Usage::error(format!("can't write manual pages to {}: {error}", folder.display()))
        })?;
    } else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        print(&String::from_utf8(page)?)?;
    }
    Ok(Exit::Success)
}
