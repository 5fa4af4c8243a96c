//! Input that means harm: manifests, folders, ledgers, and a key that must not
//! be shown.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use support::{CANARY, Scene, files};

#[test]
fn nested_aliases_of_eight_megabytes_end_quickly_and_small() {
    use std::fmt::Write;
    let scene = Scene::new("");
    let mut bomb = String::from("version: 1\nname: bomb\nvars:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "  a{level}: &a{level} [{below}]").unwrap();
    }
    while bomb.len() < 8 << 20 {
        bomb.push_str("  # padding padding padding padding padding padding padding padding padding\n");
    }
    bomb.push_str("jobs:\n  - prompt: \"{{ a29 }}\"\n");
    scene.write("bomb.yaml", &bomb);
    let begun = Instant::now();
    let mut command = std::process::Command::new("sh");
    let line = format!("ulimit -v 2000000; exec {} plan bomb.yaml", env!("CARGO_BIN_EXE_imgbatch"));
    command.args(["-c", &line]).current_dir(scene.folder.path()).env_clear();
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let running = scene.spawn(command);
    let peak = peak_of(running.child.id());
    let done = scene.finish(running).exits(2);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}: {done}", begun.elapsed());
    let peak = peak.join().unwrap();
    assert!(peak < 256 << 10, "{peak} kB: {done}");
}

/// The most memory a process had, in kB, as far as it was looked at.
fn peak_of(pid: u32) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut peak = 0;
        while let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) {
            let Some(line) = status.lines().find(|line| line.starts_with("VmHWM:")) else { break };
            peak = peak.max(line.split_whitespace().nth(1).unwrap().parse().unwrap());
            std::thread::sleep(Duration::from_millis(5));
        }
        peak
    })
}

