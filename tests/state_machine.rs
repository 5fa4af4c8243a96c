//! Random stories of a few jobs, told to the ledger and to a small model of
//! what it should say: where each job stands, and what each attempt costs.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::ops::ControlFlow;
use std::path::Path;

use imgbatch::job::{ContentHash, Credits, State};
use imgbatch::ledger::{
    Answer, Decision, FolderLock, Identity, Intended, Intent, LedgerError, Outcome, SavedPicture, Select,
    Store, Taken, Via,
};
use imgbatch::manifest::{Format, Source};
use imgbatch::model::Prices;
use imgbatch::plan::Plan;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use rusqlite::Connection;

const JOBS: usize = 3;

/// What happens next to a job, whether or not it can happen there.
#[derive(Clone, Debug)]
enum Step {
    Intend,
    Release {
        throttled: bool,
        left: bool,
    },
    Refuse,
    LoseTrack,
    Accept {
        via: Via,
        reserved: Option<u32>,
    },
    Complete {
        used: Option<u32>,
    },
    TaskFails {
        again: bool,
    },
    Save,
    Lose {
        all: bool,
    },
    MissFile,
    Resolve(Said),
    RetryFailed,
    /// The process dies and another opens the folder.
    Crash,
}

#[derive(Clone, Copy, Debug)]
enum Said {
    Resubmit,
    Abandon,
    Adopt,
}

