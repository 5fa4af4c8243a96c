//! A server for tests that answers raw bytes and counts what arrives.

use std::sync::{Arc, Mutex};

use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Client, Config};

/// The key of every test; must appear nowhere but in the Authorization header.
pub(super) const CANARY: &str = "sk-canary-5f0e7d";

/// What happens on each connection.
#[derive(Clone, Copy)]
pub(super) enum Script {
    /// Reads a request, answers, reads the next one.
    Answer(&'static str),
    /// Reads a request, answers, closes.
    AnswerAndClose(&'static str),
    /// Reads a request and cuts the connection with a reset.
    Reset,
    /// Closes without reading.
    CloseAtOnce,
    /// Reads a request and never answers.
    Hang,
    /// Accepts and does nothing at all.
    Deaf,
}

/// A running stub on a loopback port.
pub(super) struct Stub {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

impl Stub {
    pub(super) async fn start(script: Script) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self::listen(listener, url, script)
    }

    /// Sends everybody to the place that `target` makes of its own address.
    pub(super) async fn redirecting(code: u16, target: impl Fn(&str) -> String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let head = format!("HTTP/1.1 {code} X\r\nlocation: {}/\r\ncontent-length: 0\r\n\r\n", target(&url));
        Self::listen(listener, url, Script::AnswerAndClose(head.leak()))
    }

    fn listen(listener: TcpListener, url: String, script: Script) -> Self {
        let (requests, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let (log, count) = (Arc::clone(&requests), Arc::clone(&connections));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                *count.lock().unwrap() += 1;
                tokio::spawn(serve(stream, script, Arc::clone(&log)));
            }
        });
        Self { url, requests, connections }
    }

    pub(super) fn client(&self) -> Client {
        client(&self.url)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(super) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

pub(super) fn client(url: &str) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = Config::new(url.parse().unwrap(), SecretString::from(CANARY));
    config.files_url = Some(url.parse().unwrap());
    Client::new(config).unwrap()
}

async fn serve(mut stream: TcpStream, script: Script, log: Arc<Mutex<Vec<String>>>) {
    if let Script::CloseAtOnce = script {
        return;
    }
    if let Script::Deaf = script {
        return std::future::pending().await;
    }
    while let Some(request) = read_request(&mut stream).await {
        log.lock().unwrap().push(request);
        match script {
            Script::Answer(bytes) => stream.write_all(bytes.as_bytes()).await.unwrap(),
            Script::AnswerAndClose(bytes) => return stream.write_all(bytes.as_bytes()).await.unwrap(),
            Script::Reset => return stream.set_zero_linger().unwrap(),
            Script::Hang => std::future::pending().await,
            Script::CloseAtOnce | Script::Deaf => {}
        }
    }
}

/// Head and body of one request; `None` at the end of the connection.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some(text);
        }
    }
}
