//! Small input that wants to become large: it ends at a budget, with words
//! that name the budget, and in little memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod support;

use std::convert::Infallible;
use std::fmt::Write as _;
use std::fs;
use std::io::Cursor;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use support::{Running, Scene};

/// Kilobytes that reading and planning may take.
const PLAN: u64 = 64 << 10;
/// Kilobytes that downloads may take.
const DOWNLOADS: u64 = 300 << 10;

/// The most memory a process had, in kB: the kernel's own high-water mark, as
/// it stood at the last look.
fn peak(running: &Running) -> JoinHandle<u64> {
    let path = format!("/proc/{}/status", running.child.id());
    std::thread::spawn(move || {
        let mut peak = 0;
        while let Ok(status) = fs::read_to_string(&path) {
            let Some(line) = status.lines().find(|line| line.starts_with("VmHWM:")) else { break };
            peak = line.split_whitespace().nth(1).unwrap().parse().unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        peak
    })
}

/// A plan of this file, refused with these words and in little memory. Where
/// a budget is missing, the end comes from the system before the machine hurts.
#[track_caller]
fn is_refused(scene: &Scene, name: &str, text: &str, words: &str) {
    scene.write(name, text);
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -v 2000000; exec \"$0\" plan \"$1\"", env!("CARGO_BIN_EXE_imgbatch"), name])
        .current_dir(scene.folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let running = scene.spawn(command);
    let peak = peak(&running);
    let done = scene.finish(running).exits(2).says(&[words]);
    let peak = peak.join().unwrap();
    assert!(peak < PLAN, "{name}: {peak} kB: {}", done.stderr.lines().next().unwrap());
}

fn filled(mut text: String, end: &str) -> String {
    while text.len() < 8 << 20 {
        text.push_str("  # padding padding padding padding padding padding padding padding padding\n");
    }
    text + end
}

#[test]
fn nested_aliases_of_eight_megabytes_end_at_their_budget() {
    let scene = Scene::new("");
    let mut bomb = String::from("version: 1\nname: bomb\nvars:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "  a{level}: &a{level} [{below}]").unwrap();
    }
    let bomb = filled(bomb, "jobs:\n  - prompt: \"{{ a29 }}\"\n");
    is_refused(&scene, "bomb.yaml", &bomb, "aliases would copy more than 16 MiB");
}

#[test]
fn more_values_than_anybody_writes_end_at_their_budget() {
    let scene = Scene::new("");
    let values = "0,".repeat(3 << 20);
    let words = "more than 1000000 values";
    is_refused(&scene, "a.json", &format!("{{\"vars\":{{\"x\":[{values}0]}}}}"), words);
    is_refused(&scene, "a.toml", &format!("vars.x = [{values}0]"), words);
    is_refused(&scene, "a.yaml", &format!("vars:\n  x: [{values}0]"), words);
    is_refused(&scene, "b.yaml", &" ".repeat((16 << 20) + 1), "more than 16 MiB");
}

#[test]
fn nesting_ends_at_its_budget() {
    let scene = Scene::new("");
    for (name, head, level) in [
        ("a.json", "", "["),
        ("b.json", "", "{\"a\":"),
        ("a.toml", "x = ", "["),
        ("b.toml", "x", ".x"),
        ("c.toml", "[x", ".x"),
        ("a.yaml", "", "["),
        ("b.yaml", "", "{a: "),
        ("c.yaml", "", "- "),
    ] {
        // Deeper than parsers go.
        is_refused(&scene, name, &format!("{head}{}", level.repeat(200_000)), "error");
        // More than parsers should be shown.
        let whole = level.repeat((15 << 20) / level.len());
        is_refused(&scene, name, &format!("{head}{whole}"), "error");
    }
}

#[test]
fn templates_without_end_run_out_of_steps() {
    let scene = Scene::new("");
    let steps = "the template takes too many steps";
    for (template, words) in [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", steps),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion limit"),
        ("{{ 'x' * 90000000 }}", steps),
        ("{{ 'x' * 10000000000 }}", steps),
        (
            "{% set x = namespace(s='0123456789') %}{% for a in range(40) %}{% set x.s = x.s ~ x.s %}{% endfor %}",
            steps,
        ),
        ("{{ ('x' * 100000) | replace('x', 'x' * 100000) }}", steps),
        ("{{ range(99999) | join('x' * 100000) }}", steps),
        ("{% for a in range(9) %}{{ 'x' * 200000 }}{% endfor %}", "more than 1 MiB"),
    ] {
        let text = format!("name = 'bomb'\n[[jobs]]\nid = 'x'\nprompt = \"{template}\"\n");
        is_refused(&scene, "template.toml", &text, words);
    }
}

