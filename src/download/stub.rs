//! A file server for tests: one answer a path, everything that arrives kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Bytes of the answers by path.
pub(super) type Answers = HashMap<&'static str, Vec<u8>>;

/// A running stub on a loopback port. A path without an answer hangs.
pub(super) struct Stub {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    pub(super) async fn start(answers: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers: Arc<Answers> = Arc::new(answers.into_iter().collect());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&answers), Arc::clone(&log)));
            }
        });
        Self { url, requests }
    }

    /// Connections count as soon as they are accepted, with or without words.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, answers: Arc<Answers>, log: Arc<Mutex<Vec<String>>>) {
    let place = {
        let mut log = log.lock().unwrap();
        log.push(String::new());
        log.len() - 1
    };
    let mut text = String::new();
    while !text.contains("\r\n\r\n") {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => text.push_str(&String::from_utf8_lossy(&buffer[..count])),
            _ => return,
        }
    }
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    log.lock().unwrap()[place] = text;
    match answers.get(path.as_str()) {
        // The other side may have gone away at its limit.
        Some(bytes) => drop(stream.write_all(bytes).await),
        None => std::future::pending().await,
    }
    drop(stream.shutdown().await);
}

/// 200 with a true length.
pub(super) fn ok(body: &[u8]) -> Vec<u8> {
    declared(body, body.len())
}

/// 200 with whatever length is claimed.
pub(super) fn declared(body: &[u8], length: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Only a status and headers.
pub(super) fn head(status: u16, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n").into_bytes()
}
