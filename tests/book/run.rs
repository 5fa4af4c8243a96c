//! Every page in a folder of its own: its manifests are written or planned,
//! its commands typed, against an emulator on this machine.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use imgbatch::emulator::Options;

use super::support::{Scene, quick};
use super::{blocks, pages};

/// The address that the book uses for an API.
const API: &str = "https://api.example.com";
/// The address that the book uses for an emulator of one's own.
const EMULATOR: &str = "127.0.0.1:8080";

/// What a reader has who comes to a page: a manifest, and a folder that it has
/// filled.
const WINTER: &str = r#"version = 1
name = "winter"
[defaults]
size = "1024x1024"
quality = "low"
[[jobs]]
id = "hero"
prompt = "A red fox reading in a snowy library"
[[jobs]]
id = "mug"
prompt = "A {{ colour }} mug on an oak table"
matrix.colour = ["white", "sage", "cobalt"]
meta = { class = "mug" }
"#;

/// Programs that change the machine or need what a test has not: they are only
/// called.
const STUBS: [&str; 5] = ["cargo", "docker", "systemctl", "man", "mail"];
/// Programs that not every machine has.
const RARE: [&str; 3] = ["sqlite3", "curl", "jq"];

/// Languages of which every block is run.
const RUN: [&str; 4] = ["sh", "cron", "toml", "yaml"];

#[test]
fn every_command_and_manifest_of_the_book_is_run() {
    let pages = pages();
    let ran: usize = thread::scope(|scope| {
        let read = |(name, text): &(String, String)| {
            let blocks = blocks(text);
            let has_some = blocks.iter().any(|(language, _)| RUN.contains(language));
            if has_some { Page::open(name).read(&blocks) } else { 0 }
        };
        let readers: Vec<_> = pages.iter().map(|page| scope.spawn(move || read(page))).collect();
        readers.into_iter().map(|reader| reader.join().expect("a page that is true")).sum()
    });
    assert!(ran > 30, "{ran} blocks");
}

/// One page and its reader.
struct Page<'n> {
    name: &'n str,
    scene: Scene,
    emulator: String,
    servers: Vec<Child>,
}

impl<'n> Page<'n> {
    fn open(name: &'n str) -> Self {
        let scene = Scene::with(Options { latency: "20ms".parse().expect("a latency"), ..quick() });
        let port = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a free port");
        let page = Self { name, emulator: port.to_string(), scene, servers: Vec::new() };
        page.scene.write("winter.toml", WINTER);
        page.scene.write(".imgbatch.env", "export IMGBATCH_API_KEY=any\n");
        page.sh("cp -r \"$PROJECT\"/manifests . && cp -r manifests/photos manifests/masks .");
        page.stub();
        page.sh("imgbatch run winter.toml --yes -q > winter.txt");
        page
    }

    fn stub(&self) {
        fs::create_dir_all(self.scene.path("stubs")).expect("a folder for stubs");
        // Long work of the project itself is another test's.
        let scripts = ["tests/soak.sh", "tests/fuzz.sh"];
        for script in scripts {
            assert!(Path::new(script).exists(), "{script}");
            fs::create_dir_all(self.scene.path("tests")).expect("a folder for scripts");
        }
        let named = STUBS.iter().map(|stub| format!("stubs/{stub}"));
        for stub in named.chain(scripts.map(str::to_owned)) {
            self.scene.write(&stub, "#!/bin/sh\nif [ ! -t 0 ]; then cat > /dev/null; fi\n");
            let path = self.scene.path(&stub);
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a stub can be run");
        }
    }

    fn read(mut self, blocks: &[(&str, &str)]) -> usize {
        let mut read = 0;
        for (language, block) in blocks {
            let block = block.replace(API, &self.scene.base_url).replace(EMULATOR, &self.emulator);
            match *language {
                "sh" if block.starts_with("imgbatch emulator ") => self.serve(&block),
                "sh" => self.sh(&block),
                "cron" => block.lines().filter(|line| !line.starts_with('#')).for_each(|line| {
                    let command = line.splitn(6, char::is_whitespace).last().unwrap_or_default();
                    self.sh(&command.replace("\\%", "%"));
                }),
                "toml" | "yaml" => self.manifest(language, &block),
                _ => continue,
            }
            read += 1;
        }
        read
    }

    fn command(&self, script: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_imgbatch")).parent().expect("a folder");
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{}:{path}", binary.display(), self.scene.path("stubs").display());
        let mut shell = Command::new("sh");
        shell
            .args(["-e", "-c", script])
            .current_dir(self.scene.folder.path())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.scene.folder.path())
            .env("PROJECT", env!("CARGO_MANIFEST_DIR"))
            .env("IMGBATCH_API_KEY", "any")
            .env("IMGBATCH_BASE_URL", &self.scene.base_url)
            .env("IMGBATCH_RATE", "200/s")
            .stdin(Stdio::null());
        shell
    }

    fn sh(&self, script: &str) {
        let missing = RARE.iter().find(|program| {
            script.contains(&format!("{program} ")) && !self.runs(&format!("command -v {program}"))
        });
        if let Some(program) = missing {
            let skipped = format!("SKIPPED: there is no {program} for this of {}:\n{script}", self.name);
            let _ = writeln!(std::io::stderr(), "{skipped}");
            return;
        }
        let output = self.command(script).output().expect("a shell");
        assert!(
            output.status.success(),
            "{}: {}\n{script}\n{}{}",
            self.name,
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn runs(&self, script: &str) -> bool {
        let status = self.command(script).stdout(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    /// Something that runs until the page is read.
    fn serve(&mut self, script: &str) {
        let mut command = self.command(&format!("exec {script}"));
        self.servers.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a shell"));
        let address = self.emulator.parse().expect("an address");
        let up = (0..200).any(|_| {
            TcpStream::connect_timeout(&address, Duration::from_millis(50))
                .map_err(|_| thread::sleep(Duration::from_millis(50)))
                .is_ok()
        });
        assert!(up, "{}: nobody listens:\n{script}", self.name);
    }

    /// A manifest with a file name in its first line is a file from here on;
    /// any other is a part of one, and is planned with what it lacks.
    fn manifest(&self, language: &str, block: &str) {
        let first = block.lines().next().unwrap_or_default();
        let file = first.strip_prefix("# ").filter(|name| name.ends_with(&format!(".{language}")));
        match file {
            Some(file) => {
                self.scene.write(file, block);
                self.sh(&format!("imgbatch plan {file} --emulate > plan.txt"));
            }
            None if block.contains("credits_per_usd") => {
                self.scene.write("prices.toml", block);
                self.sh("imgbatch plan winter.toml --prices prices.toml > plan.txt");
            }
            None if language == "toml" => {
                self.scene.write("part.toml", &format!("{block}\n{}", lacks(block)));
                self.sh("imgbatch plan part.toml --emulate > plan.txt");
            }
            // Of another program; that it can be read is its own test.
            None => {}
        }
    }
}

/// The least that makes a manifest of a part of one.
fn lacks(part: &str) -> &'static str {
    if part.contains("[[jobs]]") { "" } else { "[run]\nout = \"out/part\"\n[[jobs]]\nprompt = \"a fox\"\n" }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
