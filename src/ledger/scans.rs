//! What is asked for every job must cost the same in a ledger of any size, and
//! is compiled once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rusqlite::StatementStatus;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

use super::*;
use crate::job::{ContentHash, OutPath, Request, Wanted};

const JOBS: i64 = 400;

/// What a statement did: rows that it went through one by one, and how often it
/// was compiled again.
#[derive(Debug)]
struct Ran {
    scanned: i32,
    compiled: i32,
    sql: String,
}

fn wanted(number: i64) -> Wanted {
    let request = Request {
        model: "gpt-image-2".into(),
        prompt: "a fox".into(),
        size: "1:1".into(),
        resolution: None,
        quality: "low".into(),
        n: 1,
        background: None,
        images: Vec::new(),
        mask: None,
        callback_url: None,
    };
    let id = format!("fox-{number}");
    Wanted {
        fingerprint: request.fingerprint(),
        request,
        path: OutPath::new(&id).unwrap(),
        id,
        axes: BTreeMap::new(),
        meta: serde_json::Map::new(),
        skip: false,
        size: None,
        estimate: None,
    }
}

/// A store with that many pending jobs, and what its statements did.
fn watched(folder: &std::path::Path) -> (Store, Arc<Mutex<Vec<Ran>>>) {
    let identity = Identity { name: "test".into(), base_url: "test".into() };
    let (mut store, _) = Store::open(FolderLock::acquire(folder, false).unwrap(), Some(&identity)).unwrap();
    for number in 1..=JOBS {
        store.add(&wanted(number)).unwrap();
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let steps = Arc::clone(&seen);
    let watch = move |event: TraceEvent<'_>| {
        if let TraceEvent::Profile(statement, _) = event {
            steps.lock().unwrap().push(Ran {
                scanned: statement.get_status(StatementStatus::FullscanStep),
                compiled: statement.get_status(StatementStatus::RePrepare),
                sql: statement.sql().into_owned(),
            });
        }
    };
    store.db.trace_v2(TraceEventCodes::SQLITE_TRACE_PROFILE, Some(watch)).unwrap();
    (store, seen)
}

/// From the intent to the saved picture.
fn finish(store: &Store, job: i64) {
    let body = b"{}".to_vec();
    store.quote(job, &body, "key").unwrap();
    let intent = Intent {
        job,
        key: format!("key-{job}"),
        body,
        remembered: 20,
        token: None,
        budget: None,
        booked: None,
    };
    let Intended::Durable { attempt, .. } = store.intend(&intent).unwrap() else { panic!("no intent") };
    let taken = Taken {
        task: format!("task-{job}"),
        estimated: None,
        reserved: None,
        request_id: None,
        via: Via::Answer,
    };
    store.record(job, attempt, Outcome::Accepted(taken)).unwrap();
    let links = vec!["https://example.com/0".into()];
    store
        .record(job, attempt, Outcome::Completed { task: "task".into(), links, used: None, expires_at: 1 })
        .unwrap();
    let saved = SavedPicture {
        number: 1,
        path: format!("images/{job}.png"),
        sha256: ContentHash::of(&job.to_le_bytes()),
        bytes: 1,
        width: 1,
        height: 1,
        format: "png".into(),
    };
    store.record(job, attempt, Outcome::Saved(saved)).unwrap();
}

#[test]
fn a_job_costs_the_same_beside_many() {
    let folder = tempfile::tempdir().unwrap();
    let (store, seen) = watched(folder.path());
    for job in 1..=JOBS / 2 {
        finish(&store, job);
    }
    seen.lock().unwrap().clear();
    let (half, all) = (JOBS / 2, Filter::default());
    assert_eq!(store.pending(&all, half, 1).unwrap()[0].job, half + 1);
    assert!(store.pending_job(&all, half + 2).unwrap().is_some());
    finish(&store, half + 1);
    store.ready().unwrap();
    store.in_flight().unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.len() > 10, "{seen:?}");
    let wrong: Vec<_> =
        seen.iter().filter(|ran| ran.compiled > 1 || i64::from(ran.scanned) > JOBS / 10).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A table of its own costs a statement more than all the rest of it: the pages
/// are asked for and given back each time. An index with `IN` and three values
/// makes one for every row that is written.
#[test]
fn no_step_of_a_job_builds_a_table_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (store, seen) = watched(folder.path());
    finish(&store, 1);
    let seen: Vec<String> = seen.lock().unwrap().drain(..).map(|ran| ran.sql).collect();
    let mut looked_at = 0;
    for sql in seen.iter().filter(|sql| !sql.contains("SAVEPOINT")) {
        let mut explained = store.db.prepare(&format!("EXPLAIN {sql}")).unwrap();
        let steps: Vec<String> =
            explained.raw_query().mapped(|row| row.get("opcode")).collect::<Result<_, _>>().unwrap();
        assert!(!steps.iter().any(|step| step == "OpenEphemeral"), "{sql}");
        looked_at += usize::from(steps.iter().any(|step| step == "OpenWrite"));
    }
    assert!(looked_at >= 8, "{seen:#?}");
}

#[test]
fn a_start_goes_through_no_settled_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let (store, seen) = watched(folder.path());
    for job in 1..=JOBS {
        finish(&store, job);
    }
    seen.lock().unwrap().clear();
    store.hold_open_attempts().unwrap();
    assert!(store.tokens().unwrap().is_empty());
    assert_eq!(store.last_attempt().unwrap(), JOBS);
    let kept: Vec<i64> = store.kept(JOBS - 5, JOBS).unwrap().iter().map(|kept| kept.attempt).collect();
    assert_eq!(kept, (JOBS - 5..=JOBS).collect::<Vec<_>>());
    let seen = seen.lock().unwrap();
    let wrong: Vec<_> = seen.iter().filter(|ran| i64::from(ran.scanned) > JOBS / 10).collect();
    assert!(seen.len() >= 5 && wrong.is_empty(), "{seen:#?}");
}
