//! The connections to the API and the one way a request leaves through them.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode, redirect, retry};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::answer::{Answer, BODY_LIMIT};
use super::config::{ApiError, Config, check_url, endpoint};
use super::outcome::{Doubt, Submission, classify_submit};
use crate::tls;

/// Patience for DNS, connect and TLS together: less than any other, so that
/// a slow start is known as "never sent" and not as a doubt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A submission leaves on no connection that was idle for longer: a server
/// that closes one just as it is reused makes a false unknown.
const POST_POOL_IDLE: Duration = Duration::from_millis(900);
/// Reads may reuse a connection for this long.
const READ_POOL_IDLE: Duration = Duration::from_secs(30);

/// A client of the API. Cheap to share by reference; each call makes exactly
/// one request, follows no redirect and repeats nothing.
pub struct Client {
    pub(super) base_url: Url,
    pub(super) files_url: Option<Url>,
    key: SecretString,
    post: reqwest::Client,
    pub(super) read: reqwest::Client,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base_url", &self.base_url.as_str()).finish_non_exhaustive()
    }
}

/// A request that got no complete answer.
#[derive(Debug)]
pub(super) enum Lost {
    /// Nothing left this machine.
    NeverSent(String),
    /// It may have arrived. Boxed: this is the rare case.
    After(Box<Partial>),
}

/// How far an answer came.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) why: String,
    /// Status, headers and the beginning of the body.
    pub(super) head: Option<(StatusCode, HeaderMap, Vec<u8>)>,
}

impl Client {
    /// Checks the configuration; touches no network. The process must have
    /// installed a rustls provider before.
    pub fn new(config: Config) -> Result<Self, ApiError> {
        check_url("base_url", &config.base_url)?;
        if let Some(url) = &config.files_url {
            check_url("files_url", url)?;
        }
        let post_timeout = config.post_timeout.max(Config::MIN_POST_TIMEOUT);
        let post = builder(&config, post_timeout)?.pool_idle_timeout(POST_POOL_IDLE);
        let read = builder(&config, config.read_timeout)?.pool_idle_timeout(READ_POOL_IDLE);
        Ok(Self {
            post: post.build().map_err(without_url)?,
            read: read.build().map_err(without_url)?,
            base_url: config.base_url,
            files_url: config.files_url,
            key: config.key,
        })
    }

    /// Sends one submission: exactly these bytes, exactly once. The intent
    /// must be on disk before.
    pub async fn submit(&self, body: Bytes, idempotency_key: &str) -> Submission {
        let Ok(idempotency_key) = HeaderValue::from_str(idempotency_key) else {
            return Submission::NeverSent { why: "the idempotency key can't be a header".into() };
        };
        let request = self
            .post
            .post(endpoint(&self.base_url, &["v1", "images", "generations"]))
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", idempotency_key)
            .body(body);
        match self.send(request).await {
            Ok(answer) => classify_submit(answer.status, &answer.headers, &answer.body),
            Err(Lost::NeverSent(why)) => Submission::NeverSent { why },
            Err(Lost::After(partial)) => Submission::Unknown(partial.into_doubt()),
        }
    }

    /// The only place where the key meets a request.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Answer, Lost> {
        let response = request.bearer_auth(self.key.expose_secret()).send().await.map_err(Lost::from)?;
        tracing::debug!(path = response.url().path(), status = response.status().as_u16(), "request");
        self.read_answer(response).await
    }

    async fn read_answer(&self, mut response: Response) -> Result<Answer, Lost> {
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        let cut = loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > BODY_LIMIT => {
                    break Some("the answer is too long".into());
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break None,
                Err(error) => break Some(format!("the answer broke off: {}", describe(error))),
            }
        };
        let body = self.without_key(body);
        match cut {
            None => Ok(Answer { status, headers, body }),
            Some(why) => Err(Lost::After(Box::new(Partial { why, head: Some((status, headers, body)) }))),
        }
    }

    /// Servers have been seen to echo the key in an error; answers are kept
    /// as evidence, so it goes before anyone looks.
    fn without_key(&self, body: Vec<u8>) -> Vec<u8> {
        let key = self.key.expose_secret().as_bytes();
        // A short key stands in task ids and links by chance.
        if key.len() < SHORTEST_SECRET || !body.windows(key.len()).any(|window| window == key) {
            return body;
        }
        String::from_utf8_lossy(&body).replace(self.key.expose_secret(), "[key]").into_bytes()
    }
}

/// Keys of providers are longer; shorter ones guard nothing.
const SHORTEST_SECRET: usize = 12;

impl Partial {
    fn into_doubt(self) -> Doubt {
        match self.head {
            Some((status, headers, body)) => Doubt::about(self.why, status, &headers, &body),
            None => Doubt { why: self.why, ..Doubt::default() },
        }
    }
}

impl From<reqwest::Error> for Lost {
    /// DNS, TCP, TLS and a refused tunnel are connect errors, their timeout
    /// included; a builder error never reached the network. Everything else
    /// may have sent something.
    fn from(error: reqwest::Error) -> Self {
        if error.is_connect() || error.is_builder() {
            Self::NeverSent(format!("no connection: {}", innermost(&error)))
        } else {
            Self::After(Box::new(Partial { why: describe(error), head: None }))
        }
    }
}

/// What the network said, without the names of the layers it came through.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn builder(config: &Config, timeout: Duration) -> Result<reqwest::ClientBuilder, ApiError> {
    let user_agent =
        HeaderValue::from_str(&config.user_agent).unwrap_or(HeaderValue::from_static("imgbatch"));
    let key = config.key.expose_secret();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ApiError::BadKey);
    }
    let builder = tls::shared(reqwest::Client::builder())
        .user_agent(user_agent)
        .timeout(timeout)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false);
    Ok(if is_loopback(&config.base_url) { builder.no_proxy() } else { builder })
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn without_url(error: reqwest::Error) -> ApiError {
    ApiError::Http(error.without_url())
}

/// The chain of causes in one line, without the URL.
pub(super) fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text
}
