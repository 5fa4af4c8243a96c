//! The ledger's operations, one after another, without a runner.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::ops::ControlFlow;
use std::time::Duration;

use imgbatch::job::{ContentHash, Credits, State};
use imgbatch::ledger::{
    Answer, Filter, FolderLock, Identity, Intended, Intent, Money, Outcome, Reader, Rescue, SavedPicture,
    Select, Store, Taken, Via,
};
use imgbatch::manifest::{Format, Source};
use imgbatch::model::Prices;
use imgbatch::plan::Plan;
use tempfile::TempDir;

fn open(folder: &TempDir) -> Store {
    let identity = Identity { name: "test".into(), base_url: "test".into() };
    Store::open(FolderLock::acquire(folder.path(), false).unwrap(), Some(&identity)).unwrap().0
}

/// A ledger with one pending job of `n` pictures.
fn with_job(n: u32) -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let text = format!("name = 'test'\n[[jobs]]\nid = 'fox'\nprompt = 'a fox'\nn = {n}\n");
    let plan =
        Plan::load(&Source::text("t.toml", Some(Format::Toml), text, "."), Prices::published()).unwrap();
    plan.survey(&mut |wanted| {
        store.add(&wanted).unwrap();
        ControlFlow::Continue(())
    })
    .unwrap();
    (folder, store)
}

fn intent(budget: Option<Credits>) -> Intent {
    Intent {
        job: 1,
        key: "key".into(),
        body: b"{}".to_vec(),
        remembered: 20,
        token: None,
        budget,
        booked: None,
    }
}

fn intend(store: &Store) -> i64 {
    match store.intend(&intent(None)).unwrap() {
        Intended::Durable { attempt, .. } => attempt,
        refused => panic!("{refused:?}"),
    }
}

fn taken() -> Taken {
    Taken {
        task: "task-1".into(),
        estimated: Some(Duration::from_secs(9)),
        reserved: None,
        request_id: None,
        via: Via::Answer,
    }
}

/// Brings the job to where its links are known.
fn ready(store: &Store, links: usize) -> i64 {
    let attempt = intend(store);
    store.record(1, attempt, Outcome::Accepted(taken())).unwrap();
    let links = (0..links).map(|link| format!("https://example.com/{link}")).collect();
    store
        .record(1, attempt, Outcome::Completed { task: "task".into(), links, used: None, expires_at: 1 })
        .unwrap();
    attempt
}

fn saved(number: u32) -> Outcome {
    Outcome::Saved(SavedPicture {
        number,
        path: format!("images/fox-{number}.png"),
        sha256: ContentHash::of(&[number as u8]),
        bytes: 1,
        width: 1,
        height: 1,
        format: "png".into(),
    })
}

fn lost(number: u32) -> Outcome {
    Outcome::Lost {
        number: Some(number),
        answer: Answer { code: "picture_lost".into(), ..Answer::default() },
    }
}

#[test]
fn a_lost_picture_does_not_end_the_others_and_the_job_says_so_at_last() {
    let (_folder, store) = with_job(3);
    let attempt = ready(&store, 3);
    assert_eq!(store.record(1, attempt, lost(1)).unwrap().state, State::Ready);
    assert_eq!(store.record(1, attempt, saved(2)).unwrap().state, State::Ready);
    assert_eq!(store.record(1, attempt, saved(3)).unwrap().state, State::Failed);
    let totals = store.view().totals().unwrap();
    assert_eq!((totals.images_saved, totals.lost), (2, 1));
    assert!(totals.used > Credits::ZERO, "what is lost stays paid");
}

