//! Starting and stopping: the listener, the routes, the background work.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State as Extract};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::answer::{REQUEST_ID, Refusal, RefusedCode, request_id, set_header};
use super::blobs::Blobs;
use super::state::{Shared, State};
use super::wire::{Wire, WireListener};
use super::{Bill, Options, Stats};
use super::{bills, callback, create, credits, download, openapi, prepare, read, render, uploads};

/// A request's body may have this many bytes; uploads have their own limit.
const BODY_BYTES: usize = 1 << 20;

/// How long a stop waits for answers under way.
const GRACE: Duration = Duration::from_secs(5);

/// A running emulator. Dropping it closes the listener; connections end with
/// the answer that they are at.
#[derive(Debug)]
pub struct Emulator {
    state: Shared,
    closing: watch::Sender<()>,
    server: JoinHandle<io::Result<()>>,
}

/// The emulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// The address is not free or not of this machine.
    #[error("cannot listen on {address}; port 0 takes a free one")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The state folder can't be used.
    #[error("cannot use the state folder `{folder}`")]
    Folder {
        /// The folder asked for.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The journal can't be read.
    #[error("cannot resume from the state folder")]
    Journal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The typeface of captions can't be read.
    #[error("cannot read the typeface of captions: {0}")]
    Typeface(&'static str),
    /// The HTTP client for references and callbacks can't be built.
    #[error("cannot prepare the client that fetches references")]
    Client(#[source] reqwest::Error),
}

impl Emulator {
    /// Starts in the caller's runtime, and resumes what the state folder holds.
    ///
    /// # Errors
    /// When the address is taken or the state folder can't be used.
    pub async fn start(options: Options) -> Result<Self, EmulatorError> {
        let address = options.listen;
        let listen = |source| EmulatorError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let local = listener.local_addr().map_err(listen)?;
        let (closing, closed) = watch::channel(());
        let blobs = open_folder(&options)?;
        let font = render::typeface().map_err(EmulatorError::Typeface)?;
        let state = State::new(options, base_url(local), blobs, client()?, font, closed)
            .map_err(|error| EmulatorError::Journal(Box::new(error)))?;
        let state = Arc::new(state);
        resume(&state);
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { state, closing, server })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        self.state.base_url.clone()
    }

    /// What the emulator saw and did so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.state.stats()
    }

    /// What each task was billed so far, oldest first.
    #[must_use]
    pub fn bills(&self) -> Vec<Bill> {
        self.state.bills()
    }

    /// Stops: requests that hang are cut, answers under way are finished, for
    /// a few seconds at most.
    pub async fn stop(mut self) {
        drop(self.closing);
        if tokio::time::timeout(GRACE, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}

async fn serve(listener: TcpListener, state: Shared) -> io::Result<()> {
    let service = routes(Arc::clone(&state)).into_make_service_with_connect_info::<Wire>();
    axum::serve(WireListener(listener), service)
        .with_graceful_shutdown(async move { state.closed().await })
        .await
}

fn routes(state: Shared) -> Router {
    let mut router = Router::new()
        .route("/v1/images/generations", post(create::create))
        .route("/v1/tasks/{id}", get(read::one))
        .route("/v1/credits", get(credits::credits))
        .route("/results/{task}/{file}", get(download::result))
        .route("/files/{id}/{name}", get(uploads::file))
        .route("/emulator/stats", get(stats))
        .route("/emulator/bills", get(bills::bills))
        .route("/openapi.json", get(openapi::describe));
    if state.options.batch {
        router = router.route("/v1/tasks/batch", post(read::batch));
    }
    if state.options.list {
        router = router.route("/v1/tasks", get(read::list));
    }
    router
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .merge(uploads::routes())
        .fallback(async || Refusal::new(404, "not_found", "No such endpoint"))
        .method_not_allowed_fallback(async || Refusal::new(405, "method_not_allowed", "No such method here"))
        .layer(middleware::map_response_with_state(Arc::clone(&state), finish))
        .with_state(state)
}

/// Every answer carries a request id; every refusal is counted, and has the
/// API's shape also where the framework spoke first.
async fn finish(Extract(state): Extract<Shared>, mut response: Response) -> Response {
    if response.status().is_client_error() && is_plain(&response) {
        response = Refusal::unreadable(response.status()).into_response();
    }
    if let Some(RefusedCode(code)) = response.extensions().get() {
        state.books().stats.refused(code);
    }
    if !response.headers().contains_key(REQUEST_ID) {
        set_header(&mut response, REQUEST_ID, &request_id());
    }
    response
}

fn is_plain(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/plain"))
}

async fn stats(Extract(state): Extract<Shared>) -> Json<Stats> {
    Json(state.stats())
}

/// Work that a stop or a kill interrupted.
fn resume(state: &Shared) {
    let (waiting, calling) = {
        let books = state.books();
        (books.unprepared(), callback::owed(&books))
    };
    for task in waiting {
        tokio::spawn(prepare::prepare(Arc::clone(state), task));
    }
    for task in calling {
        tokio::spawn(callback::deliver(Arc::clone(state), task));
    }
}

fn open_folder(options: &Options) -> Result<Blobs, EmulatorError> {
    let folder = options.state.as_ref().map(|folder| folder.join("blobs"));
    Blobs::open(folder)
        .map_err(|source| EmulatorError::Folder { folder: options.state.clone().unwrap_or_default(), source })
}

/// Fetches references and delivers callbacks; never through a proxy, and never
/// on to where it was sent.
fn client() -> Result<reqwest::Client, EmulatorError> {
    // An error says that a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("imgbatch-emulator/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(30))
        .build()
        .map_err(EmulatorError::Client)
}

/// An unspecified address is reached by the loopback one.
fn base_url(local: SocketAddr) -> String {
    let mut address = local;
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    format!("http://{address}")
}
