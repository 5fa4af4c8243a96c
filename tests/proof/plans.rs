//! Random plans of faults, by seed, against the emulator with the clock
//! paused: a day of hangs and waits passes in seconds.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use imgbatch::emulator::{Emulator, FAULT_NAMES, Options};
use rusqlite::Connection;
use serde_json::json;

use crate::round::{record, seed};
use crate::support::{files, sized};
use crate::world::{Story, World};

/// Faults after which a picture can't be had from this emulator ever.
const HOPELESS: [&str; 3] = ["stuck", "file-link", "private-link"];

/// Creates that leave a doubt; the others are answered with sense.
const DOUBTFUL: [&str; 13] = [
    "500",
    "500:billed",
    "502",
    "502:billed",
    "504",
    "504:billed",
    "outcome-unknown",
    "drop-before",
    "drop-after",
    "hang-before",
    "hang-after",
    "truncated",
    "html",
];

/// Everything else that may go wrong, with the arguments it takes.
const OTHERS: [&str; 50] = [
    "429",
    "429:date",
    "429:none",
    "429:negative",
    "429:huge",
    "429:0",
    "503",
    "401",
    "402",
    "403",
    "refuse:content_policy_violation",
    "duplicate-id",
    "completed-at-once",
    "slow:900",
    "fail:service_error",
    "fail:content_policy_violation",
    "cancelled",
    "no-links",
    "fewer",
    "backwards",
    "weird-status",
    "object-results",
    "read-500",
    "read-429",
    "read-html",
    "read-404",
    "foreign-id",
    "damaged",
    "damaged-once",
    "short",
    "short:clean",
    "empty",
    "missing",
    "forbidden",
    "gone",
    "html-picture",
    "redirect",
    "redirect-away",
    "slow-bytes:3",
    "bomb",
    "jpeg",
    "wrong-size",
    "other-host",
    "unlisted",
    "callback-lost",
    "callback-twice",
    "callback-late",
    "callback-forged",
    "callback-foreign",
    "upload-refused",
];

struct Faults {
    text: String,
    /// Tasks that are hopeless, by the order of their creation.
    hopeless: Vec<u64>,
}

/// A plan for so many jobs: every kind strikes some of them. Doubts are kept
/// rare, as a run with too many of them stops.
fn plan(seed: u64, jobs: u64) -> Faults {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut text = format!("seed={seed}");
    let place = |text: &mut String, kind: &str, random: &mut fastrand::Rng| {
        let at = random.u64(1..=jobs);
        write!(text, ",{kind}@{at}").unwrap();
        at
    };
    let doubts = (jobs / 200).clamp(3, 40);
    for _ in 0..doubts {
        let kind = DOUBTFUL[random.usize(..DOUBTFUL.len())];
        place(&mut text, kind, &mut random);
    }
    for kind in OTHERS {
        for _ in 0..=jobs / 1000 {
            place(&mut text, kind, &mut random);
        }
    }
    let hopeless = HOPELESS.map(|kind| place(&mut text, kind, &mut random)).to_vec();
    Faults { text, hopeless }
}

fn jobs(count: u64) -> String {
    format!("[[jobs]]\nid = 'p'\nprompt = 'picture'\nsize = '3:1'\nquality = 'low'\nrepeat = {count}\n")
}

/// Runs until a run changes nothing any more.
async fn settle(world: &World) -> Story {
    let mut before = None;
    loop {
        let story = world.run().await;
        let now = (story.ledger.jobs, story.emulator.creates_received);
        if before == Some(now) {
            return story;
        }
        before = Some(now);
    }
}

fn ledger(world: &World) -> Connection {
    Connection::open(world.folder.path().join("ledger.db")).unwrap()
}

fn number(db: &Connection, sql: &str) -> u64 {
    db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as u64
}

