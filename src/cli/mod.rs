//! The command line: one subcommand a file. Arguments become one call into the
//! library, its result becomes text or JSON, and an exit code.

mod ask;
mod by;
mod check;
mod collect;
mod completions;
mod connect;
mod dated;
mod doctor;
mod drive;
mod emulate;
mod exit;
mod export;
mod gallery;
mod init;
mod logging;
mod man;
mod notify;
mod plan;
mod plan_text;
mod probe;
mod prove;
mod purse;
mod resolve;
mod run;
mod rungs;
mod settings;
mod signals;
mod source;
mod status;
mod summary;
mod until;
mod watch;

use std::io::{IsTerminal, Write};

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use exit::{Exit, Usage};
pub use logging::Format as LogFormat;

use crate::events::{Reporter, Screen, Style};

/// Runs manifests of image jobs against the asynchronous GPT Image 2 API.
///
/// The same command that starts a run resumes it: nothing is paid twice, and
/// nothing that was paid is lost. Try it without a key by adding --emulate.
#[derive(Debug, Parser)]
#[command(
    name = "imgbatch",
    version = VERSION,
    propagate_version = true,
    max_term_width = 100,
    after_long_help = AFTER_A_CRASH
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// With the commit, where the build knew it.
const VERSION: &str = match option_env!("IMGBATCH_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

const AFTER_A_CRASH: &str = "\
After a crash, a kill or a power cut:
  Run the same command again. Pictures that were paid for are collected, files
  that are there are recognised, missing ones are fetched again while their
  links live (24 hours). Nothing is bought twice.

What \"unknown\" means:
  A submission may have reached the API and been billed, and no answer says so.
  It is held, its price is counted against the budget, and it is never bought
  again by itself. What can resolve it is tried at each start; `imgbatch status`
  says what happens next, `imgbatch resolve` lets you decide.";

/// What every subcommand takes.
#[derive(Clone, Debug, Args)]
struct Global {
    /// Log more: -v what happens, -vv every request.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
    /// Say nothing but errors and results.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Colours.
    #[arg(long, value_enum, default_value_t, global = true, value_name = "WHEN")]
    color: Color,
    /// How progress is shown.
    #[arg(long, value_enum, default_value_t, global = true, value_name = "STYLE")]
    progress: Style,
    /// How logs are written.
    #[arg(long, value_enum, default_value_t, global = true, value_name = "FORMAT")]
    log_format: LogFormat,
    /// Where logs and progress meet.
    #[arg(skip)]
    screen: Screen,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Document {
    /// A manifest.
    Manifest,
    /// A line of `--progress json`.
    Events,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plan, submit, poll, download, record; the same command resumes.
    Run(run::Args),
    /// Show what would run and why, and what it costs; needs no key and no network.
    Plan(plan::Args),
    /// Submit and leave; `imgbatch collect` fetches the pictures later.
    Submit(run::Args),
    /// Fetch what was submitted, from the ledger alone.
    Collect(collect::Args),
    /// Show how a run stands, also while it is running.
    Status(status::Args),
    /// Resolve submissions whose outcome is unknown, or decide about them.
    Resolve(resolve::Args),
    /// Check every picture against the ledger, and find blank and similar ones.
    Check(check::Args),
    /// Make one HTML page to look through the pictures, pick and reject.
    Gallery(gallery::Args),
    /// Write a dataset: jsonl, csv, imagefolder, webdataset or parquet.
    Export(export::Args),
    /// Check key, balance, reachability, clock, disk and folder.
    Doctor(doctor::Args),
    /// Serve the API on this machine, for demos, tests and other clients.
    Emulator(emulate::Args),
    /// Write a first manifest.
    Init(init::Args),
    /// Print the JSON Schema of manifests, or of the lines of `--progress json`.
    Schema {
        /// Of what.
        #[arg(value_enum, default_value_t = Document::Manifest)]
        document: Document,
    },
    /// Print the completions of a shell.
    Completions(completions::Args),
    /// Print the manual page, or write one for every command.
    Man(man::Args),
}

impl Cli {
    /// Carries the command out. Must not be called inside an async runtime.
    pub fn execute(self) -> anyhow::Result<Exit> {
        let global = self.global;
        logging::start(&global, global.screen.clone());
        match self.command {
            Command::Run(args) => run::execute(&args, &global, run::Mode::Run),
            Command::Plan(args) => plan::execute(&args, &global),
            Command::Submit(args) => run::execute(&args, &global, run::Mode::Submit),
            Command::Collect(args) => collect::execute(&args, &global),
            Command::Status(args) => status::execute(&args),
            Command::Resolve(args) => resolve::execute(&args, &global),
            Command::Check(args) => check::execute(&args),
            Command::Gallery(args) => gallery::execute(&args, &global),
            Command::Export(args) => export::execute(&args),
            Command::Doctor(args) => doctor::execute(&args),
            Command::Emulator(args) => emulate::execute(&args),
            Command::Init(args) => init::execute(&args),
            Command::Schema { document } => {
                let schema = serde_json::to_string_pretty(&match document {
                    Document::Manifest => crate::manifest::json_schema(),
                    Document::Events => crate::events::line_schema(),
                })?;
                print(&format!("{schema}\n"))?;
                Ok(Exit::Success)
            }
            Command::Completions(args) => completions::execute(&args),
            Command::Man(args) => man::execute(&args),
        }
    }

    /// Whether standard output carries one JSON document, whatever happens.
    #[must_use]
    pub fn wants_json(&self) -> bool {
        match &self.command {
            Command::Run(args) | Command::Submit(args) => args.json,
            Command::Plan(args) => args.json,
            Command::Collect(args) => args.json,
            Command::Status(args) => args.json,
            Command::Resolve(args) => args.json,
            Command::Check(args) => args.json,
            Command::Export(args) => args.json,
            Command::Doctor(args) => args.json,
            Command::Gallery(_)
            | Command::Emulator(_)
            | Command::Init(_)
            | Command::Schema { .. }
            | Command::Completions(_)
            | Command::Man(_) => false,
        }
    }

    /// Whether errors are shown in colour.
    #[must_use]
    pub fn colors_errors(&self) -> bool {
        self.global.color(&std::io::stderr())
    }
}

impl Global {
    fn reporter(&self) -> Box<dyn Reporter> {
        let style = match self.progress {
            Style::Auto if self.quiet => Style::None,
            style => style,
        };
        style.reporter(&self.screen, self.color(&std::io::stderr()))
    }

    fn color(&self, stream: &impl IsTerminal) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        }
    }
}

/// The JSON document of a command that ended before there was a summary.
#[must_use]
pub fn early_end(exit: Exit, error: &str) -> String {
    format!("{}\n", serde_json::json!({ "version": 1, "exit_code": exit.code(), "error": error }))
}

/// Writes a result. A reader that has gone away is no error.
fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes something that is not a result.
fn note(text: &str) {
    // Nobody is there to be told that nobody is there.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