#[test]
fn templates_without_end_and_matrices_without_bound_are_refused() {
    let scene = Scene::new("");
    let endless = "[[jobs]]\nid = \"x\"\nprompt = \"{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}\"\n";
    let values = (0..40).map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(",");
    let axes = (0..6).map(|axis| format!("matrix.a{axis} = [{values}]\n")).collect::<Vec<_>>().concat();
    let boundless = format!("[[jobs]]\nid = \"y\"\nprompt = \"{{{{ a0 }}}}\"\n{axes}");
    for text in [endless.to_owned(), boundless] {
        scene.manifest(&text);
        let begun = Instant::now();
        scene.run(&[]).exits(2);
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
    assert_eq!(scene.stats().creates_received, 0);
}

#[test]
fn no_name_leads_out_of_the_folder() {
    let scene = Scene::new("");
    let traps = [
        "../out",
        "../../etc/x",
        "/etc/x",
        "/tmp/x",
        "a/../../x",
        "a/..",
        "..",
        ".",
        "./x/../../y",
        "a//../../b",
        "~/x/../../..",
        "C:\\\\..\\\\x",
        "a\\u0000b",
        "a/\\u0001",
        "..\\u2025/x",
        "x/.",
        "",
        "a/ /../../..",
        "//x",
        ".hidden/../../x",
    ];
    fs::create_dir(scene.path("near")).unwrap();
    for trap in traps {
        for field in ["id", "out"] {
            let other = if field == "id" { "" } else { "id = \"plain\"\n" };
            scene.manifest(&format!(
                "[[jobs]]\n{other}{field} = \"{trap}\"\nprompt = \"x\"\nsize = \"1024x1024\"\n"
            ));
            let done = scene.call(&["plan", "m.toml", "--out", "near/out"]);
            if done.code == 2 {
                continue;
            }
            // A name that was made harmless is as good as a refusal.
            let done =
                scene.call(&["run", "m.toml", "--out", "near/out", "--base-url", &scene.base_url, "--yes"]);
            assert!([0, 2].contains(&done.code), "{field} = {trap:?}: {done}");
            let strays: Vec<_> = files(scene.folder.path())
                .into_iter()
                .filter(|path| !path.starts_with(scene.path("near/out")) && *path != scene.path("m.toml"))
                .collect();
            assert!(strays.is_empty(), "{field} = {trap:?}: {strays:?}");
            let _ = fs::remove_dir_all(scene.path("near/out"));
        }
    }
    // Nor does a cell of somebody's table.
    scene.write("rows.csv", "id,cat\na,../../../near\nb,/tmp\n");
    scene.manifest("[[jobs]]\nid = \"r-{{ id }}\"\nrows = \"rows.csv\"\nprompt = \"{{ cat }}\"\nout = \"{{ cat }}/{{ id }}.{{ ext }}\"\n");
    scene.run(&[]).exits(2);
    assert!(files(&scene.out().join("images")).is_empty());
}

#[test]
fn a_linked_folder_is_not_followed() {
    let scene = Scene::new("");
    fs::create_dir_all(scene.out().join("images")).unwrap();
    fs::create_dir(scene.path("elsewhere")).unwrap();
    symlink(scene.path("elsewhere"), scene.out().join("images/sub")).unwrap();
    scene.manifest("[defaults]\nsize = \"1024x1024\"\n[[jobs]]\nid = \"sub/a\"\nprompt = \"x\"\n[[jobs]]\nid = \"b\"\nprompt = \"y\"\n");
    let done = scene.run(&[]).exits(6).says(&["can't write the picture"]).json();
    assert_eq!(done["images"]["saved"], 1);
    assert!(files(&scene.path("elsewhere")).is_empty(), "written through a link");
    fs::remove_file(scene.out().join("images/sub")).unwrap();
    scene.run(&[]).exits(0);
    assert_eq!(scene.stats().tasks_created, 2);
    scene.prove();
}

#[test]
fn a_key_in_a_manifest_is_refused_and_not_repeated() {
    let scene = Scene::new("");
    for (name, text) in [
        (
            "a.toml",
            format!(
                "version = 1\nname = \"x\"\n[provider]\napi_key = \"{CANARY}\"\n[[jobs]]\nprompt = \"x\"\n"
            ),
        ),
        ("b.yaml", format!("version: 1\nname: x\nprovider:\n  api_key: {CANARY}\njobs:\n  - prompt: x\n")),
        (
            "c.json",
            format!(
                "{{\"version\":1,\"name\":\"x\",\"provider\":{{\"api_key\":\"{CANARY}\"}},\"jobs\":[{{\"prompt\":\"x\"}}]}}"
            ),
        ),
    ] {
        scene.write(name, &text);
        for command in ["plan", "run"] {
            let done = scene.call(&[command, name]).exits(2);
            assert!(done.stderr.contains("key") && !done.stderr.contains(CANARY), "{done}");
        }
        fs::remove_file(scene.path(name)).unwrap();
    }
    // An address that carries it is refused too, and not repeated.
    scene.jobs(1);
    for url in [
        format!("https://{CANARY}@api.example.com"),
        format!("https://user:{CANARY}@api.example.com"),
        format!("https://api.example.com/?key={CANARY}"),
        format!("api.example.com?key={CANARY}"),
        format!("https://{CANARY}@[nonsense"),
    ] {
        let done = scene.call(&["run", "m.toml", "--out", "out", "--base-url", &url, "--yes"]).exits(2);
        assert!(!done.stderr.contains(CANARY), "{done}");
    }
}

/// Everything at once, as talkative as it gets; the scene's end looks for the key.
#[test]
fn the_key_is_silent_at_the_loudest_level() {
    let scene = Scene::new("429:0@2,drop-after@4,html@6,read-html@1,damaged-once@1,seed=2");
    scene.jobs(8);
    let mut command = scene.buying(&["-v", "--log-format", "json"]);
    command.env("IMGBATCH_LOG", "trace").env("RUST_BACKTRACE", "full");
    let done = scene.finish(scene.spawn(command)).exits(6);
    assert!(done.stderr.len() > 10_000, "not loud at all: {}", done.stderr.len());
    scene.prove();
    let mut command = scene.command(&["status", "out"]);
    command.env("IMGBATCH_LOG", "trace");
    scene.finish(scene.spawn(command)).exits(6);
}

#[test]
fn ledgers_of_others_are_refused_and_left_byte_for_byte() {
    let scene = Scene::new("");
    scene.jobs(1);
    scene.run(&[]).exits(0);
    let ledger = scene.out().join("ledger.db");
    let ours = fs::read(&ledger).unwrap();
    let mut newer = ours.clone();
    newer[60..64].copy_from_slice(&77u32.to_be_bytes());
    let mut foreign = ours.clone();
    foreign[68..72].copy_from_slice(&0u32.to_be_bytes());
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("newer", newer, "newer imgbatch (ledger version 77"),
        ("foreign", foreign, "is not a ledger of imgbatch"),
        ("text", b"dear diary, today I wrote a long text that is longer than a header of SQLite, which takes a hundred bytes\n".to_vec(), "is not a ledger"),
        ("short", b"hello".to_vec(), "is not a ledger"),
        ("half", ours[..50].to_vec(), "is not a ledger"),
    ];
    for (name, bytes, phrase) in cases {
        fs::write(&ledger, &bytes).unwrap();
        for args in [
            &["run", "m.toml", "--out", "out", "--base-url", &scene.base_url, "--yes"][..],
            &["plan", "m.toml", "--out", "out"],
            &["status", "out"],
            &["collect", "out"],
            &["resolve", "out", "--all", "--abandon"],
        ] {
            scene.call(args).exits(2).says(&[phrase]);
            assert!(fs::read(&ledger).unwrap() == bytes, "{name}: {args:?} touched it");
        }
    }
    assert_eq!(scene.stats().creates_received, 1);
    fs::write(&ledger, ours).unwrap();
    scene.run(&[]).exits(0);
    scene.prove();
}