#[test]
fn a_top_up_that_is_tried_again_keeps_what_is_here() {
    let (_folder, store) = with_job(3);
    let first = ready(&store, 1);
    assert_eq!(store.record(1, first, saved(1)).unwrap().state, State::Done);
    assert_eq!(store.top_up(&Select::default(), None).unwrap(), 1);
    let pending = || store.pending(&Filter::default(), 0, 9).unwrap().remove(0);
    let whole = store.view().totals().unwrap().estimated;
    assert_eq!((pending().request.n, pending().estimate), (2, Some(whole.share(2, 3))));
    let bought = |task: &str| {
        let attempt = intend(&store);
        let taken = Taken { task: task.into(), ..taken() };
        store.record(1, attempt, Outcome::Accepted(taken)).unwrap();
        attempt
    };
    let second = bought("task-2");
    assert_eq!(store.view().totals().unwrap().images_saved, 1, "it stands while the others are made");
    let again = Some(Duration::from_secs(30));
    let failed = Outcome::TaskFailed { answer: Answer::default(), again };
    assert_eq!(store.record(1, second, failed).unwrap().state, State::Pending);
    assert_eq!(pending().request.n, 2);
    // One comes, and is asked for under the number that is free.
    let third = bought("task-3");
    let links = vec!["https://example.com/b".into()];
    let done = Outcome::Completed { task: "task-3".into(), links, used: None, expires_at: 1 };
    let fetch = store.record(1, third, done).unwrap().fetch;
    assert_eq!(
        fetch.iter().map(|picture| (picture.number, picture.numbered)).collect::<Vec<_>>(),
        [(2, true)]
    );
    assert_eq!(store.record(1, third, saved(2)).unwrap().state, State::Done);
    assert_eq!(store.view().short().unwrap(), 1);
    // Both are gone: each is asked of the task that made it, one after the other.
    let numbers = vec![1, 2];
    store.record(1, third, Outcome::FileMissing { numbers }).unwrap();
    assert_eq!(store.in_flight().unwrap()[0].task, "task-1");
    let read = |task: &str| {
        let links = vec!["https://example.com/again".into()];
        let done = Outcome::Completed { task: task.into(), links, used: None, expires_at: 1 };
        store.record(1, third, done).unwrap()
    };
    assert_eq!(read("task-1").fetch.iter().map(|picture| picture.number).collect::<Vec<_>>(), [1]);
    let recorded = store.record(1, third, saved(1)).unwrap();
    assert_eq!((recorded.state, recorded.look.unwrap().task), (State::Submitted, "task-3".into()));
    assert_eq!(read("task-3").fetch.iter().map(|picture| picture.number).collect::<Vec<_>>(), [2]);
    assert_eq!(store.record(1, third, saved(2)).unwrap().state, State::Done);
}

#[test]
fn a_picture_that_its_task_no_longer_names_is_lost_and_not_waited_for() {
    let (_folder, store) = with_job(2);
    let attempt = ready(&store, 2);
    store.record(1, attempt, saved(1)).unwrap();
    assert_eq!(store.record(1, attempt, saved(2)).unwrap().state, State::Done);
    store.record(1, attempt, Outcome::FileMissing { numbers: vec![2] }).unwrap();
    let links = vec!["https://example.com/0".into()];
    let fewer = Outcome::Completed { task: "task".into(), links, used: None, expires_at: 1 };
    let recorded = store.record(1, attempt, fewer).unwrap();
    assert_eq!((recorded.before, recorded.state, recorded.fetch.len()), (State::Submitted, State::Failed, 0));
    assert_eq!(store.view().totals().unwrap().lost, 1);
}

#[test]
fn a_picture_that_is_lost_while_its_task_is_read_again_is_lost() {
    let (_folder, store) = with_job(1);
    let attempt = ready(&store, 1);
    store.record(1, attempt, saved(1)).unwrap();
    store.record(1, attempt, Outcome::FileMissing { numbers: vec![1] }).unwrap();
    assert_eq!(store.record(1, attempt, lost(1)).unwrap().state, State::Failed);
    assert_eq!(store.view().totals().unwrap().lost, 1);
}