fn ids(db: &Connection, sql: &str) -> BTreeSet<String> {
    let mut query = db.prepare(sql).unwrap();
    query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Every file in images/ is a whole picture that the ledger knows.
fn prove_files(world: &World, db: &Connection) -> usize {
    let mut query = db.prepare("SELECT path, sha256 FROM image_files WHERE saved_at IS NOT NULL").unwrap();
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let recorded: Vec<(String, String)> = rows.map(Result::unwrap).collect();
    let mut known = BTreeSet::new();
    for (path, sha256) in &recorded {
        let bytes = fs::read(world.folder.path().join(path)).unwrap();
        assert_eq!(imgbatch::job::ContentHash::of(&bytes).to_string(), *sha256, "{path}");
        if known.insert(sha256) {
            // Cached pictures are few: each is decoded once.
            image::load_from_memory(&bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
    }
    let here = files(&world.folder.path().join("images"));
    assert_eq!(here.len(), recorded.iter().filter(|(path, _)| path.starts_with("images/")).count());
    recorded.len()
}

/// The emulator's books against the ledger.
fn prove_money(db: &Connection, story: &Story, posts: u64) {
    let stats = &story.emulator;
    assert_eq!(stats.duplicate_keys, 0);
    assert_eq!(stats.keys_sent_to_results, 0);
    let sends = number(db, "SELECT sum(sends) FROM attempt_log");
    assert!(posts <= sends, "{posts} POSTs, {sends} in the ledger");
    let tasks = ids(db, "SELECT task_id FROM attempt_log WHERE task_id IS NOT NULL");
    let doubted = ids(db, "SELECT idempotency_key FROM attempt_log WHERE outcome = 'unknown'");
    for (key, made) in &stats.tasks_by_key {
        for task in made {
            assert!(tasks.contains(task) || doubted.contains(key), "{task} is billed and nameless");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_every_obtainable_picture_is_obtained() {
    let (seed, count) = (seed(), sized("IMGBATCH_TEST_JOBS", 300) as u64);
    let faults = plan(seed, count);
    let state = tempfile::TempDir::new().unwrap();
    let options = |listen: SocketAddr, text: &str| Options {
        listen,
        state: Some(state.path().to_owned()),
        faults: text.parse().unwrap(),
        cached_pictures: true,
        // Refusals with a huge `Retry-After` may add up to more than a day.
        link_life: Duration::from_hours(24 * 30),
        ..Options::default()
    };
    let mut world =
        World::new(&jobs(count), options(SocketAddr::from(([127, 0, 0, 1], 0)), &faults.text)).await;
    world.settings.limits.count = 2000;
    world.settings.limits.in_flight = 500;
    let broken = settle(&world).await;
    // Another day, the same tasks, no new faults: what was paid comes.
    let listen = world.emulator.base_url().strip_prefix("http://").unwrap().parse().unwrap();
    let fresh =
        Emulator::start(Options { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Options::default() });
    std::mem::replace(&mut world.emulator, fresh.await.unwrap()).stop().await;
    world.emulator = Emulator::start(options(listen, "")).await.unwrap();
    let last = settle(&world).await;

    let db = ledger(&world);
    let posts = broken.emulator.creates_received + last.emulator.creates_received;
    prove_money(&db, &last, posts);
    let pictures = prove_files(&world, &db);
    let jobs = last.ledger.jobs;
    let left = ids(&db, "SELECT id FROM job_status WHERE status IN ('submitted', 'ready')");
    let hopeless = left.len() as u64;
    assert_eq!(jobs.total, count);
    assert_eq!(jobs.pending, 0, "{jobs:?}");
    assert_eq!(jobs.succeeded + jobs.unknown + jobs.failed + hopeless, count, "{jobs:?}");
    assert!(left.len() <= faults.hopeless.len(), "left uncollected: {left:?} {jobs:?}");
    let gone = number(&db, "SELECT count(*) FROM job_status WHERE failure_code = 'picture_lost'");
    assert_eq!(gone, 0, "paid and lost");
    let kinds = broken.emulator.faults.len();
    record(
        "plans",
        json!({ "requests": posts,
                "jobs": count, "pictures": pictures, "unknown": jobs.unknown, "failed": jobs.failed,
                "uncollectable": hopeless, "kinds_of_faults": kinds, "tasks": last.emulator.tasks_created }),
    );
}

/// A kind that is added to the emulator is added here.
#[test]
fn every_kind_of_fault_is_planned() {
    let planned: BTreeSet<&str> =
        HOPELESS.iter().chain(&DOUBTFUL).chain(&OTHERS).map(|kind| kind.split(':').next().unwrap()).collect();
    let missing: Vec<_> = FAULT_NAMES.iter().filter(|name| !planned.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
