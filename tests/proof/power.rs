//! Power cuts: the run writes to a loop-mounted ext4 image whose shutdown ioctl
//! throws away what was not synced; the emulator stands outside.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use imgbatch::emulator::{Latency, Options};
use imgbatch::job::ContentHash;
use serde_json::json;

use crate::round::{record, seed, skip};
use crate::support::{Done, Scene, quick, sized};

/// `EXT4_IOC_SHUTDOWN` with `NOLOGFLUSH`: neither data nor journal get to the
/// disk any more. Rust would need unsafe code for it.
const CUT: &str = "import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";

/// An ext4 image at a folder, unmounted at the end.
struct Image {
    file: PathBuf,
    at: PathBuf,
}

impl Image {
    /// `None` where this machine does not mount it.
    fn make(scene: &Scene, megabytes: u64) -> Option<Self> {
        let image = Self { file: scene.path("disk.img"), at: scene.out() };
        fs::create_dir_all(&image.at).unwrap();
        fs::File::create(&image.file).unwrap().set_len(megabytes << 20).unwrap();
        let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image.file).output();
        if !made.is_ok_and(|made| made.status.success()) || !image.mount() {
            skip("power cuts", "loop-mounting an ext4 image needs root, loop devices and mkfs.ext4");
            return None;
        }
        Some(image)
    }

    fn mount(&self) -> bool {
        let mounted = Command::new("mount").args(["-o", "loop"]).arg(&self.file).arg(&self.at).output();
        mounted.is_ok_and(|mounted| mounted.status.success())
    }

    fn cut(&self) {
        let cut = Command::new("python3").args(["-c", CUT]).arg(&self.at).output().unwrap();
        assert!(cut.status.success(), "{}", String::from_utf8_lossy(&cut.stderr));
    }

    /// The power is back: the journal is replayed.
    fn come_back(&self) {
        assert!(Command::new("umount").arg(&self.at).status().unwrap().success());
        assert!(self.mount());
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

/// What the process had acknowledged and the disk no longer knows.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lost {
    /// Submissions that reached the emulator, without their intent.
    intents: usize,
    /// Task ids whose record was told, without it.
    tasks: usize,
    /// Pictures that were told or recorded, without a whole file.
    pictures: usize,
}

/// Words behind `before` in what the process said.
fn told<'a>(done: &'a Done, before: &'a str, end: char) -> impl Iterator<Item = &'a str> {
    done.stderr.split(before).skip(1).filter_map(move |rest| rest.split(end).next())
}

fn is_whole(path: &Path, sha256: &str) -> bool {
    fs::read(path).is_ok_and(|bytes| ContentHash::of(&bytes).to_string() == sha256)
}

impl Lost {
    fn count(scene: &Scene, cut: &Done) -> Self {
        if !scene.out().join("ledger.db").exists() {
            return Self { intents: scene.stats().tasks_by_key.len(), ..Self::default() };
        }
        let set = |sql| scene.rows(sql).into_iter().collect::<BTreeSet<_>>();
        let keys = set("SELECT idempotency_key FROM attempt_log");
        let tasks = set("SELECT task_id FROM attempt_log WHERE task_id IS NOT NULL");
        let recorded = set("SELECT path FROM image_files WHERE saved_at IS NOT NULL");
        let pictures = scene.rows("SELECT path, sha256 FROM image_files WHERE saved_at IS NOT NULL");
        let broken = pictures.iter().filter(|row| {
            let (path, sha256) = row.split_once('|').unwrap();
            !is_whole(&scene.out().join(path), sha256)
        });
        Self {
            intents: scene.stats().tasks_by_key.keys().filter(|key| !keys.contains(*key)).count(),
            tasks: told(cut, "task: \"", '"').filter(|task| !tasks.contains(*task)).count(),
            pictures: broken.count()
                + told(cut, "    saved ", ' ').filter(|path| !recorded.contains(*path)).count(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.intents += other.intents;
        self.tasks += other.tasks;
        self.pictures += other.pictures;
    }
}

/// Cuts the power again and again; `None` where that can't be done here.
fn cut_again_and_again(cuts: usize, sabotage: &str) -> Option<(Scene, Lost)> {
    let mut random = fastrand::Rng::with_seed(seed());
    let scene = Scene::with(Options { latency: Latency::Fixed(Duration::from_millis(60)), ..quick() });
    let image = Image::make(&scene, 256 + cuts as u64 * 16)?;
    scene.jobs(cuts * 60);
    let mut lost = Lost::default();
    for _ in 0..cuts {
        let before = scene.stats().tasks_created;
        let mut command = scene.buying(&[]);
        command.env("IMGBATCH_SABOTAGE", sabotage);
        let running = scene.spawn(command);
        scene.until("a bill", |stats| stats.tasks_created > before);
        std::thread::sleep(Duration::from_millis(random.u64(0..300)));
        // The process stops with the machine: a sync that the ioctl interrupts may claim success.
        running.signal("STOP");
        image.cut();
        running.signal("KILL");
        let cut = scene.finish(running);
        image.come_back();
        lost.add(&Lost::count(&scene, &cut));
        if lost != Lost::default() {
            break;
        }
    }
    if lost == Lost::default() {
        let done = scene.run(&[]);
        assert!([0, 6].contains(&done.code), "{done}");
        scene.prove();
        assert!(scene.billed_again().is_empty());
    }
    drop(image);
    Some((scene, lost))
}

#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let cuts = sized("IMGBATCH_TEST_CUTS", 6);
    let Some((scene, lost)) = cut_again_and_again(cuts, "") else { return };
    assert_eq!(lost, Lost::default());
    let tasks = scene.stats().tasks_created;
    record("power", json!({ "cuts": cuts, "tasks": tasks, "lost_commits": 0, "lost_pictures": 0 }));
}

#[test]
fn a_ledger_that_does_not_sync_each_commit_is_caught() {
    let Some((_, lost)) = cut_again_and_again(6, "normal-ledger-sync") else { return };
    assert!(lost.intents + lost.tasks > 0, "{lost:?}");
}

#[test]
fn pictures_that_are_renamed_without_a_sync_are_caught() {
    let Some((_, lost)) = cut_again_and_again(6, "no-picture-sync") else { return };
    assert!(lost.pictures > 0, "{lost:?}");
}