#[test]
fn combinations_without_bound_are_counted_and_not_made() {
    let scene = Scene::new("");
    let values = (0..40).map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(",");
    let axes = (0..13).map(|axis| format!("matrix.a{axis} = [{values}]\n")).collect::<Vec<_>>().concat();
    let words = "a manifest may ask for 10000000 jobs";
    let jobs = "name = 'bomb'\n[[jobs]]\nid = 'x'\nprompt = 'x'\n";
    is_refused(&scene, "matrix.toml", &format!("{jobs}{axes}"), words);
    is_refused(&scene, "repeat.toml", &format!("{jobs}repeat = 4000000000\n"), words);
}

/// An API whose tasks are done at once, and whose picture is what the prompt
/// names.
struct Server {
    base_url: String,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/v1/images/generations", post(take))
            .route("/{name}", get(picture))
            .with_state(base_url.clone());
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Self { base_url, _runtime: runtime }
    }
}

async fn take(State(base_url): State<String>, Json(order): Json<Value>) -> Json<Value> {
    let name = order["prompt"].as_str().unwrap();
    Json(
        json!({"id": format!("task-{name}"), "status": "completed", "results": [format!("{base_url}/{name}")]}),
    )
}

async fn picture(Path(name): Path<String>) -> Response {
    match name.as_str() {
        "endless" => endless(),
        "declared" => ([(CONTENT_LENGTH, "10000000000")], endless()).into_response(),
        "wide-png" => header_of_a_png(60_000, 60_000).into_response(),
        "wide-jpeg" => header_of_a_jpeg(60_000, 60_000).into_response(),
        "largest-png" => largest(image::ImageFormat::Png).into_response(),
        _ => largest(image::ImageFormat::Jpeg).into_response(),
    }
}

fn endless() -> Response {
    let chunks = std::iter::repeat(Ok::<_, Infallible>(Bytes::from_static(&[0x89; 16 << 10])));
    Body::from_stream(stream::iter(chunks)).into_response()
}

fn header_of_a_png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    drop(png::Encoder::new(&mut bytes, width, height).write_header().unwrap());
    bytes
}

fn header_of_a_jpeg(width: u16, height: u16) -> Vec<u8> {
    let ([a, b], [c, d]) = (height.to_be_bytes(), width.to_be_bytes());
    [&[0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, a, b, c, d, 3, 1, 17, 0, 2, 17, 0, 3, 17, 0][..], &[0xff, 0xd9]]
        .concat()
}

/// As many pixels as are taken, in few bytes.
fn largest(format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image::RgbImage::new(5760, 5760).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn oversize_pictures_stop_at_their_budget_of_bytes_or_pixels() {
    let scene = Scene::new("");
    let server = Server::start();
    let refused = [
        ("endless", "it has more than 67108864 bytes"),
        ("declared", "it has more than 67108864 bytes"),
        ("wide-png", "it claims 60000x60000 pixels, more than allowed"),
        ("wide-jpeg", "it claims 60000x60000 pixels, more than allowed"),
    ];
    let taken = ["largest-png", "largest-jpeg"];
    let names = refused.iter().map(|(name, _)| name).chain(&taken);
    scene.manifest(&support::jobs(names.map(|name| ((*name).to_owned(), (*name).to_owned()))));
    let typed = ["run", "m.toml", "--out", "out", "--base-url", &server.base_url, "--yes"];
    let running = scene.spawn(scene.command(&typed));
    let peak = peak(&running);
    for (name, words) in refused {
        running.hears(&format!("{name}: what arrived is no good picture: {words}"));
    }
    for name in taken {
        running.hears(&format!("saved images/{name}"));
    }
    // What follows are the same answers, after longer and longer waits.
    running.signal("KILL");
    assert_eq!(scene.finish(running).code, -9);
    let peak = peak.join().unwrap();
    assert!(peak < DOWNLOADS, "{peak} kB");
}
