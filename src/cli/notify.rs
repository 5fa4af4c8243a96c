//! `--notify-cmd`: a command that hears how a run ended. Whatever becomes of
//! it, the run's exit code stays.

use std::ffi::OsString;
use std::io::{Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::exit::Exit;
use super::{early_end, print};

/// A command that hangs must not hold the next run of a schedule.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often a command is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Whom to tell.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct NotifyArgs {
    /// A shell command to run at the end: the JSON summary is its input, `IMGBATCH_EXIT_CODE` is set.
    #[arg(long, env = "IMGBATCH_NOTIFY_CMD", hide_env_values = true, value_name = "CMD")]
    notify_cmd: Option<String>,
}

/// What is told at the end.
#[derive(Debug, Default)]
pub(super) struct Notice {
    command: Option<String>,
    /// Environment variables that may hold a key.
    secret: Vec<OsString>,
    /// The summary; without one, the run ended early.
    pub(super) summary: Option<String>,
    /// The user stopped the run.
    pub(super) interrupted: bool,
    pub(super) show: Show,
}

/// What the user sees of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Show {
    /// All of it.
    #[default]
    Everything,
    /// One line, where something is wrong.
    Trouble,
    Nothing,
}

impl Notice {
    pub(super) fn new(args: &NotifyArgs) -> Self {
        let secret = vec!["IMGBATCH_API_KEY".into()];
        Self { command: args.notify_cmd.clone(), secret, ..Self::default() }
    }

    /// Prints a result.
    pub(super) fn print(&self, result: &str, exit: Exit, folder: &Path) -> std::io::Result<()> {
        match self.show {
            Show::Everything => print(result),
            Show::Trouble if exit != Exit::Success => {
                let first = result.lines().next().unwrap_or_default();
                print(&format!("{first} (exit {}, {})\n", exit.code(), folder.display()))
            }
            Show::Trouble | Show::Nothing => Ok(()),
        }
    }

    /// Nobody is told, and nothing is shown.
    pub(super) fn silent() -> Self {
        Self { show: Show::Nothing, ..Self::default() }
    }

    /// Keeps this environment variable from the command.
    pub(super) fn hide(&mut self, variable: &str) {
        self.secret.push(variable.into());
    }

    /// Tells how a run ended, and hands its end on. Who leaves at once is not
    /// kept.
    pub(super) fn tell(self, end: anyhow::Result<Exit>) -> anyhow::Result<Exit> {
        let (exit, error) = match &end {
            Ok(exit) => (*exit, String::from("it ended before there was a summary")),
            Err(error) => (Exit::of_error(error), format!("{error:#}")),
        };
        if let Some(command) = self.command.as_deref().filter(|_| exit != Exit::Interrupted) {
            let document = self.summary.unwrap_or_else(|| early_end(exit, &error));
            match run(command, &self.secret, exit, &document, PATIENCE) {
                Ok(Some(status)) if status.success() => {}
                Ok(Some(status)) => tracing::warn!("the command of --notify-cmd failed: {status}"),
                Ok(None) => tracing::warn!(
                    "the command of --notify-cmd was ended: it took longer than {} s",
                    PATIENCE.as_secs()
                ),
                Err(error) => tracing::warn!("the command of --notify-cmd can't run: {error}"),
            }
        }
        end
    }
}

/// `None` where the command took longer than `patience` and was killed.
fn run(
    command: &str,
    secret: &[OsString],
    exit: Exit,
    document: &str,
    patience: Duration,
) -> std::io::Result<Option<ExitStatus>> {
    // A file and no pipe: a command that doesn't read it holds nobody up.
    let mut input = tempfile::tempfile()?;
    input.write_all(document.as_bytes())?;
    input.rewind()?;
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).env("IMGBATCH_EXIT_CODE", exit.code().to_string());
    for variable in secret {
        shell.env_remove(variable);
    }
    // Standard output is for the run's own result.
    let mut child = shell.stdin(input).stdout(std::io::stderr()).process_group(0).spawn()?;
    wait(&mut child, patience)
}

fn wait(child: &mut Child, patience: Duration) -> std::io::Result<Option<ExitStatus>> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() >= patience {
            // Its children as well; that all are gone is as good.
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(command: &str, patience: Duration) -> Option<i32> {
        run(command, &[], Exit::Failed, "{\"version\":1}\n", patience)
            .unwrap()
            .map(|status| status.code().unwrap())
    }

    #[test]
    fn the_document_and_the_code_arrive() {
        let command =
            "read -r line && test \"$line\" = '{\"version\":1}' && exit $((IMGBATCH_EXIT_CODE + 20))";
        assert_eq!(told(command, PATIENCE), Some(23));
        assert_eq!(told("exit 9", PATIENCE), Some(9));
    }

    #[test]
    fn patience_ends_and_takes_the_commands_children_along() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let command = format!("sleep 600 & echo $! > {}; wait", pid.display());
        // Until the child is known, patience can't end too early.
        let mut tries = 0;
        while !std::fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n')) {
            assert_eq!(told(&command, Duration::from_millis(500 << tries)), None);
            tries += 1;
        }
        let pid = std::fs::read_to_string(&pid).unwrap();
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        // A signal that was sent is not yet one that has arrived.
        let begun = Instant::now();
        while cfg!(target_os = "linux") && !gone() {
            assert!(begun.elapsed() < Duration::from_mins(1), "{pid} lives");
            std::thread::sleep(LOOK);
        }
    }
}
