//! Submissions of unknown outcome, rung by rung, against an emulator that
//! counts what it bills. The clock is paused.

#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use imgbatch::emulator::{Idempotency, Options};
use imgbatch::events::Event;
use imgbatch::job::Credits;
use imgbatch::ledger::{Decision, Reader};
use world::{Story, World, faults};

const ONE: &str = "[[jobs]]\nid = 'fox'\nprompt = 'a fox'\n";
const TWO: &str = "[[jobs]]\nid = 'fox'\nprompt = 'a fox {{ i }}'\nmatrix.i = [1, 2]\n";
const TEN: &str = "[[jobs]]\nid = 'fox'\nprompt = 'a fox {{ i }}'\nmatrix.i = [1,2,3,4,5,6,7,8,9,10]\n";

fn keys(idempotency: Idempotency, text: &str) -> Options {
    Options { idempotency, ..faults(text) }
}

fn resolved(story: &Story) -> Vec<&str> {
    let how = story.told.iter().filter_map(|event| match event {
        Event::Resolved { how, .. } => Some(how.as_str()),
        _ => None,
    });
    how.collect()
}

#[tokio::test(start_paused = true)]
async fn a_replayed_key_names_the_task_that_was_paid() {
    let mut world = World::new(ONE, keys(Idempotency::Honoured, "drop-after@1")).await;
    world.settings.replays = true;
    let story = world.run().await;
    assert_eq!((story.ledger.jobs.succeeded, story.ledger.jobs.unknown), (1, 0));
    assert_eq!((story.emulator.tasks_created, story.emulator.idempotent_replays), (1, 1));
    assert_eq!(story.ledger.at_risk, Credits::ZERO);
    assert_eq!(resolved(&story), ["its key was sent again, and the API knew it"]);
}

