//! The HTTP side: one address, one small document, one answer.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, Uri};
use axum::routing::post;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Addresses;

/// A callback's body may have this many bytes; a real one has a few thousand.
const BODY_BYTES: usize = 1 << 20;

/// Calls that may wait to be stored; further ones wait to be accepted, and the
/// provider tries again after its 10 s.
const QUEUE: usize = 256;

/// Longest task id and status that are believed.
const LONGEST_WORD: usize = 200;

/// What a callback said.
#[derive(Debug)]
pub struct Call {
    /// The job behind the secret address.
    pub job: i64,
    /// Its attempt.
    pub attempt: i64,
    /// The task that the body names.
    pub task: String,
    /// The provider's word for its state.
    pub status: String,
    /// To be told once the call is stored.
    pub stored: Stored,
}

/// Answers the provider: [`Stored::yes`] once the call is on disk. Dropped
/// without it, the provider is asked to try again.
#[derive(Debug)]
pub struct Stored(oneshot::Sender<()>);

impl Stored {
    /// It is on disk.
    pub fn yes(self) {
        // The provider may have hung up; what it said is stored all the same.
        let _ = self.0.send(());
    }
}

/// A server that hears callbacks until it is dropped.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    server: JoinHandle<io::Result<()>>,
}

#[derive(Clone)]
struct Desk {
    addresses: Addresses,
    calls: mpsc::Sender<Call>,
}

#[derive(Deserialize)]
struct Body {
    id: String,
    #[serde(default)]
    status: String,
}

impl Listener {
    /// Listens at `listen`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address is not free or not of this machine.
    pub async fn start(listen: SocketAddr, addresses: Addresses) -> io::Result<(Self, mpsc::Receiver<Call>)> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (calls, heard) = mpsc::channel(QUEUE);
        let router = Router::new()
            .route("/{*path}", post(hear))
            .layer(DefaultBodyLimit::max(BODY_BYTES))
            .with_state(Desk { addresses, calls });
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok((Self { address, server }, heard))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A stranger learns nothing but "no"; the address is looked up before the
/// body is read as anything.
async fn hear(State(desk): State<Desk>, uri: Uri, body: Bytes) -> StatusCode {
    let Some((job, attempt)) = desk.addresses.find(uri.path()) else { return StatusCode::NOT_FOUND };
    let Some((task, status)) = named_task(&body) else { return StatusCode::BAD_REQUEST };
    let (stored, told) = oneshot::channel();
    let call = Call { job, attempt, task, status, stored: Stored(stored) };
    if desk.calls.send(call).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    match told.await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Task and status that a callback's body names; `None` for any other body.
#[must_use]
pub fn named_task(body: &[u8]) -> Option<(String, String)> {
    let Body { id, status } = serde_json::from_slice(body).ok()?;
    (is_word(&id) && (status.is_empty() || is_word(&status))).then_some((id, status))
}

/// A word that can stand in a path, a ledger and a log.
fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
    !text.is_empty() && text.len() <= LONGEST_WORD && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that a stranger may send, and the one thing that counts.
    #[tokio::test]
    async fn only_a_word_at_a_secret_address_is_heard() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let addresses = Addresses::new("https://me.example/hooks".parse().unwrap());
        let (token, _) = addresses.make().unwrap();
        addresses.expect(&token, 3, 4);
        let (listener, mut heard) =
            Listener::start(SocketAddr::from(([127, 0, 0, 1], 0)), addresses).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let call = async |path: &str, body: String| {
            let url = format!("http://{}/{path}", listener.address());
            client.post(url).body(body).send().await.unwrap().status().as_u16()
        };
        let good = r#"{"id":"task-unified-1-abcdefgh","status":"completed"}"#.to_owned();
        let wrong = token.replace(char::is_alphanumeric, "0");
        assert_eq!(call(&format!("hooks/{wrong}"), good.clone()).await, 404);
        assert_eq!(call("hooks/", good.clone()).await, 404);
        for bad in ["", "{", "[]", r#"{"id":7}"#, r#"{"id":""}"#, r#"{"id":"a/b"}"#, r#"{"id":"a b"}"#] {
            assert_eq!(call(&format!("hooks/{token}"), bad.into()).await, 400, "{bad}");
        }
        assert_eq!(call(&format!("hooks/{token}"), " ".repeat(BODY_BYTES + 1)).await, 413);
        assert!(heard.try_recv().is_err(), "a stranger was heard");

        // Answered once it is stored, and asked for again where that failed.
        let store = async {
            let Call { job, attempt, task, stored, .. } = heard.recv().await.unwrap();
            assert_eq!((job, attempt, task.as_str()), (3, 4, "task-unified-1-abcdefgh"));
            stored.yes();
            drop(heard.recv().await.unwrap());
        };
        let calls = async {
            let first = call(&token, good.clone()).await;
            (first, call(&format!("hooks/{token}"), good).await)
        };
        assert_eq!(tokio::join!(calls, store).0, (200, 503));
    }
}
