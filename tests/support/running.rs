//! A command while it runs, and after it. What it says is heard as it comes,
//! so that a test may wait for a phrase instead of a moment.

use std::io::Read;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No single wait of a test is longer.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A finished command.
#[derive(Debug)]
pub struct Done {
    /// Killed by a signal: minus its number.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// The one document on standard output.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not one JSON document ({error}): {self}"))
    }

    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// Asserts that standard error names all of these.
    #[track_caller]
    pub fn says(self, phrases: &[&str]) -> Self {
        for phrase in phrases {
            assert!(self.stderr.contains(phrase), "nothing about {phrase:?}: {self}");
        }
        self
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// A running command.
pub struct Running {
    pub child: Child,
    stdout: Ear,
    stderr: Ear,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (Ear::on(child.stdout.take()), Ear::on(child.stderr.take()));
        Self { child, stdout, stderr }
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap();
        assert!(sent.success(), "kill -{signal} {pid}");
    }

    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until standard error holds this.
    #[track_caller]
    pub fn hears(&self, phrase: &str) {
        self.hears_times(1, phrase);
    }

    /// Waits until standard error holds this so many times.
    #[track_caller]
    pub fn hears_times(&self, times: usize, phrase: &str) {
        let heard = |said: &Said| text(&said.bytes).matches(phrase).count() >= times;
        let said = self.stderr.wait(|said| said.over || heard(said));
        assert!(heard(&said), "waited in vain for {phrase:?}:\n{}", text(&said.bytes));
    }

    /// Waits for the end, within bounds; gives both streams as they came.
    pub fn end(mut self) -> (i32, Vec<u8>, Vec<u8>) {
        let status = wait(&mut self.child);
        let all = |ear: &Ear| ear.wait(|said| said.over).bytes;
        (code(status), all(&self.stdout), all(&self.stderr))
    }
}

/// What a stream has said so far.
#[derive(Clone, Default)]
struct Said {
    bytes: Vec<u8>,
    over: bool,
}

/// Listens to one stream until its end.
struct Ear(Arc<(Mutex<Said>, Condvar)>);

impl Ear {
    /// A stream that leads elsewhere says nothing.
    fn on(mut stream: Option<impl Read + Send + 'static>) -> Self {
        let shared: Arc<(Mutex<Said>, Condvar)> = Arc::default();
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            let (said, news) = &*theirs;
            let mut buffer = [0; 4096];
            loop {
                let count = stream.as_mut().map_or(0, |stream| stream.read(&mut buffer).unwrap());
                let mut said = said.lock().unwrap();
                said.bytes.extend(&buffer[..count]);
                said.over = count == 0;
                news.notify_all();
                if said.over {
                    return;
                }
            }
        });
        Self(shared)
    }

    /// What was said when `holds` came true, or when patience ended.
    fn wait(&self, holds: impl Fn(&Said) -> bool) -> Said {
        let (said, news) = &*self.0;
        let (said, _) = news.wait_timeout_while(said.lock().unwrap(), PATIENCE, |said| !holds(said)).unwrap();
        said.clone()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn wait(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begun.elapsed() > PATIENCE * 2 {
            child.kill().unwrap();
            panic!("the command does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| -status.signal().unwrap())
}