#[tokio::test(start_paused = true)]
async fn an_undecided_key_is_asked_again_until_it_is_decided() {
    let fault = "drop-after@1,outcome-unknown@2-3";
    let mut world = World::new(ONE, keys(Idempotency::Honoured, fault)).await;
    world.settings.replays = true;
    let story = world.run().await;
    assert_eq!(story.ledger.jobs.succeeded, 1);
    assert_eq!((story.emulator.tasks_created, story.emulator.creates_received), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_was_the_first_arrival_keeps_the_doubt_and_the_reservation() {
    let mut world = World::new(ONE, keys(Idempotency::Honoured, "drop-before@1")).await;
    world.settings.replays = true;
    let story = world.run().await;
    assert_eq!((story.ledger.jobs.succeeded, story.emulator.tasks_created), (1, 1));
    assert!(story.ledger.at_risk > Credits::ZERO, "the earlier try may have been billed");
    assert!(story.ledger.used > Credits::ZERO);
    let committed = world.open().view().committed().unwrap();
    assert_eq!(committed, story.ledger.at_risk + story.ledger.used);
}

/// A gateway that was declared to honour keys and does not: paid twice once,
/// seen in the list, and never again.
#[tokio::test(start_paused = true)]
async fn a_gateway_that_breaks_its_word_is_not_believed_again() {
    let mut world = World::new(TWO, keys(Idempotency::Ignored, "drop-after@1,drop-after@3")).await;
    (world.settings.replays, world.settings.exclusive_key) = (true, true);
    world.settings.limit = Some(1);
    let first = world.run().await;
    assert_eq!((first.ledger.jobs.succeeded, first.emulator.tasks_created), (1, 2));
    assert!(first.ledger.at_risk > Credits::ZERO);
    assert!(first.told.iter().any(|event| matches!(event, Event::Doubted { .. })));
    assert!(world.open().keys_withdrawn().unwrap().is_some_and(|why| why.contains("two tasks")));
    // The next doubt asks nobody again. The stray task may be its own as well, so nothing is adopted.
    world.settings.limit = None;
    let second = world.run().await;
    assert_eq!((second.ledger.jobs.succeeded, second.ledger.jobs.unknown), (1, 1));
    assert_eq!((second.emulator.tasks_created, second.emulator.creates_received), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn without_a_word_for_it_no_key_is_sent_again() {
    let world = World::new(ONE, keys(Idempotency::Honoured, "drop-after@1")).await;
    for _ in 0..2 {
        assert_eq!(world.run().await.ledger.jobs.unknown, 1);
    }
    assert_eq!(world.emulator.stats().creates_received, 1);
}

#[tokio::test(start_paused = true)]
async fn the_list_adopts_only_the_one_task_that_the_attempt_can_have_made() {
    let mut world = World::new(ONE, faults("drop-after@1")).await;
    world.settings.exclusive_key = true;
    let story = world.run().await;
    assert_eq!((story.ledger.jobs.succeeded, story.emulator.tasks_created), (1, 1));
    assert_eq!(resolved(&story), ["the task list shows the one task that it can have made"]);

    // Two at once can't be told apart: a wrong guess is a wrong picture.
    let mut world = World::new(TWO, faults("drop-after@1-2")).await;
    world.run().await;
    world.settings.exclusive_key = true;
    let story = world.run().await;
    assert_eq!((story.ledger.jobs.unknown, story.emulator.tasks_created), (2, 2));
    let reader = Reader::open(world.folder.path()).unwrap();
    assert_eq!(reader.view().candidates("fox/i=1").unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_others_use_too_only_shows_its_list() {
    let world = World::new(ONE, faults("drop-after@1")).await;
    let story = world.run().await;
    assert_eq!(story.ledger.jobs.unknown, 1);
    let shown = Reader::open(world.folder.path()).unwrap().view().candidates("fox").unwrap();
    assert_eq!(shown.len(), 1);
    // A person who looked at it decides.
    let ledger = world.open();
    assert!(ledger.resolve("fox", &Decision::Adopt(shown[0].task.clone())).unwrap());
    ledger.close(None, None).unwrap();
    assert_eq!(world.run().await.ledger.jobs.succeeded, 1);
    assert_eq!(world.emulator.stats().tasks_created, 1);
}

/// The answer is lost, the call comes while other work goes on: no guess and
/// no second request is needed.
#[tokio::test(start_paused = true)]
async fn a_callback_names_the_task_of_a_lost_answer() {
    let mut world = World::new(TEN, faults("drop-after@1")).await;
    world.callbacks = true;
    let story = world.run().await;
    assert_eq!((story.ledger.jobs.succeeded, story.ledger.jobs.unknown), (10, 0));
    assert_eq!((story.emulator.tasks_created, story.emulator.creates_received), (10, 10));
    assert_eq!(resolved(&story), ["a callback named its task"]);
}

/// A second look at the list is due a minute later. By then there is nothing
/// left to look for, and the run waits for its slow task as any other: a loop
/// that is always due would stand still here, and use a core in real life.
#[tokio::test(start_paused = true)]
async fn a_doubt_that_is_resolved_leaves_nothing_due() {
    let mut world = World::new(TEN, faults("drop-after@1,slow:300@10")).await;
    world.callbacks = true;
    let story = tokio::select! {
        story = world.run() => story,
        () = real_time(Duration::from_mins(1)) => panic!("the run turns on the spot"),
    };
    assert_eq!((story.ledger.jobs.succeeded, story.ledger.jobs.unknown), (10, 0));
    assert_eq!(resolved(&story), ["a callback named its task"]);
}

/// Time of the wall, where the clock of the test is paused.
async fn real_time(time: Duration) {
    let (over, waiting) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        std::thread::sleep(time);
        let _ = over.send(());
    });
    let _ = waiting.await;
}

/// A callback wakes the look at its task, so that nothing is asked in vain.
#[tokio::test(start_paused = true)]
async fn a_callback_wakes_the_look_at_its_task() {
    let mut world = World::new(ONE, Options { batch: false, ..Options::default() }).await;
    world.callbacks = true;
    let story = world.run().await;
    assert_eq!((story.ledger.jobs.succeeded, story.emulator.reads), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_row_of_unknowns_waits_then_proves_then_sends_one_by_one() {
    let world = World::new(TEN, faults("drop-after@1-3")).await;
    let story = world.run().await;
    assert_eq!((story.ledger.jobs.unknown, story.ledger.jobs.succeeded), (3, 7));
    let waits: Vec<u64> = story
        .told
        .iter()
        .filter_map(|event| match event {
            Event::Delayed { wait, .. } => Some(wait.as_secs()),
            _ => None,
        })
        .collect();
    assert_eq!(waits, [60]);
    let arrivals: Vec<u64> = story.emulator.create_arrivals_ms.iter().copied().collect();
    assert!(arrivals[3] - arrivals[2] >= 60_000, "{arrivals:?}");
    assert_eq!(story.emulator.tasks_created, 10);
}
