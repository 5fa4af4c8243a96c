//! `imgbatch completions`: what a shell needs to complete commands and flags.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::exit::Exit;
use super::{Cli, print};

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn execute(args: &Args) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "imgbatch", &mut script);
    print(&String::from_utf8(script)?)?;
    Ok(Exit::Success)
}
