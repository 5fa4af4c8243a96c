//! How long a run takes until its first submission leaves: seen by the one who
//! receives it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

/// A provider that knows no key, and tells when it is asked for a picture.
#[derive(Debug)]
pub(crate) struct Doorman {
    pub(crate) base_url: String,
    asked: Receiver<Instant>,
}

/// What becomes of a run whose first submission was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is refused, and ends by itself.
    Refused,
    Killed,
}

impl Doorman {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let (tell, asked) = mpsc::channel();
        thread::spawn(move || {
            for visitor in listener.incoming().flatten() {
                let tell = tell.clone();
                thread::spawn(move || serve(visitor, &tell));
            }
        });
        Ok(Self { base_url, asked })
    }

    /// From the start of the command to its first submission.
    pub(crate) fn time(&self, command: &mut Command, then: Then) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let asked = self.asked.recv_timeout(Duration::from_mins(1));
        if then == Then::Killed || asked.is_err() {
            run.kill()?;
        }
        run.wait()?;
        // It may have had several on the wire.
        while self.asked.try_recv().is_ok() {}
        Ok(asked.context("no submission came")? - begun)
    }
}

fn serve(mut visitor: TcpStream, tell: &Sender<Instant>) -> Option<()> {
    let mut bytes = vec![0; 1 << 16];
    loop {
        let length = visitor.read(&mut bytes).ok().filter(|&length| length > 0)?;
        // A body may follow its head later; it is no request.
        let answer = if bytes[..length].starts_with(b"POST ") {
            tell.send(Instant::now()).ok()?;
            answer("401 Unauthorized", "invalid_api_key")
        } else if bytes[..length].starts_with(b"GET ") {
            answer("404 Not Found", "not_found")
        } else {
            continue;
        };
        visitor.write_all(answer.as_bytes()).ok()?;
    }
}

fn answer(status: &str, code: &str) -> String {
    let body =
        format!(r#"{{"error":{{"code":"{code}","message":"not here","type":"invalid_request_error"}}}}"#);
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}
