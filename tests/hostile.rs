//! Input that means harm: manifests, folders, ledgers, and a key that must not
//! be shown.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures::StreamExt;
use support::{CANARY, Scene, files};

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

/// An API that answers everything with this body and 400.
fn refusing(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            // A question about the balance has no body.
            while !(request.ends_with(b"}") || request.starts_with(b"GET") && request.ends_with(b"\r\n\r\n"))
            {
                let count = stream.read(&mut buffer).unwrap();
                assert!(count > 0, "not a whole request");
                request.extend_from_slice(&buffer[..count]);
            }
            write!(stream, "HTTP/1.1 400 X\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    base_url
}

#[track_caller]
fn steers_nothing(done: &support::Done) {
    let steers = |c: char| {
        (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    for text in [&done.stdout, &done.stderr] {
        assert!(!text.contains(steers), "{text:?}");
    }
}

/// Neither the provider's words nor a manifest's may move a cursor, colour a
/// screen, write a clipboard or turn the direction of a line.
#[test]
fn nobodys_words_steer_the_terminal() {
    let scene = Scene::new("");
    let base_url = refusing(
        r#"{"error":{"code":"x\u001b]52;c;eA==\u0007","message":"a\u001b[2J\u009b31m\u202e\rb","type":"x"}}"#,
    );
    scene
        .manifest("[[jobs]]\nid = \"fox\u{202e}\"\nprompt = \"a\\u001b[2J\u{202e}\"\nsize = \"1024x1024\"\n");
    let typed = ["run", "m.toml", "--out", "out", "--base-url", &base_url, "--yes"];
    let done = scene.call(&[&typed[..], &["-vvv"]].concat()).exits(3);
    assert!(done.stdout.contains("[2J") && done.stderr.contains("[2J"), "nothing was said: {done}");
    steers_nothing(&done);
    steers_nothing(&scene.call(&["status", "out"]).exits(3));
    steers_nothing(&scene.call(&["plan", "m.toml", "--out", "out"]).exits(0));
    for (name, text) in [
        ("a.toml", "name = 'x' # \u{1b}[2J\n"),
        ("b.toml", "\"na\\u001b[2Jme\" = 1\nname = \"a\\u001bb\"\n"),
        ("c.toml", "name = 'x'\n[[jobs]]\nid = \"a\\u001bb\"\nprompt = \"{{ \\u001b }}\"\n"),
        ("d.toml", "name = 'x'\n[[jobs]]\nid = 'a\u{202e}'\nsize = '\u{202e}'\nprompt = '{{ b\u{202e} }}'\n"),
        ("a.json", "{\"na\\u001b[2Jme\": 1, \"jobs\": \"\u{9b}31m\"}"),
        ("a.yaml", "\"na\\e[2Jme\": 1\njobs: \"\\e[2J\"\n"),
        ("b.yaml", "name: x\njobs: [{id: \u{1b}[2J, prompt: x}]\n"),
    ] {
        scene.write(name, text);
        let done = scene.call(&["plan", name]);
        assert_eq!(done.code, 2, "{name}: {done}");
        steers_nothing(&done);
    }
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

/// A well-formed ledger whose cells hold what no run wrote: told from damage
/// by nobody but our own code.
#[test]
fn ledgers_with_strange_values_neither_panic_nor_buy() {
    let scene = Scene::new("");
    scene.wishes(&[("a", ""), ("b", "fail content_policy_violation"), ("c", "drop-after"), ("d", "")]);
    scene.run(&["--select", "[abc]"]).exits(6);
    let sent = scene.stats().creates_received;
    let ours = fs::read(scene.out().join("ledger.db")).unwrap();
    let columns = scene.rows(
        "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name IN ('meta', 'job', 'attempt', 'image', 'money', 'send')",
    );
    assert!(columns.len() > 50, "{columns:?}");
    let strange = ["-1", "9223372036854775807", "'../../near'", "'\u{1b}[2J'", "x'ff00'", "1e300", "''"];
    let mut refused = 0;
    for (at, row) in columns.iter().enumerate() {
        let (table, column) = row.split_once('|').unwrap();
        for (offset, value) in strange.iter().enumerate() {
            // Every value in its turn, not every value everywhere: that takes minutes.
            if (at + offset) % support::sized("IMGBATCH_TEST_STRANGE", 5) != 0 {
                continue;
            }
            fs::write(scene.out().join("ledger.db"), &ours).unwrap();
            let sql = format!("UPDATE OR IGNORE {table} SET {column} = {value}");
            let _ = scene.ledger().execute_batch(&format!("PRAGMA ignore_check_constraints = 1; {sql}"));
            let status = scene.call(&["status", "out", "--json"]);
            let plan = scene.call(&["plan", "m.toml", "--out", "out"]);
            let collect = scene.call(&["collect", "out"]);
            for done in [&status, &plan, &collect] {
                assert!([0, 1, 2, 3, 4, 6].contains(&done.code), "{sql}: {done}");
                assert!(!done.stdout.contains('\u{1b}') && !done.stderr.contains('\u{1b}'), "{sql}: {done}");
            }
            refused += usize::from([1, 2].contains(&collect.code));
        }
    }
    assert!(refused > 5, "{refused}: nothing was noticed");
    assert_eq!(scene.stats().creates_received, sent);
    let near = scene.folder.path().parent().unwrap().join("near");
    assert!(!near.exists() && !scene.path("near").exists());
}

/// What only its owner may read, with a umask that forbids nothing.
#[track_caller]
fn is_private(scene: &Scene, when: &str) {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&scene.out()), 0o700, "after {when}");
    let mut seen = 0;
    for path in files(&scene.out()) {
        if path.file_name().unwrap().to_string_lossy().starts_with("ledger.") {
            assert_eq!(mode(&path), 0o600, "{} after {when}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 1, "no ledger after {when}");
}

/// The binary as somebody calls it whose umask forbids nothing.
fn generous(scene: &Scene, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_imgbatch")])
        .args(args)
        .current_dir(scene.folder.path())
        .env_clear()
        .env("IMGBATCH_API_KEY", CANARY)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[test]
fn the_folder_and_the_ledger_are_for_their_owner_only() {
    let scene = Scene::with(imgbatch::emulator::Options {
        create_latency: Duration::from_millis(800),
        faults: "drop-after@1".parse().unwrap(),
        ..support::quick()
    });
    scene.jobs(3);
    let bought = ["m.toml", "--out", "out", "--base-url", &scene.base_url, "--yes"];
    let call = |args: &[&str], code| {
        scene.finish(scene.spawn(generous(&scene, args))).exits(code);
        is_private(&scene, args[0]);
    };
    // A run that is killed leaves the most behind.
    let running = scene.spawn(generous(&scene, &[&["run"], &bought[..]].concat()));
    scene.until("a bill", |stats| stats.tasks_created > 1);
    is_private(&scene, "a bill");
    for name in ["ledger.db-wal", "ledger.db-shm", "ledger.lock", "ledger.rescue"] {
        assert!(scene.out().join(name).exists(), "{name}");
    }
    // The key is not in the list of processes.
    let arguments = fs::read(format!("/proc/{}/cmdline", running.child.id())).unwrap();
    assert!(!arguments.is_empty() && !String::from_utf8_lossy(&arguments).contains(CANARY));
    running.signal("KILL");
    scene.finish(running);
    is_private(&scene, "a kill");
    call(&["status", "out"], 4);
    call(&["plan", "m.toml", "--out", "out"], 0);
    call(&["collect", "out"], 6);
    call(&["resolve", "out", "--all", "--resubmit"], 0);
    call(&[&["submit"], &bought[..]].concat(), 4);
    call(&[&["run"], &bought[..]].concat(), 0);
    // A ledger that was copied with other permissions gets its own again.
    fs::set_permissions(scene.out().join("ledger.db"), fs::Permissions::from_mode(0o666)).unwrap();
    call(&[&["run"], &bought[..]].concat(), 0);
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

/// A callback is a hint. Whoever guesses its address, and even who knows it,
/// changes nothing by what it says.
#[test]
fn ten_thousand_forged_callbacks_change_no_state() {
    let scene = Scene::with(imgbatch::emulator::Options {
        latency: imgbatch::emulator::Latency::Fixed(Duration::from_mins(10)),
        faults: "drop-after@1".parse().unwrap(),
        ..support::quick()
    });
    let (asked, hooks) = support::callbacks();
    let prompts = (0..3).map(|n| (format!("j{n}"), format!("picture {n}")));
    scene.manifest(&format!("[run]\nposts = 1\n{asked}{}", support::jobs(prompts)));
    let running = scene.spawn(scene.buying(&[]));
    let states = || {
        scene.rows(
            "SELECT job.id, state, tries, code, task, outcome, doubt, attempt.cost FROM job
             JOIN attempt ON attempt.job = job.seq ORDER BY seq",
        )
    };
    scene.until("three submissions", |stats| stats.tasks_created == 3);
    running.hears("unknown j0");
    let begun = std::time::Instant::now();
    while scene.rows("SELECT 1 FROM job WHERE state = 2").len() < 2 {
        assert!(begun.elapsed() < support::PATIENCE, "{:?}", states());
        std::thread::sleep(Duration::from_millis(20));
    }
    let before = states();
    let tokens = scene.rows("SELECT token FROM attempt ORDER BY id");
    let statuses = forge(&hooks, &tokens, 10_000);
    assert_eq!(states(), before);
    assert_eq!(statuses.keys().copied().collect::<Vec<_>>(), [200, 400, 404], "{statuses:?}");
    running.signal("TERM");
    let done = scene.finish(running).exits(6).json();
    assert_eq!((&done["jobs"]["unknown"], &done["jobs"]["in_flight"]), (&1.into(), &2.into()));
    assert_eq!(states(), before);
    assert_eq!(scene.stats().creates_received, 3);
    scene.prove();
}

/// Calls back with what is made up: a wrong address, a body that names
/// nothing, and, at the right address, tasks of others and ends that did not
/// come. Gives how often each status answered.
fn forge(hooks: &str, tokens: &[String], calls: usize) -> BTreeMap<u16, usize> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let call = async |n: usize| {
        let token = &tokens[n % tokens.len()];
        let (token, body) = match n / tokens.len() % 4 {
            0 => (format!("{n:0width$}", width = token.len()), r#"{"id":"task-unified-1-a"}"#.to_owned()),
            1 => (token.clone(), format!(r#"{{"status":"completed","n":{n}}}"#)),
            2 => (token.clone(), format!(r#"{{"id":"task-unified-1-forged{n}","status":"completed"}}"#)),
            _ => (token.clone(), format!(r#"{{"id":"task-unified-1-forged{n}","status":"failed"}}"#)),
        };
        client.post(format!("{hooks}/{token}")).body(body).send().await.unwrap().status().as_u16()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let calls = futures::stream::iter(0..calls).map(call).buffer_unordered(32);
    let statuses: Vec<u16> = runtime.block_on(calls.collect());
    let mut counted = BTreeMap::new();
    for status in statuses {
        *counted.entry(status).or_default() += 1;
    }
    counted
}