/// Damage inside a ledger is an error, never a panic and never a purchase.
#[test]
fn damaged_ledgers_neither_panic_nor_buy() {
    let scene = Scene::new("");
    scene.jobs(5);
    scene.run(&[]).exits(0);
    let ledger = scene.out().join("ledger.db");
    let ours = fs::read(&ledger).unwrap();
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..support::sized("IMGBATCH_TEST_LEDGERS", 25) {
        let mut bytes = ours.clone();
        for _ in 0..random.usize(1..40) {
            let at = random.usize(100..bytes.len());
            bytes[at] = random.u8(..);
        }
        if round % 5 == 0 {
            bytes.truncate(random.usize(100..bytes.len()));
        }
        fs::write(&ledger, &bytes).unwrap();
        for name in ["ledger.db-wal", "ledger.db-shm"] {
            let _ = fs::remove_file(scene.out().join(name));
        }
        scene.call(&["status", "out", "--json"]);
        let done = scene.run(&[]);
        assert!([0, 1, 2, 3, 6].contains(&done.code), "round {round}: {done}");
    }
    assert_eq!(scene.stats().creates_received, 5, "a damaged ledger bought something");
}

#[test]
fn the_folder_and_the_ledger_are_for_their_owner_only() {
    let scene = Scene::with(imgbatch::emulator::Options {
        create_latency: Duration::from_millis(800),
        ..support::quick()
    });
    scene.jobs(3);
    let mut command = std::process::Command::new("sh");
    let binary = env!("CARGO_BIN_EXE_imgbatch");
    let line =
        format!("umask 000; exec {binary} run m.toml --out out --base-url {} --yes --json", scene.base_url);
    command.args(["-c", &line]).current_dir(scene.folder.path()).env("IMGBATCH_API_KEY", CANARY);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let running = scene.spawn(command);
    scene.until("a bill", |stats| stats.tasks_created > 0);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&scene.out()), 0o700);
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.lock", "ledger.rescue"] {
        assert_eq!(mode(&scene.out().join(name)), 0o600, "{name}");
    }
    // The key is not in the list of processes.
    let arguments = fs::read(format!("/proc/{}/cmdline", running.child.id())).unwrap();
    assert!(!String::from_utf8_lossy(&arguments).contains(CANARY));
    scene.finish(running).exits(0);
    assert_eq!(mode(&scene.out().join("ledger.db")), 0o600);
    scene.prove();
}

#[test]
fn one_folder_has_one_run() {
    let scene = Scene::with(imgbatch::emulator::Options {
        create_latency: Duration::from_secs(1),
        ..support::quick()
    });
    scene.jobs(4);
    let first = scene.spawn(scene.buying(&[]));
    scene.until("bills", |stats| stats.tasks_created == 4);
    scene.run(&[]).exits(7).says(&["another run holds out"]);
    scene.call(&["collect", "out"]).exits(7);
    scene.call(&["resolve", "out", "--all", "--resubmit"]).exits(7);
    // Reading is always possible.
    scene.call(&["status", "out", "--json"]).json();
    scene.call(&["plan", "m.toml", "--out", "out", "--json"]).exits(0).json();
    let second = scene.spawn(scene.buying(&["--wait"]));
    scene.finish(first).exits(0);
    assert_eq!(scene.finish(second).exits(0).json()["submissions"]["sent"], 0);
    assert_eq!(scene.stats().tasks_created, 4);
    scene.prove();
}