fn step() -> impl Strategy<Value = Step> {
    let via = prop_oneof![Just(Via::Answer), Just(Via::Replay), Just(Via::FreshReplay), Just(Via::List)];
    let credits = || proptest::option::of(1..9_000_000_u32);
    prop_oneof![
        6 => Just(Step::Intend),
        2 => any::<(bool, bool)>().prop_map(|(throttled, left)| Step::Release { throttled, left }),
        1 => Just(Step::Refuse),
        3 => Just(Step::LoseTrack),
        6 => (via, credits()).prop_map(|(via, reserved)| Step::Accept { via, reserved }),
        5 => credits().prop_map(|used| Step::Complete { used }),
        2 => any::<bool>().prop_map(|again| Step::TaskFails { again }),
        4 => Just(Step::Save),
        1 => any::<bool>().prop_map(|all| Step::Lose { all }),
        1 => Just(Step::MissFile),
        2 => prop_oneof![Just(Said::Resubmit), Just(Said::Abandon), Just(Said::Adopt)].prop_map(Step::Resolve),
        1 => Just(Step::RetryFailed),
        2 => Just(Step::Crash),
    ]
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Attempt {
    /// As it was when it was about to leave.
    estimate: i64,
    cost: i64,
    doubt: i64,
    reserved: Option<i64>,
    used: Option<i64>,
    /// The same bytes may leave again under its key.
    released: bool,
}

#[derive(Clone, Debug)]
struct Job {
    state: State,
    estimate: i64,
    attempts: Vec<Attempt>,
}

impl Job {
    /// The model: what the step leads to, or nothing where it can't happen.
    #[expect(clippy::match_same_arms, reason = "one arm a step of a job's life, in its order")]
    fn tell(&mut self, step: &Step) {
        use State as S;
        let (estimate, state) = (self.estimate, self.state);
        if let (S::Pending, Step::Intend) = (state, step) {
            match self.attempts.last_mut().filter(|attempt| attempt.released) {
                Some(again) => (again.released, again.estimate, again.cost) = (false, estimate, estimate),
                None => self.attempts.push(Attempt { estimate, cost: estimate, ..Attempt::default() }),
            }
            self.state = S::Submitting;
            return;
        }
        if let Step::RetryFailed = step {
            if state == S::Failed {
                self.state = S::Pending;
            }
            return;
        }
        let Some(attempt) = self.attempts.last_mut() else { return };
        self.state = match (state, step) {
            (S::Submitting, Step::Release { .. }) => {
                (attempt.released, attempt.cost) = (true, 0);
                S::Pending
            }
            (S::Submitting, Step::Refuse) => {
                attempt.cost = 0;
                S::Failed
            }
            (S::Submitting | S::Unknown, Step::LoseTrack) | (S::Submitting, Step::Crash) => S::Unknown,
            (S::Submitting | S::Unknown, Step::Accept { via, reserved }) => {
                if *via == Via::FreshReplay {
                    attempt.doubt += attempt.cost;
                }
                attempt.reserved = reserved.map(i64::from);
                attempt.cost = attempt.reserved.unwrap_or(attempt.estimate) + attempt.doubt;
                S::Submitted
            }
            (S::Unknown, Step::Resolve(Said::Adopt)) => {
                attempt.reserved = None;
                attempt.cost = attempt.estimate + attempt.doubt;
                S::Submitted
            }
            (S::Submitted | S::Ready, Step::Complete { used }) => {
                attempt.used = used.map(i64::from).or(attempt.used);
                attempt.cost = attempt.used.or(attempt.reserved).unwrap_or(attempt.estimate) + attempt.doubt;
                S::Ready
            }
            (S::Submitted | S::Ready, Step::TaskFails { again }) => {
                attempt.cost = attempt.doubt;
                if *again { S::Pending } else { S::Failed }
            }
            (S::Submitted | S::Ready, Step::Lose { .. }) => S::Failed,
            (S::Ready, Step::Save) => S::Done,
            (S::Done, Step::MissFile) => S::Submitted,
            (S::Unknown, Step::Resolve(Said::Resubmit)) => {
                attempt.cost = 0;
                S::Pending
            }
            (S::Unknown, Step::Resolve(Said::Abandon)) => S::Failed,
            (_, Step::Resolve(said @ (Said::Resubmit | Said::Abandon))) => {
                for attempt in &mut self.attempts {
                    attempt.cost -= if matches!(said, Said::Resubmit) { attempt.doubt } else { 0 };
                    attempt.doubt = 0;
                }
                state
            }
            _ => state,
        };
    }
}

/// The ledger, and a second pair of eyes on its file.
struct Book {
    store: Option<Store>,
    eyes: Connection,
    tasks: u32,
}

impl Book {
    fn new(folder: &Path) -> Self {
        let store = open(folder);
        let jobs = (0..JOBS).map(|job| format!("[[jobs]]\nid = 'j{job}'\nprompt = 'a fox {job}'\n"));
        let text = format!("name = 'test'\n{}", jobs.collect::<String>());
        let source = Source::text("t.toml", Some(Format::Toml), text, ".");
        let plan = Plan::load(&source, Prices::published()).unwrap();
        let enrolled = plan.survey(&mut |wanted| {
            store.add(&wanted).unwrap();
            ControlFlow::Continue(())
        });
        enrolled.unwrap();
        let eyes = Connection::open(folder.join("ledger.db")).unwrap();
        Self { store: Some(store), eyes, tasks: 0 }
    }

    fn number(&self, sql: &str, job: i64) -> Option<i64> {
        self.eyes.prepare_cached(sql).unwrap().query_row([job], |row| row.get(0)).unwrap()
    }

    fn job(&self, job: usize) -> (State, Vec<Attempt>) {
        let seq = job as i64 + 1;
        let state = State::from_number(self.number("SELECT state FROM job WHERE seq = ?1", seq).unwrap());
        let sql = "SELECT estimate, cost, doubt, reserved, used, outcome = 'released' FROM attempt
                   WHERE job = ?1 ORDER BY id";
        let mut query = self.eyes.prepare_cached(sql).unwrap();
        let attempts = query.query_map([seq], |row| {
            Ok(Attempt {
                estimate: row.get(0)?,
                cost: row.get(1)?,
                doubt: row.get(2)?,
                reserved: row.get(3)?,
                used: row.get(4)?,
                released: row.get(5)?,
            })
        });
        (state.unwrap(), attempts.unwrap().map(Result::unwrap).collect())
    }

    /// Tells the ledger; an error must have changed nothing.
    fn tell(&mut self, job: usize, step: &Step, folder: &Path) {
        if let Step::Crash = step {
            // Nothing is closed, as at a kill; the lock goes with the process.
            drop(self.store.take());
            self.store = Some(open(folder));
            return;
        }
        self.tasks += 1;
        let (seq, task) = (job as i64 + 1, format!("task-unified-1-{:08}", self.tasks));
        let attempt = self.number("SELECT attempt FROM job WHERE seq = ?1", seq);
        let store = self.store.as_ref().unwrap();
        let told: Result<(), LedgerError> =
            store.transaction(|store| say(store, (job, seq, attempt), step, task));
        let _ = told;
    }
}

fn say(
    store: &Store,
    (job, seq, attempt): (usize, i64, Option<i64>),
    step: &Step,
    task: String,
) -> Result<(), LedgerError> {
    let answer = Answer::default();
    let record = |outcome| match attempt {
        Some(attempt) => store.record(seq, attempt, outcome).map(drop),
        None => Ok(()),
    };
    match step {
        Step::Intend => {
            let body = format!("{{\"model\":\"gpt-image-2\",\"job\":{seq}}}").into_bytes();
            let intent =
                Intent { job: seq, key: task, body, remembered: 20, token: None, budget: None, booked: None };
            let intended = store.intend(&intent)?;
            assert!(matches!(intended, Intended::Durable { .. }));
            Ok(())
        }
        Step::Release { throttled, left } => {
            record(Outcome::Released { answer, throttled: *throttled, left: *left })
        }
        Step::Refuse => record(Outcome::Refused(answer)),
        Step::LoseTrack => record(Outcome::LostTrack { answer, response: None }),
        Step::Accept { via, reserved } => record(Outcome::Accepted(Taken {
            task,
            estimated: None,
            reserved: reserved.map(|micro| Credits::from_micro(micro.into())),
            request_id: None,
            via: *via,
        })),
        Step::Complete { used } => record(Outcome::Completed {
            task,
            links: vec!["https://files.example/1.png".into()],
            used: used.map(|micro| Credits::from_micro(micro.into())),
            expires_at: i64::MAX,
        }),
        Step::TaskFails { again } => {
            record(Outcome::TaskFailed { answer, again: again.then_some(std::time::Duration::ZERO) })
        }
        Step::Save => record(Outcome::Saved(SavedPicture {
            number: 1,
            path: format!("images/j{job}.png"),
            sha256: ContentHash::of(b"picture"),
            bytes: 7,
            width: 16,
            height: 16,
            format: "png".into(),
        })),
        Step::Lose { all } => record(Outcome::Lost { number: (!all).then_some(1), answer }),
        Step::MissFile => record(Outcome::FileMissing { numbers: vec![1] }),
        Step::Resolve(said) => {
            let decision = match said {
                Said::Resubmit => Decision::Resubmit,
                Said::Abandon => Decision::Abandon,
                Said::Adopt => Decision::Adopt(task),
            };
            store.resolve(&format!("j{job}"), &decision).map(drop)
        }
        Step::RetryFailed => store.retry_failed(&Select::new(Some(format!("j{job}")), None), None).map(drop),
        Step::Crash => Ok(()),
    }
}

fn open(folder: &Path) -> Store {
    let identity = Identity { name: "test".into(), base_url: "test".into() };
    Store::open(FolderLock::acquire(folder, false).unwrap(), Some(&identity)).unwrap().0
}

/// Memory, where the machine has a folder of it: the steps sync.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn tell(story: &[(usize, Step)]) {
    let folder = folder();
    let mut book = Book::new(folder.path());
    let estimate = book.number("SELECT estimate FROM job WHERE seq = ?1", 1).unwrap();
    let mut jobs = vec![Job { state: State::Pending, estimate, attempts: Vec::new() }; JOBS];
    for (at, (job, step)) in story.iter().enumerate() {
        let before = jobs.clone();
        match step {
            Step::Crash => jobs.iter_mut().for_each(|job| job.tell(step)),
            step => jobs[*job].tell(step),
        }
        // All jobs are of one kind: what one of them proves dearer raises them all.
        let raised = jobs[*job].attempts.last().and_then(|_| figure(before[*job].state, step));
        for job in &mut jobs {
            job.estimate = job.estimate.max(raised.unwrap_or(0));
        }
        book.tell(*job, step, folder.path());
        for (number, model) in jobs.iter().enumerate() {
            let (state, attempts) = book.job(number);
            let story = || format!("step {at}, {step:?} of {job}; before {:?}", before[number]);
            assert_eq!((state, &attempts), (model.state, &model.attempts), "j{number}: {}", story());
            assert!(attempts.iter().all(|a| a.doubt >= 0 && a.cost >= a.doubt), "j{number}: {}", story());
            let was_open = matches!(before[number].state, State::Submitting | State::Unknown);
            let proof = matches!(step, Step::Release { .. } | Step::Resolve(Said::Resubmit));
            assert!(!(was_open && state == State::Pending) || proof, "j{number}: {}", story());
        }
        let total: i64 = jobs.iter().flat_map(|job| &job.attempts).map(|attempt| attempt.cost).sum();
        let view = book.store.as_ref().unwrap().view();
        let totals = view.totals().unwrap();
        assert_eq!(view.committed().unwrap(), Credits::from_micro(total));
        assert_eq!(totals.used + totals.reserved + totals.at_risk, Credits::from_micro(total), "{totals:?}");
    }
}

