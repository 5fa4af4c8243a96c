//! Whole flows of the runner against the emulator, in one runtime, with the
//! clock paused: hours pass in milliseconds, and nothing depends on the
//! machine's speed.
#[path = "support/world.rs"]
mod world;

use std::path::Path;
use std::time::Duration;

use imgbatch::emulator::Options;
use imgbatch::events::Event;
use imgbatch::job::Credits;
use imgbatch::manifest::units::{Posts, StopAfter};
use imgbatch::runner::{Halt, Stop, slowed};
use tokio::sync::watch;
use world::{Story, World, faults};

/// The most creates in any window.
fn fullest(arrivals_ms: &[u64], window: u64) -> usize {
    let within = |start: u64| arrivals_ms.iter().filter(|at| **at >= start && **at < start + window).count();
    arrivals_ms.iter().map(|start| within(*start)).max().unwrap_or(0)
}

fn files(folder: &Path) -> usize {
    fn below(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| if entry.path().is_dir() { below(&entry.path()) } else { 1 }).sum()
    }
    below(&folder.join("images"))
}

const THIRTY: &str =
    "[[jobs]]\nid = 'fox'\nprompt = 'a fox {{ i }}'\nmatrix.i = [1,2,3,4,5,6,7,8,9,10]\nrepeat = 3\n";
const ONE: &str = "[[jobs]]\nid = 'fox'\nprompt = 'a fox'\n";

#[tokio::test(start_paused = true)]
async fn every_job_is_bought_once_and_its_picture_is_there() {
    let world = World::new(THIRTY, Options::default()).await;
    let story = world.run().await;
    assert_eq!(story.ledger.jobs.succeeded, 30);
    assert_eq!(story.emulator.tasks_created, 30);
    assert_eq!(files(world.folder.path()), 30);
    assert!(story.ended.halted.is_none() && !story.ended.interrupted);
    let again = world.run().await;
    assert_eq!(again.emulator.creates_received, 30);
    assert_eq!(again.ended.sent, 0);
}

