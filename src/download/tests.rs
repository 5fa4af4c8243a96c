//! Downloads from a server that misbehaves, with what is left on disk.

use std::fs;
use std::io::Cursor;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use image::{DynamicImage, ImageFormat, RgbImage};
use tempfile::TempDir;

use super::stub::{Stub, declared, head, ok};
use super::*;
use crate::job::{ContentHash, OutPath};

mod links;
mod names;
mod scanlines;

pub(super) fn picture(format: ImageFormat) -> Vec<u8> {
    let pixels = RgbImage::from_fn(64, 48, |x, y| image::Rgb([x as u8 * 3, y as u8 * 5, (x * y) as u8]));
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(pixels).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn policy() -> Policy {
    Policy { loopback_http: true, ..Policy::default() }
}

fn downloader(policy: Policy) -> Downloader {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Downloader::new(policy).unwrap()
}

/// Every file below, temporary ones included.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

struct Room {
    stub: Stub,
    out: TempDir,
    downloader: Downloader,
}

impl Room {
    async fn with(policy: Policy, answers: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> Self {
        Self {
            stub: Stub::start(answers).await,
            out: TempDir::new().unwrap(),
            downloader: downloader(policy),
        }
    }

    async fn fetch(&self, path: &str, name: &str) -> Result<Picture, FetchError> {
        let link = format!("{}{path}", self.stub.url);
        self.downloader.fetch(&link, &self.root(), &OutPath::new(name).unwrap(), None).await
    }

    fn root(&self) -> PathBuf {
        self.out.path().join("images")
    }
}

#[tokio::test]
async fn the_content_decides_the_format_and_the_name() {
    for (format, expected, name) in [
        (ImageFormat::Png, Format::Png, "deep/er/fox.png"),
        (ImageFormat::Jpeg, Format::Jpeg, "deep/er/fox.jpg"),
        (ImageFormat::WebP, Format::WebP, "deep/er/fox.webp"),
    ] {
        let bytes = picture(format);
        let room = Room::with(policy(), [("/a.png?sig=1", ok(&bytes))]).await;
        let picture = room.fetch("/a.png?sig=1", "deep/er/fox").await.unwrap();
        assert_eq!((picture.file.as_path(), picture.format), (Path::new(name), expected));
        assert_eq!((picture.width, picture.height, picture.bytes), (64, 48, bytes.len() as u64));
        let file = room.root().join(name);
        assert_eq!(files(room.out.path()), std::slice::from_ref(&file));
        let facts = verify(&file).unwrap();
        assert_eq!((facts.sha256, facts.bytes, facts.format), (picture.sha256, picture.bytes, expected));
        assert_eq!(picture.sha256, ContentHash::of(&bytes));
        let plain = room.out.path().join("plain");
        fs::write(&plain, b"").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), mode(&plain), "not as the umask wants it");
    }
}