#[test]
fn what_ends_late_changes_nothing_and_a_late_picture_is_kept() {
    let (_folder, store) = with_job(2);
    let attempt = ready(&store, 2);
    let failed = Outcome::TaskFailed { answer: Answer::default(), again: None };
    assert_eq!(store.record(1, attempt, lost(1)).unwrap().state, State::Ready);
    assert_eq!(store.record(1, attempt, lost(2)).unwrap().state, State::Failed);
    for late in [
        lost(1),
        saved(2),
        failed,
        Outcome::Completed { task: "task".into(), links: vec![], used: None, expires_at: 1 },
    ] {
        let recorded = store.record(1, attempt, late).unwrap();
        assert_eq!((recorded.state, recorded.stale), (State::Failed, true));
    }
    assert_eq!(store.view().totals().unwrap().images_saved, 1);
}

#[test]
fn an_open_attempt_is_unknown_at_the_next_start_and_holds_its_money() {
    let (folder, store) = with_job(1);
    intend(&store);
    drop(store);
    let store = open(&folder);
    let totals = store.view().totals().unwrap();
    assert_eq!((totals.jobs.unknown, totals.jobs.pending), (1, 0));
    assert!(totals.at_risk > Credits::ZERO);
    assert!(store.intend(&intent(None)).is_err(), "an unknown submission is never sent again");
}

#[test]
fn a_rescued_task_id_is_known_at_the_next_start() {
    let (folder, store) = with_job(1);
    let attempt = intend(&store);
    Rescue::prepare(folder.path()).unwrap().keep(1, attempt, &taken()).unwrap();
    drop(store);
    for _ in 0..2 {
        let store = open(&folder);
        assert_eq!(store.in_flight().unwrap().len(), 1);
        assert_eq!(store.view().tally().unwrap().unknown, 0);
    }
}

#[test]
fn a_released_attempt_keeps_its_key_and_frees_its_money() {
    let (_folder, store) = with_job(1);
    let attempt = intend(&store);
    let released = Outcome::Released { answer: Answer::default(), throttled: true, left: true };
    store.record(1, attempt, released).unwrap();
    assert_eq!(store.view().committed().unwrap(), Credits::ZERO);
    let second = store.intend(&Intent { key: "another".into(), ..intent(None) }).unwrap();
    assert_eq!(second, Intended::Durable { attempt, key: "key".into() });
}

#[test]
fn no_intent_is_written_that_the_budget_does_not_hold() {
    let (_folder, store) = with_job(1);
    let refused = store.intend(&intent(Some(Credits::from_micro(1)))).unwrap();
    assert!(matches!(refused, Intended::Refused(Money::OverBudget { .. })));
    assert_eq!(store.view().tally().unwrap().pending, 1);
    intend(&store);
}

#[test]
fn an_error_in_a_transaction_leaves_nothing_behind() {
    let (_folder, store) = with_job(1);
    let failed = store.transaction(|store| {
        intend(store);
        store.record(1, 99, saved(1))
    });
    assert!(failed.is_err());
    assert_eq!(store.view().totals().unwrap().sent, 0);
}

