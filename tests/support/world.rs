//! A stage for flows in one runtime with the clock paused: the runner, the
//! ledger and the emulator, without the command line.

#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part of the stage")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use imgbatch::api::{Client, Config};
use imgbatch::callback::{Addresses, Listener};
use imgbatch::download::{Downloader, Policy};
use imgbatch::emulator::{Emulator, Options, Stats};
use imgbatch::events::{Event, Reporter, Snapshot};
use imgbatch::ledger::{Filter, FolderLock, Identity, Ledger, Rescue, Store, Totals};
use imgbatch::manifest::units::Posts;
use imgbatch::manifest::{Format, Source};
use imgbatch::model::Prices;
use imgbatch::pacer::Limits;
use imgbatch::plan::Plan;
use imgbatch::runner::{Callbacks, Ended, Settings, Setup, Stop, run};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::sync::watch;
use url::Url;

/// A folder, an emulator, and how runs go.
pub struct World {
    pub folder: TempDir,
    pub emulator: Emulator,
    pub settings: Settings,
    /// Callbacks are wanted.
    pub callbacks: bool,
    told: Arc<Mutex<Vec<Event>>>,
}

/// How a run went, as each witness saw it.
pub struct Story {
    pub ended: Ended,
    pub ledger: Totals,
    pub emulator: Stats,
    pub told: Vec<Event>,
}

struct Told(Arc<Mutex<Vec<Event>>>);

impl Reporter for Told {
    fn tell(&mut self, event: &Event, _snapshot: &Snapshot) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl World {
    pub async fn new(jobs: &str, options: Options) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let world = Self {
            emulator: Emulator::start(Options { cached_pictures: true, ..options }).await.unwrap(),
            folder,
            settings: Settings {
                limits: Limits { count: 20, window: Duration::from_secs(10), in_flight: 60 },
                posts: Posts::Auto,
                downloads: 8,
                attempts: 2,
                retry_empty: false,
                overdue: Duration::from_mins(15),
                budget: None,
                stop_after: None,
                submit: Some(Filter::default()),
                limit: None,
                collect: true,
                deadline: None,
                replays: false,
                exclusive_key: false,
            },
            callbacks: false,
            told: Arc::default(),
        };
        enrol(&world.open(), jobs);
        world
    }

    pub fn open(&self) -> Store {
        let lock = FolderLock::acquire(self.folder.path(), false).unwrap();
        let identity = Identity { name: "test".into(), base_url: "test".into() };
        Store::open(lock, Some(&identity)).unwrap().0
    }

    pub async fn run(&self) -> Story {
        let (_stop, stopped) = watch::channel(Stop::No);
        self.run_until(stopped).await
    }

    pub async fn run_until(&self, stop: watch::Receiver<Stop>) -> Story {
        let store = self.open();
        let snapshot = Snapshot { jobs: store.view().tally().unwrap(), ..Snapshot::default() };
        let ages = store.send_ages(self.settings.limits.window * 2).unwrap();
        let callbacks = if self.callbacks { Some(hear(&store).await) } else { None };
        let rescue = Rescue::prepare(self.folder.path()).unwrap();
        let (ledger, writer) = Ledger::start(store);
        let base_url = Url::parse(&self.emulator.base_url()).unwrap();
        let config =
            Config { files_url: Some(base_url.clone()), ..Config::new(base_url, SecretString::from("key")) };
        let ended = run(Setup {
            client: Client::new(config).unwrap(),
            downloader: Downloader::new(Policy { loopback_http: true, ..Policy::default() }).unwrap(),
            ledger,
            rescue,
            folder: self.folder.path().to_owned(),
            settings: self.settings.clone(),
            reporter: Box::new(Told(Arc::clone(&self.told))),
            snapshot,
            ages,
            stop,
            purse: None,
            callbacks,
        })
        .await
        .unwrap();
        let store = writer.finish().await.unwrap();
        let ledger = store.view().totals().unwrap();
        store.close(None, None).unwrap();
        Story {
            ended,
            ledger,
            emulator: self.emulator.stats(),
            told: self.told.lock().unwrap().drain(..).collect(),
        }
    }
}

/// Callbacks without a proxy between.
async fn hear(store: &Store) -> Callbacks {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let probe = tokio::net::TcpListener::bind(free).await.unwrap().local_addr().unwrap();
    let addresses = Addresses::new(format!("http://{probe}/hooks").parse().unwrap());
    for (token, job, attempt) in store.tokens().unwrap() {
        addresses.expect(&token, job, attempt);
    }
    let (listener, calls) = Listener::start(probe, addresses.clone()).await.unwrap();
    Callbacks { addresses, calls, listener }
}

pub fn enrol(store: &Store, jobs: &str) {
    let text = format!("name = 'test'\n[defaults]\nsize = '3:1'\nquality = 'low'\n{jobs}");
    let source = Source::text("test.toml", Some(Format::Toml), text, ".");
    let plan = Plan::load(&source, Prices::published()).unwrap();
    plan.survey(&mut |wanted| {
        store.add(&wanted).unwrap();
        ControlFlow::Continue(())
    })
    .unwrap();
}

pub fn faults(text: &str) -> Options {
    Options { faults: text.parse().unwrap(), ..Options::default() }
}