/// What the provider says about the price in a step that can happen.
fn figure(state: State, step: &Step) -> Option<i64> {
    match (state, step) {
        (State::Submitting | State::Unknown, Step::Accept { reserved, .. }) => reserved.map(i64::from),
        (State::Submitted | State::Ready, Step::Complete { used }) => used.map(i64::from),
        _ => None,
    }
}

fn size(variable: &str, usual: u32) -> u32 {
    std::env::var(variable).ok().map_or(usual, |text| text.parse().unwrap())
}

/// 10,000 stories are the full size.
#[test]
fn the_ledger_tells_the_same_story_as_the_model() {
    let config = Config {
        cases: size("IMGBATCH_TEST_STORIES", 60),
        rng_seed: RngSeed::Fixed(size("IMGBATCH_TEST_SEED", 1).into()),
        failure_persistence: None,
        ..Config::default()
    };
    proptest!(config, |(story in prop::collection::vec((0..JOBS, step()), 50))| {
        tell(&story);
    });
    record(size("IMGBATCH_TEST_STORIES", 60));
}

/// A ledger that takes what a crash left in doubt for released must fail here.
#[cfg(feature = "crash-points")]
#[test]
fn a_ledger_that_forgets_doubts_tells_another_story() {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_ledger_tells_the_same_story_as_the_model"]);
    command.env("IMGBATCH_SABOTAGE", "resubmit").env_remove("IMGBATCH_TEST_RESULTS");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("minimal failing input"), "{said}");
}

/// A line for `tests/soak.sh`.
fn record(stories: u32) {
    use std::io::Write;
    let Some(file) = std::env::var_os("IMGBATCH_TEST_RESULTS") else { return };
    let line = serde_json::json!({
        "method": "stories", "at": jiff::Timestamp::now().to_string(), "seed": size("IMGBATCH_TEST_SEED", 1),
        "held": true, "figures": { "stories": stories, "steps": u64::from(stories) * 50 },
    });
    writeln!(std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap(), "{line}").unwrap();
}
