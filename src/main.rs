//! The binary: parses, calls the library, prints an error once, ends with its
//! exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use imgbatch::cli::{Cli, Exit, early_end};
use imgbatch::manifest::Diagnostics;

fn main() -> ExitCode {
    // TLS by ring; the crates that need it are built without a provider.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed already");
    }
    let cli = Cli::parse();
    let (color, json) = (cli.colors_errors(), cli.wants_json());
    match cli.execute() {
        Ok(exit) => exit.into(),
        Err(error) => {
            let exit = Exit::of_error(&error);
            complain(&error, color);
            if json {
                // Nobody is there to be told that nobody is there.
                let _ = write!(std::io::stdout(), "{}", early_end(exit, &format!("{error:#}")));
            }
            exit.into()
        }
    }
}

fn complain(error: &anyhow::Error, color: bool) {
    let text = match error.downcast_ref::<Diagnostics>() {
        Some(diagnostics) => diagnostics.render(color),
        None if color => format!("\u{1b}[1;31merror\u{1b}[0m: {error:#}"),
        None => format!("error: {error:#}"),
    };
    // Nobody is there to be told that nobody is there.
    let _ = writeln!(std::io::stderr(), "{text}");
}
