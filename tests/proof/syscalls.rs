//! The n-th system call that writes fails, or is the last: N moves until no
//! thread makes so many. strace counts for each thread by itself: in a new
//! folder the first thread is struck while it makes the ledger, and only where
//! that exists already are the others struck, who buy and store.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use imgbatch::emulator::{Latency, Options};
use serde_json::json;

use crate::round::{record, seed, skip};
use crate::support::{Done, Scene, quick, sized};

/// What happens to the n-th call: a kill before it is made; one error; the
/// same error from then on.
const FATES: [&str; 6] = [
    "signal=SIGKILL:when={n}",
    "error=ENOSPC:when={n}",
    "error=ENOSPC:when={n}+",
    "error=EIO:when={n}",
    "error=EIO:when={n}+",
    "error=EROFS:when={n}+",
];

/// What is counted together.
const CALLS: [&str; 4] = ["fsync,fdatasync", "pwrite64", "renameat2,rename,linkat", "ftruncate"];

/// What there is before the command that is struck.
#[derive(Clone, Copy, Debug)]
enum Before {
    Nothing,
    /// The jobs are enrolled, enough of them to keep each thread busy.
    Ledger,
}

fn has_strace() -> bool {
    let inject = ["-f", "-e", "trace=none", "-e", "inject=fsync:error=EIO:when=9", "true"];
    Command::new("strace").args(inject).output().is_ok_and(|output| output.status.success())
}

fn scene(before: Before) -> Scene {
    let scene = Scene::with(Options { latency: Latency::Fixed(Duration::from_millis(50)), ..quick() });
    match before {
        Before::Nothing => scene.jobs(3),
        Before::Ledger => {
            scene.jobs(20);
            scene.run(&["--limit", "0"]).exits(0);
        }
    }
    scene
}

/// The command under strace; false where nothing was injected, because no
/// thread made so many calls.
fn injected(scene: &Scene, calls: &str, fate: &str) -> (Done, bool) {
    let (plain, trace) = (scene.buying(&[]), scene.path("trace"));
    let mut command = Command::new("strace");
    command.args(["-f", "-qqq", "-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:{fate}")]);
    command.arg("-o").arg(&trace).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(scene.folder.path()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let done = scene.finish(scene.spawn(command));
    let struck = done.code == -9 || fs::read_to_string(&trace).unwrap().contains("(INJECTED)");
    (done, struck)
}

/// One cell: the n-th call, its fate, and a plain run after it.
fn strike(before: Before, calls: &str, fate: &str) -> bool {
    let cell = format!("{before:?} {calls} {fate}");
    let scene = scene(before);
    let (done, struck) = injected(&scene, calls, fate);
    if !scene.out().join("ledger.db").exists() {
        assert_eq!(scene.stats().creates_received, 0, "{cell}: bought without a ledger: {done}");
        return struck;
    }
    let after = scene.run(&[]);
    assert!([0, 6].contains(&after.code), "{cell}: {done}\nthen {after}");
    // A POST whose intent is not in the ledger is billed under a key that nobody knows.
    scene.prove();
    assert!(scene.billed_again().is_empty(), "{cell}: {:?}", scene.billed_again());
    let sent: u64 = scene.rows("SELECT ifnull(sum(sends), 0) FROM attempt_log")[0].parse().unwrap();
    assert!(scene.stats().creates_received <= sent, "{cell}: more was sent than the ledger knows");
    struck
}

#[test]
fn every_write_may_be_the_last_or_fail() {
    if !has_strace() {
        return skip("the sweep over system calls", "strace is not here, or may not trace");
    }
    // A full sweep is a thousand runs: a round takes one of `stride`.
    let stride = sized("IMGBATCH_TEST_STRIDE", 40);
    let mut random = fastrand::Rng::with_seed(seed());
    let mut cells = 0;
    let only = std::env::var("IMGBATCH_TEST_CALLS").unwrap_or_default();
    for before in [Before::Ledger, Before::Nothing] {
        for calls in CALLS.into_iter().filter(|calls| calls.contains(&only)) {
            for fate in FATES {
                let mut n = random.usize(1..=stride);
                while strike(before, calls, &fate.replace("{n}", &n.to_string())) {
                    cells += 1;
                    n += random.usize(1..=stride);
                }
            }
        }
    }
    assert!(cells > 0);
    record("syscalls", json!({ "struck": cells, "paid_twice": 0, "nameless": 0 }));
}