#[tokio::test]
async fn what_is_no_whole_picture_leaves_nothing_behind() {
    let (png, jpeg, webp) =
        (picture(ImageFormat::Png), picture(ImageFormat::Jpeg), picture(ImageFormat::WebP));
    let damaged = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        ok(&bytes)
    };
    let policy = Policy { max_bytes: 20_000, ..policy() };
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let endless = [chunked, format!("5000\r\n{}\r\n", "x".repeat(0x5000)).into_bytes()].concat();
    for (name, answer, expected) in [
        ("empty", ok(b""), "it is empty"),
        ("html", ok(b"\n<!DOCTYPE html><html>expired</html>"), "HTML page"),
        ("json", ok(b"{\"error\":1}"), "neither PNG"),
        ("xml", ok(b"<?xml version='1.0'?><Error/>"), "neither PNG"),
        ("gif", ok(b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"), "neither PNG"),
        ("cut png", ok(&png[..png.len() / 2]), "decode as Png"),
        ("png without end", ok(&png[..png.len() - 12]), "decode as Png"),
        ("cut jpeg", ok(&jpeg[..jpeg.len() / 2]), "decode as Jpeg"),
        ("jpeg without end", ok(&jpeg[..jpeg.len() - 2]), "decode as Jpeg"),
        ("cut webp", ok(&webp[..webp.len() / 2]), "decode as WebP"),
        ("damaged png", damaged(&png), "decode as Png"),
        ("length too small", declared(&png, 100), "decode as Png"),
        ("length too large", declared(&png, png.len() + 1), "download failed"),
        ("length beyond the limit", declared(&png, 20_001), "more than 20000 bytes"),
        ("more than the limit", endless, "more than 20000 bytes"),
        ("bomb", ok(&bomb(60_000, 60_000)), "60000x60000"),
        ("wide", ok(&bomb(23_171, 1)), "23171x1"),
        ("many pixels", ok(&bomb(6_000, 6_000)), "6000x6000"),
        ("gone 403", head(403, ""), "dead (HTTP 403)"),
        ("gone 404", head(404, ""), "dead (HTTP 404)"),
        ("gone 410", head(410, ""), "dead (HTTP 410)"),
        ("expired 400", head(400, ""), "dead (HTTP 400)"),
        ("500", head(500, ""), "download failed: HTTP 500"),
        ("206", head(206, ""), "download failed: HTTP 206"),
        ("204", head(204, ""), "download failed: HTTP 204"),
        ("no answer", b"".to_vec(), "download failed"),
    ] {
        let room = Room::with(policy.clone(), [("/a", answer)]).await;
        let error = room.fetch("/a", "sub/fox").await.unwrap_err();
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert!(!format!("{error:?}").contains("127.0.0.1"), "{name}: {error:?}");
        assert_eq!(files(room.out.path()), [] as [PathBuf; 0], "{name}");
        assert_eq!(room.stub.requests().len(), 1, "{name}");
    }
}

/// A PNG whose header claims these sides and which holds nothing.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgba);
    drop(encoder.write_header().unwrap());
    bytes
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_heard() {
    let answers = [("/s", head(429, "retry-after: 7\r\n")), ("/l", head(503, "retry-after: 99999\r\n"))];
    let room = Room::with(policy(), answers).await;
    for (path, seconds) in [("/s", 7), ("/l", 3600)] {
        let error = room.fetch(path, "fox").await.unwrap_err();
        let FetchError::Transient { retry_after, .. } = error else { panic!("{error:?}") };
        assert_eq!(retry_after, Some(Duration::from_secs(seconds)));
    }
}

#[tokio::test]
async fn silence_and_slowness_have_an_end() {
    let short = Duration::from_millis(50);
    for policy in [Policy { idle_timeout: short, ..policy() }, Policy { total_timeout: short, ..policy() }] {
        let room = Room::with(policy, []).await;
        let error = room.fetch("/hangs", "fox").await.unwrap_err();
        assert!(matches!(error, FetchError::Transient { .. }), "{error:?}");
        assert_eq!(files(room.out.path()), [] as [PathBuf; 0]);
    }
}

#[tokio::test]
async fn three_redirects_are_followed_and_never_with_a_key() {
    let to = |target: &str| head(302, &format!("location: {target}\r\n"));
    let answers = [
        ("/1", to("/2")),
        ("/2", head(307, "location: 3\r\n")),
        ("/3", head(308, "location: /4\r\n")),
        ("/4", ok(&picture(ImageFormat::Png))),
        ("/0", to("/1")),
        ("/loop", to("/loop")),
        ("/nowhere", head(301, "")),
    ];
    let room = Room::with(policy(), answers).await;
    assert!(room.fetch("/1", "fox").await.is_ok());
    let requests = room.stub.requests();
    assert_eq!(requests.len(), 4);
    for request in requests {
        let request = request.to_ascii_lowercase();
        assert!(request.contains(concat!("user-agent: imgbatch/", env!("CARGO_PKG_VERSION"))));
        for header in ["authorization", "accept-encoding", "cookie", "referer"] {
            assert!(!request.contains(&format!("\r\n{header}:")), "{request}");
        }
    }
    for path in ["/0", "/loop", "/nowhere"] {
        let error = room.fetch(path, "other").await.unwrap_err();
        assert!(matches!(error, FetchError::Transient { .. }), "{path}: {error:?}");
    }
}

#[tokio::test]
async fn an_equal_file_is_a_success_and_another_one_is_left_alone() {
    let bytes = picture(ImageFormat::Png);
    let room = Room::with(policy(), [("/a", ok(&bytes))]).await;
    let first = room.fetch("/a", "fox").await.unwrap();
    assert_eq!(room.fetch("/a", "fox").await.unwrap(), first);
    let file = room.root().join("fox.png");
    fs::write(&file, b"mine").unwrap();
    let error = room.fetch("/a", "fox").await.unwrap_err();
    assert!(matches!(&error, FetchError::Occupied { path } if *path == file), "{error:?}");
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    fs::remove_file(&file).unwrap();
    symlink(room.out.path().join("elsewhere"), &file).unwrap();
    assert!(matches!(room.fetch("/a", "fox").await.unwrap_err(), FetchError::Occupied { .. }));
    assert!(!room.out.path().join("elsewhere").exists());
    assert_eq!(files(room.out.path()), [file]);
}

#[tokio::test]
async fn no_symbolic_link_is_followed_below_the_root() {
    let room = Room::with(policy(), [("/a", ok(&picture(ImageFormat::Png)))]).await;
    let outside = TempDir::new().unwrap();
    fs::create_dir(room.root()).unwrap();
    symlink(outside.path(), room.root().join("sub")).unwrap();
    let error = room.fetch("/a", "sub/fox").await.unwrap_err();
    assert!(matches!(&error, FetchError::Disk(_)), "{error:?}");
    assert!(!error.is_full());
    assert_eq!(files(outside.path()), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn many_downloads_run_side_by_side() {
    let room =
        Room::with(Policy { decode_threads: 1, ..policy() }, [("/a", ok(&picture(ImageFormat::Png)))]).await;
    let names: Vec<String> = (0..20).map(|n| format!("d{}/fox{n}", n % 3)).collect();
    let all = futures::future::join_all(names.iter().map(|name| room.fetch("/a", name))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(files(room.out.path()).len(), 20);
}

#[test]
fn only_a_regular_file_is_verified() {
    let out = TempDir::new().unwrap();
    let file = out.path().join("a.png");
    let bytes = picture(ImageFormat::Png);
    fs::write(&file, &bytes).unwrap();
    assert_eq!(hash(&file).unwrap(), ContentHash::of(&bytes));
    symlink(&file, out.path().join("link.png")).unwrap();
    for odd in ["link.png", "none.png", "."] {
        let path = out.path().join(odd);
        assert!(matches!(verify(&path), Err(Damage::Unreadable(_))), "{odd}");
        assert!(hash(&path).is_err(), "{odd}");
    }
}

#[test]
fn a_full_disk_is_known_as_such() {
    let disk = |code| FetchError::Disk(std::io::Error::from_raw_os_error(code));
    for (code, full) in [(28, true), (27, true), (122, cfg!(target_os = "linux")), (5, false), (13, false)] {
        assert_eq!(disk(code).is_full(), full, "{code}");
    }
}