#[tokio::test(start_paused = true)]
async fn no_window_holds_more_than_the_rate_refusals_and_restarts_included() {
    for (fault, creates) in [("", 30), ("429@5-6,429@17,retry-after=3", 33)] {
        let mut world = World::new(THIRTY, faults(fault)).await;
        world.settings.collect = false;
        // A limiter that starts afresh would give each of these runs a free start.
        world.settings.limit = Some(5);
        for _ in 0..6 {
            world.run().await;
        }
        let stats = world.emulator.stats();
        assert_eq!((stats.creates_received, stats.tasks_created), (creates, 30), "{fault}");
        let arrivals: Vec<u64> = stats.create_arrivals_ms.iter().copied().collect();
        assert!(fullest(&arrivals, 10_000) <= 20, "{fault}: {arrivals:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_run_waits_as_the_earlier_one_was_told() {
    let mut world = World::new(THIRTY, faults("429@3,retry-after=300")).await;
    world.settings.collect = false;
    world.settings.deadline = Some(tokio::time::Instant::now() + Duration::from_secs(20));
    assert_eq!(world.run().await.emulator.creates_received, 3);
    world.settings.deadline = None;
    let arrivals = world.run().await.emulator.create_arrivals_ms;
    assert_eq!(arrivals.len(), 31);
    assert!(arrivals[3] - arrivals[2] >= 300_000, "{arrivals:?}");
}

#[tokio::test(start_paused = true)]
async fn many_tasks_are_looked_at_with_one_request() {
    let options = Options { latency: "40s..80s".parse().unwrap(), ..Options::default() };
    let world = World::new(THIRTY, options).await;
    let stats = world.run().await.emulator;
    // Thirty tasks, each looked at some three times: alone, that would be ninety.
    assert!(stats.batch_reads + stats.reads <= 30, "{} reads, {} of many", stats.reads, stats.batch_reads);
}

#[tokio::test(start_paused = true)]
async fn without_the_batch_read_tasks_are_read_one_by_one() {
    let world = World::new(THIRTY, Options { batch: false, ..Options::default() }).await;
    let story = world.run().await;
    assert_eq!(story.ledger.jobs.succeeded, 30);
    assert!(story.emulator.reads <= 4 * 30, "{} reads", story.emulator.reads);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_may_work_next_time_is_tried_once_more_and_no_oftener() {
    let world = World::new(ONE, faults("fail:service_error@1")).await;
    let story = world.run().await;
    assert_eq!((story.ledger.jobs.succeeded, story.emulator.tasks_created), (1, 2));
    assert!(
        story.told.iter().any(
            |event| matches!(event, Event::TryingAgain { after, .. } if *after >= Duration::from_secs(30))
        )
    );
    let world = World::new(ONE, faults("fail:service_error@1-9")).await;
    let story = world.run().await;
    assert_eq!((story.ledger.jobs.failed, story.emulator.tasks_created), (1, 2));
    assert_eq!(story.ledger.used, Credits::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_content_is_never_paid_again() {
    let world = World::new(ONE, faults("fail:content_policy_violation@1")).await;
    for _ in 0..2 {
        let story = world.run().await;
        assert_eq!((story.ledger.jobs.failed, story.emulator.creates_received), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_overdue_task_is_left_and_never_resubmitted() {
    let world = World::new(ONE, faults("stuck@1")).await;
    let story = world.run().await;
    assert_eq!((story.ended.overdue, story.ledger.jobs.in_flight), (1, 1));
    assert_eq!(story.emulator.creates_received, 1);
    // 15 minutes at 3 to 15 s a look, then once.
    let reads = story.emulator.reads + story.emulator.batch_reads;
    assert!((60..110).contains(&reads), "{reads} looks");
    let again = world.run().await;
    assert_eq!((again.ended.overdue, again.emulator.creates_received), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn odd_reports_are_read_again() {
    for fault in [
        "no-links@1",
        "weird-status@1",
        "backwards@1",
        "object-results@1",
        "read-500@1",
        "read-html@1",
        "read-429@1",
        "read-404@1",
    ] {
        let world = World::new(ONE, faults(fault)).await;
        let story = world.run().await;
        assert_eq!((story.ledger.jobs.succeeded, story.emulator.tasks_created), (1, 1), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_without_links_is_given_time_before_it_counts_as_lost() {
    // The last of them; the others taught that such tasks take half a second.
    let options = Options { latency: "500ms".parse().unwrap(), ..faults("no-links:1000@30") };
    let world = World::new(THIRTY, options).await;
    let begun = tokio::time::Instant::now();
    let story = world.run().await;
    assert_eq!((story.ledger.jobs.succeeded, story.ledger.jobs.failed), (29, 1));
    // Thirty submissions at two a second, and five more looks, three seconds apart.
    assert!(begun.elapsed() >= Duration::from_secs(14 + 15), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn links_that_fail_are_fetched_again_or_left_and_nothing_is_bought_for_it() {
    for fault in [
        "damaged-once@1",
        "missing-once@1",
        "short-once@1",
        "empty-once@1",
        "html-picture-once@1",
        "redirect@1",
        "jpeg@1",
        "wrong-size@1",
    ] {
        let world = World::new(ONE, faults(fault)).await;
        let story = world.run().await;
        assert_eq!((story.ledger.jobs.succeeded, story.emulator.tasks_created), (1, 1), "{fault}");
    }
    for fault in ["damaged@1", "missing@1", "empty@1", "file-link@1", "private-link@1", "bomb@1"] {
        let world = World::new(ONE, faults(fault)).await;
        let story = world.run().await;
        assert_eq!((story.ended.left, story.ledger.jobs.in_flight), (1, 1), "{fault}");
        assert_eq!(story.emulator.tasks_created, 1, "{fault}");
        assert_eq!(files(world.folder.path()), 0, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_doubtful_submission_is_held_with_its_price_at_risk() {
    for fault in ["drop-after@1", "drop-before@1", "500@1", "502@1", "truncated@1", "html@1", "hang-after@1"]
    {
        let world = World::new(ONE, faults(fault)).await;
        for _ in 0..2 {
            let story = world.run().await;
            assert_eq!((story.ledger.jobs.unknown, story.emulator.creates_received), (1, 1), "{fault}");
            assert!(story.ledger.at_risk > Credits::ZERO, "{fault}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_says_not_now_is_sent_again_under_the_same_key() {
    for fault in ["503@1", "429@1"] {
        let world = World::new(ONE, faults(fault)).await;
        let stats = world.run().await.emulator;
        assert_eq!(
            (stats.creates_received, stats.tasks_created, stats.tasks_by_key.len()),
            (2, 1, 1),
            "{fault}"
        );
    }
}

/// What the pace came to after a refusal is remembered, and not only how far
/// down the refusal brought it.
#[tokio::test(start_paused = true)]
async fn a_pace_that_recovers_is_remembered_as_such() {
    let world = World::new(THIRTY, faults("429:1@1")).await;
    world.run().await;
    let note = world.open().pace().unwrap().unwrap_or_default();
    let share = slowed(&note, jiff::Timestamp::now().as_millisecond()).map(|slowed| slowed.share);
    assert!(share.is_some_and(|share| share > 0.8), "{note}");
}

/// A host that is out of order for an hour must not cost what a run of a day
/// has paid: what is left to the next run is tried by this one as well.
#[tokio::test(start_paused = true)]
async fn a_picture_that_is_left_is_tried_again_as_long_as_the_run_lasts() {
    let mut world = World::new(THIRTY, faults("missing@1,slow:4000@30")).await;
    world.settings.overdue = Duration::from_hours(2);
    let story = world.run().await;
    let given_up = |event: &&Event| matches!(event, Event::FetchFailed { again: false, .. });
    assert_eq!(story.told.iter().filter(given_up).count(), 3, "at once, and after each half hour");
    assert_eq!((story.ledger.jobs.succeeded, story.ledger.jobs.in_flight, story.ended.left), (29, 1, 1));
}

/// The longest time without a submission, where submissions leave one by one.
async fn longest_pause(fault: &str) -> u64 {
    let mut world = World::new(THIRTY, faults(fault)).await;
    world.settings.posts = Posts::Count(1);
    let story = world.run().await;
    assert_eq!((story.ledger.jobs.succeeded, story.emulator.tasks_created), (30, 30), "{fault}");
    let arrivals = Vec::from(story.emulator.create_arrivals_ms);
    // The last may be the one that waited, with nothing left beside it.
    arrivals[..29].windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_served_waits_alone_and_a_row_of_them_holds_all() {
    let usual = longest_pause("").await;
    assert!(longest_pause("503@5,503@11").await < usual + 250);
    assert!(longest_pause("503@5-7").await >= usual + 1000);
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_or_balance_pauses_at_the_first_and_collects_the_rest() {
    for (fault, is_key) in [("401@4", true), ("403@4", true), ("402@4", false)] {
        let mut world = World::new(THIRTY, faults(fault)).await;
        world.settings.posts = Posts::Count(1);
        let story = world.run().await;
        assert_eq!(matches!(story.ended.halted, Some(Halt::Key(_))), is_key, "{fault}");
        assert_eq!(matches!(story.ended.halted, Some(Halt::Balance(_))), !is_key, "{fault}");
        assert_eq!((story.ledger.jobs.succeeded, story.ledger.jobs.pending), (3, 27), "{fault}");
        let again = world.run().await;
        assert_eq!((again.ledger.jobs.succeeded, again.emulator.tasks_created), (30, 30), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_budget_holds_over_runs() {
    let mut world = World::new(THIRTY, Options::default()).await;
    world.settings.budget = Credits::from_f64(1.0);
    for _ in 0..3 {
        let story = world.run().await;
        assert!(matches!(story.ended.halted, Some(Halt::Budget { .. })));
        // Not a picture less than the budget allows: what settled lower was spent again.
        let paid = story.emulator.credits_billed - story.emulator.credits_refunded;
        assert!((0.87..=1.0).contains(&paid), "{paid}");
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_failures_pause() {
    let mut world = World::new(THIRTY, faults("refuse:content_policy_violation=1")).await;
    world.settings.stop_after = Some(StopAfter::Failed(5));
    world.settings.posts = Posts::Count(1);
    let story = world.run().await;
    assert!(matches!(story.ended.halted, Some(Halt::StopAfter(_))));
    assert_eq!((story.ledger.jobs.failed, story.ledger.jobs.pending), (5, 25));
}

#[tokio::test(start_paused = true)]
async fn a_first_interrupt_stops_buying_and_collects_what_is_paid() {
    let world = World::new(THIRTY, Options::default()).await;
    let (stop, stopped) = watch::channel(Stop::No);
    let interrupt = async {
        while world.emulator.stats().tasks_created < 4 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stop.send(Stop::Drain).unwrap();
        std::future::pending::<Story>().await
    };
    let story = tokio::select! {
        story = world.run_until(stopped) => story,
        story = interrupt => story,
    };
    assert!(story.ended.interrupted);
    assert_eq!(story.ledger.jobs.succeeded, story.emulator.tasks_created);
    assert_eq!(story.ledger.jobs.in_flight, 0);
    assert!(story.ledger.jobs.pending > 20);
}

#[tokio::test(start_paused = true)]
async fn tasks_in_flight_stay_below_their_limit() {
    let mut world =
        World::new(THIRTY, Options { latency: "60s".parse().unwrap(), ..Options::default() }).await;
    world.settings.limits.in_flight = 3;
    let story = world.run().await;
    assert_eq!(story.ledger.jobs.succeeded, 30);
    let arrivals: Vec<u64> = story.emulator.create_arrivals_ms.iter().copied().collect();
    assert!(fullest(&arrivals, 60_000) <= 3, "{arrivals:?}");
}

#[tokio::test(start_paused = true)]
async fn overdue_tasks_do_not_hold_up_the_others() {
    let mut world = World::new(THIRTY, faults("stuck@1-3")).await;
    world.settings.limits.in_flight = 3;
    let story = world.run().await;
    assert_eq!((story.ledger.jobs.succeeded, story.ended.overdue), (27, 3));
}

#[tokio::test(start_paused = true)]
async fn fewer_pictures_than_ordered_are_kept_and_counted() {
    let world = World::new("[[jobs]]\nid = 'fox'\nprompt = 'a fox'\nn = 4\n", faults("fewer@1")).await;
    let story = world.run().await;
    assert_eq!(story.ledger.jobs.succeeded, 1);
    assert!(story.ledger.images_saved < 4);
    assert_eq!(story.ledger.images_missing, 4 - story.ledger.images_saved);
    assert!(world.folder.path().join("images/fox-1.png").exists());
}

#[tokio::test(start_paused = true)]
async fn submitting_and_collecting_may_be_two_runs() {
    let mut world = World::new(THIRTY, Options::default()).await;
    world.settings.collect = false;
    // Fewer at once than there are: submitting alone has to see that tasks end.
    world.settings.limits.in_flight = 4;
    let story = world.run().await;
    assert_eq!((story.ledger.jobs.in_flight, files(world.folder.path())), (30, 0));
    world.settings.collect = true;
    world.settings.submit = None;
    let story = world.run().await;
    assert_eq!((story.ledger.jobs.succeeded, story.emulator.creates_received), (30, 30));
}