/// Killed while it makes its ledger, a run leaves a database without a table,
/// or with all of them in the log: the next one goes on. A stranger's database
/// is refused, also where its tables are in the log only.
#[test]
fn a_ledger_of_any_earlier_version_is_brought_forward_also_to_be_read() {
    let schemas = ["", "_2", "_3", "_4", "_5"].map(|version| format!("src/ledger/schema{version}.sql"));
    for version in 1..=schemas.len() {
        let folder = tempfile::tempdir().unwrap();
        let old = rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap();
        for schema in &schemas[..version] {
            old.execute_batch(&std::fs::read_to_string(schema).unwrap()).unwrap();
        }
        let filled = "PRAGMA application_id = 0x696d6762;
            INSERT INTO job (id, fingerprint, request, path, n, want, origin, state, attempt)
                VALUES ('fox', zeroblob(32), '{}', 'fox', 1, 0, 0, 6, 1);
            INSERT INTO attempt (job, number, key, fingerprint, n, body_sha256, outcome, intent_at, task, cost)
                VALUES (1, 1, 'key', zeroblob(32), 1, zeroblob(32), 'completed', 1, 'task-1', 5);
            INSERT INTO image (attempt, number, path, bytes, saved_at) VALUES (1, 1, 'images/fox.png', 9, 1);";
        old.execute_batch(filled).unwrap();
        old.pragma_update(None, "user_version", version as i64).unwrap();
        drop(old);
        let reader = Reader::open(folder.path()).unwrap();
        let totals = reader.view().totals().unwrap();
        assert_eq!((totals.jobs.succeeded, totals.image_bytes), (1, 9), "version {version}");
        let now = rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap();
        let task: String = now.query_row("SELECT task_id FROM image_files", [], |row| row.get(0)).unwrap();
        assert_eq!(task, "task-1", "version {version}");
    }
}

#[test]
fn a_half_made_ledger_is_finished_and_a_strangers_is_refused() {
    for (tables, ours) in [("", true), ("CREATE TABLE diary (day TEXT);", false)] {
        let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let db = rusqlite::Connection::open(home.path().join("ledger.db")).unwrap();
        db.execute_batch(&format!("PRAGMA journal_mode = WAL; {tables}")).unwrap();
        // As a kill leaves it: nothing is folded into the main file.
        for file in ["ledger.db", "ledger.db-wal"] {
            let _ = std::fs::copy(home.path().join(file), folder.path().join(file));
        }
        let identity = Identity { name: "test".into(), base_url: "test".into() };
        let opened = Store::open(FolderLock::acquire(folder.path(), false).unwrap(), Some(&identity));
        assert_eq!(opened.is_ok(), ours, "{tables}: {:?}", opened.err());
    }
}

#[test]
fn a_figure_above_the_estimate_raises_its_kind_and_is_told_once() {
    let (folder, store) = with_job(1);
    let attempt = intend(&store);
    let estimate = store.view().committed().unwrap();
    let quoted = |store: &Store| store.quote(1, b"{}", "key").unwrap().amount.unwrap();
    let reserved = |times| Taken { reserved: Some(estimate.times(times)), ..taken() };
    let raise = store.record(1, attempt, Outcome::Accepted(reserved(3))).unwrap().raise.unwrap();
    assert_eq!((raise.estimate, raise.proven), (estimate, estimate.times(3)));
    assert_eq!(quoted(&store), estimate.times(3));
    // A smaller figure takes nothing back, and says nothing.
    let done = Outcome::Completed {
        task: "task".into(),
        links: vec![],
        used: Some(estimate.times(2)),
        expires_at: 1,
    };
    assert_eq!(store.record(1, attempt, done).unwrap().raise, None);
    drop(store);
    assert_eq!(quoted(&open(&folder)), estimate.times(3));
}

#[test]
fn an_intent_that_became_dearer_than_its_booking_is_not_written() {
    let (_folder, store) = with_job(1);
    let quote = store.quote(1, b"{}", "key").unwrap().amount.unwrap();
    let booked = |credits| Intent { booked: Some(credits), ..intent(None) };
    assert_eq!(store.intend(&booked(quote - Credits::from_micro(1))).unwrap(), Intended::Dearer);
    assert_eq!(store.view().tally().unwrap().pending, 1);
    assert!(matches!(store.intend(&booked(quote)).unwrap(), Intended::Durable { attempt: 1, .. }));
    assert_eq!(store.unbooked().unwrap(), []);
    store.record(1, 1, Outcome::Refused(Answer::default())).unwrap();
    let news = store.unbooked().unwrap();
    assert_eq!((news.len(), news[0].cost), (1, Credits::ZERO));
    store.set_booked(&news).unwrap();
    assert_eq!(store.unbooked().unwrap(), []);
}
