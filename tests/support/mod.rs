//! A stage for whole-binary tests: the emulator in the test's process, the real
//! binary as a child, and the proofs that every test owes at its end.

#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part of the stage")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use imgbatch::emulator::{Emulator, Latency, Options, Stats};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

mod running;

pub use running::{Done, PATIENCE, Running};

/// A key that must never be seen again.
pub const CANARY: &str = "canary-5e1f7c2a9b-never-show-this-key";

/// The friendly emulator of these tests: quick, and without real pixels.
pub fn quick() -> Options {
    Options {
        latency: Latency::Fixed(Duration::from_millis(200)),
        cached_pictures: true,
        ..Options::default()
    }
}

/// An emulator, a folder, and what was said there.
pub struct Scene {
    pub folder: TempDir,
    emulator: Option<Emulator>,
    runtime: Runtime,
    said: Mutex<Vec<u8>>,
    /// The emulator's address, or another one to try.
    pub base_url: String,
}

impl Scene {
    /// A quick emulator with these faults.
    pub fn new(faults: &str) -> Self {
        Self::with(Options { faults: faults.parse().unwrap(), ..quick() })
    }

    pub fn with(options: Options) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let emulator = runtime.block_on(Emulator::start(options)).unwrap();
        let base_url = emulator.base_url();
        let folder = TempDir::with_prefix("imgbatch-test-").unwrap();
        Self { folder, emulator: Some(emulator), runtime, said: Mutex::default(), base_url }
    }

    /// Ends the emulator and starts another in its place, at its address.
    pub fn restart(&mut self, options: Options) {
        let listen = self.base_url.strip_prefix("http://").unwrap().parse().unwrap();
        let old = self.emulator.take().unwrap();
        self.runtime.block_on(async { old.stop().await });
        let emulator = self.runtime.block_on(Emulator::start(Options { listen, ..options })).unwrap();
        self.emulator = Some(emulator);
    }

    pub fn stats(&self) -> Stats {
        self.emulator.as_ref().unwrap().stats()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn out(&self) -> PathBuf {
        self.path("out")
    }

    pub fn picture(&self, name: &str) -> PathBuf {
        self.out().join("images").join(name)
    }

    /// Writes the manifest: this text below a heading that names the run.
    pub fn manifest(&self, text: &str) {
        let head = "version = 1\nname = \"scene\"\n";
        self.write("m.toml", &format!("{head}{text}"));
    }

    /// A manifest of `count` small pictures.
    pub fn jobs(&self, count: usize) {
        self.manifest(&jobs((1..=count).map(|n| (format!("j{n:03}"), format!("picture number {n}")))));
    }

    /// A manifest of jobs that misbehave as their names say.
    pub fn wishes(&self, wishes: &[(&str, &str)]) {
        let prompts = wishes.iter().map(|(id, wish)| {
            let wish = if wish.is_empty() { String::new() } else { format!(" [emulate: {wish}]") };
            ((*id).to_owned(), format!("a picture called {id}{wish}"))
        });
        self.manifest(&jobs(prompts));
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The bare binary in the scene's folder, in an environment of its own.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imgbatch"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("IMGBATCH_API_KEY", CANARY)
            .env("IMGBATCH_RATE", "200/s")
            // The tests of tests: builds that are wrong on purpose.
            .envs(std::env::var_os("IMGBATCH_SABOTAGE").map(|sabotage| ("IMGBATCH_SABOTAGE", sabotage)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `run m.toml` as a script would call it, with these flags on top.
    pub fn buying(&self, flags: &[&str]) -> Command {
        let mut args = vec!["run", "m.toml", "--out", "out", "--base-url", &self.base_url];
        args.extend(["--yes", "--json", "-vv"]);
        args.extend(flags);
        self.command(&args)
    }

    /// Runs to the end.
    pub fn run(&self, flags: &[&str]) -> Done {
        self.finish(self.spawn(self.buying(flags)))
    }

    /// Any command, to the end.
    pub fn call(&self, args: &[&str]) -> Done {
        self.finish(self.spawn(self.command(args)))
    }

    pub fn call_with_input(&self, args: &[&str], input: &str) -> Done {
        let mut command = self.command(args);
        command.stdin(Stdio::piped());
        let mut running = self.spawn(command);
        running.child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        self.finish(running)
    }

    pub fn status(&self) -> Value {
        self.call(&["status", "out", "--json"]).json()
    }

    #[expect(clippy::unused_self, reason = "what is spawned is finished by the same scene")]
    pub fn spawn(&self, mut command: Command) -> Running {
        Running::start(&mut command)
    }

    /// Waits for the end, within bounds.
    #[track_caller]
    pub fn finish(&self, running: Running) -> Done {
        let (code, stdout, stderr) = running.end();
        self.said.lock().unwrap().extend(stdout.iter().chain(&stderr));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let done = Done { code, stdout: text(&stdout), stderr: text(&stderr) };
        assert!(!done.stderr.contains("panicked at"), "{done}");
        done
    }

    /// Starts this run again and again and kills it at random moments below
    /// `longest` milliseconds, until `kills` have struck or the work is done.
    pub fn kill_at_random(
        &self,
        run: impl Fn() -> Command,
        kills: usize,
        random: &mut fastrand::Rng,
        longest: u64,
    ) -> usize {
        for struck in 0..kills {
            let mut running = self.spawn(run());
            for _ in 0..random.u64(20..longest) {
                std::thread::sleep(Duration::from_millis(1));
                if running.is_over() {
                    self.finish(running);
                    return struck;
                }
            }
            running.signal("KILL");
            assert!([0, 6, -9].contains(&self.finish(running).code));
        }
        kills
    }

    /// Waits until the emulator's figures are so.
    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn(&Stats) -> bool) {
        let begun = Instant::now();
        while !holds(&self.stats()) {
            assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}: {:?}", self.stats());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn ledger(&self) -> Connection {
        Connection::open_with_flags(self.out().join("ledger.db"), OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap()
    }

    /// Rows of a query with text columns, joined by `|`.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let db = self.ledger();
        let mut query = db.prepare(sql).unwrap();
        let columns = query.column_count();
        let rows = query.query_map([], |row| {
            let cells = (0..columns).map(|at| {
                Ok(match row.get::<_, rusqlite::types::Value>(at)? {
                    rusqlite::types::Value::Null => String::new(),
                    rusqlite::types::Value::Integer(number) => number.to_string(),
                    rusqlite::types::Value::Real(number) => number.to_string(),
                    rusqlite::types::Value::Text(text) => text,
                    rusqlite::types::Value::Blob(_) => "blob".into(),
                })
            });
            Ok(cells.collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// What must hold whenever no run is going: nothing paid twice, nothing
    /// paid and unnamed, nothing broken under a final name, the key nowhere.
    #[track_caller]
    pub fn prove(&self) {
        self.prove_money();
        self.prove_files();
        self.prove_silence();
    }

    #[track_caller]
    fn prove_money(&self) {
        let stats = self.stats();
        assert_eq!(stats.duplicate_keys, 0, "a key was billed twice: {:?}", stats.tasks_by_key);
        assert_eq!(stats.keys_sent_to_results, 0);
        let mut known = BTreeSet::new();
        let mut doubtful = BTreeSet::new();
        for row in self.rows("SELECT idempotency_key, ifnull(task_id, ''), outcome FROM attempt_log") {
            let cells: Vec<&str> = row.split('|').collect();
            known.insert(cells[1].to_owned());
            if ["unknown", "abandoned", "resubmitted"].contains(&cells[2]) {
                doubtful.insert(cells[0].to_owned());
            }
        }
        for (key, tasks) in &stats.tasks_by_key {
            for task in tasks {
                let named = known.contains(task) || doubtful.contains(key);
                assert!(named, "{task} was billed under {key}, and the ledger names neither");
            }
        }
        assert_eq!(stats.tasks_by_key.values().map(Vec::len).sum::<usize>() as u64, stats.tasks_created);
    }

    /// Jobs that were billed more than once, with the number of tasks.
    pub fn billed_again(&self) -> BTreeMap<String, u64> {
        let keys = self.rows("SELECT idempotency_key, job_id FROM attempt_log");
        let owners: BTreeMap<&str, &str> = keys.iter().map(|row| row.split_once('|').unwrap()).collect();
        let mut bills = BTreeMap::<String, u64>::new();
        for (key, tasks) in self.stats().tasks_by_key {
            *bills.entry(owners[key.as_str()].to_owned()).or_default() += tasks.len() as u64;
        }
        bills.retain(|_, count| *count > 1);
        bills
    }

    /// Every picture under a final name decodes and is the recorded one.
    #[track_caller]
    fn prove_files(&self) {
        let recorded = self.rows("SELECT path, sha256 FROM image_files WHERE saved_at IS NOT NULL");
        let mut decoded = BTreeSet::new();
        for row in &recorded {
            let (path, sha256) = row.split_once('|').unwrap();
            let bytes = fs::read(self.out().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert_eq!(imgbatch::job::ContentHash::of(&bytes).to_string(), sha256, "{path}");
            // Cached pictures are few: each is decoded once.
            if decoded.insert(sha256) {
                image::load_from_memory(&bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
            }
        }
        let recorded: BTreeSet<&str> = recorded.iter().map(|row| row.split_once('|').unwrap().0).collect();
        for path in files(&self.out().join("images")) {
            let name = path.strip_prefix(self.out()).unwrap().display().to_string();
            assert!(recorded.contains(name.as_str()), "{name} is in images/ and not in the ledger");
        }
    }

    /// The key is in no output and in no file.
    #[track_caller]
    pub fn prove_silence(&self) {
        let holds = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes());
        assert!(!holds(&self.said.lock().unwrap()), "the key was said");
        for path in files(self.folder.path()) {
            if let Ok(bytes) = fs::read(&path) {
                assert!(!holds(&bytes), "the key is in {}", path.display());
            }
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.prove_silence();
        }
        drop(self.emulator.take());
        // Requests that hang are nobody's concern any more.
        let spare = tokio::runtime::Builder::new_current_thread().build().unwrap();
        std::mem::replace(&mut self.runtime, spare).shutdown_background();
    }
}

/// A small disk, unmounted at the end.
pub struct Disk(PathBuf);

impl Disk {
    /// `None` where this test may not mount.
    pub fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let option = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &option, "tmpfs"]).arg(at).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(at.to_owned()));
        }
        // Not `eprintln`, which the harness keeps to itself where a test passes.
        let skipped = b"SKIPPED: a full disk is not tested here: mounting a tmpfs needs root
";
        std::io::stderr().write_all(skipped).unwrap();
        None
    }

    /// Takes every free byte.
    pub fn fill(&self) {
        let mut ballast = fs::OpenOptions::new().create(true).append(true).open(self.ballast()).unwrap();
        for size in [1 << 20, 4096] {
            while ballast.write_all(&vec![7; size]).is_ok() {}
        }
    }

    pub fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// TOML of jobs with these ids and prompts, small and cheap.
pub fn jobs(prompts: impl IntoIterator<Item = (String, String)>) -> String {
    use std::fmt::Write;
    let mut text = String::from("[defaults]\nsize = \"1024x1024\"\nquality = \"low\"\n");
    for (id, prompt) in prompts {
        writeln!(text, "[[jobs]]\nid = \"{id}\"\nprompt = \"{prompt}\"").unwrap();
    }
    text
}

/// The lines of a manifest that ask for callbacks on a free port, and their address.
pub fn callbacks() -> (String, String) {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let url = format!("http://{free}/hooks");
    (format!("[callback]\nlisten = \"{free}\"\npublic_url = \"{url}\"\n"), url)
}

/// Every file below a folder, links not followed.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// A size that a long soak may raise.
pub fn sized(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().map_or(usual, |text| text.parse().unwrap())
}
