//! The binary: parses, calls the library, prints an error once, ends with its
//! exit code.

use std::process::ExitCode;

use clap::Parser;
use imgbatch::cli::{Cli, Exit};
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
                report(&error, exit);
            }
            exit.into()
        }
    }
}

/// The one JSON document of a command that ended early.
fn report(error: &anyhow::Error, exit: Exit) {
    use std::io::Write;
    let report = serde_json::json!({
        "version": 1,
        "exit_code": exit.code(),
        "error": format!("{error:#}"),
    });
    // Nobody is there to be told that nobody is there.
    let _ = writeln!(std::io::stdout(), "{report}");
}

fn complain(error: &anyhow::Error, color: bool) {
    use std::io::Write;
    let text = match error.downcast_ref::<Diagnostics>() {
        Some(diagnostics) => diagnostics.render(color),
        None if color => format!("\u{1b}[1;31merror\u{1b}[0m: {error:#}"),
        None => format!("error: {error:#}"),
    };
    // Nobody is there to be told that nobody is there.
    let _ = writeln!(std::io::stderr(), "{text}");
}
