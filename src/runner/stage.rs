//! The step before a submission: local pictures are handed to the provider, so
//! that the request can name links. Costs nothing.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use tempfile::NamedTempFile;

use super::scale::scaled;
use super::shared::Shared;
use crate::api::{self, UploadError};
use crate::job::{ContentHash, Reference, Request};
use crate::ledger::{Answer, LedgerError, Pending};

/// An upload that dies sooner is not worth referring to: the task may wait.
const UPLOAD_MARGIN_MS: i64 = 2 * 60 * 60 * 1000;

/// Uploads live this long where the answer does not say (section 7 of the API
/// facts).
const UPLOAD_LIFE_MS: i64 = 72 * 60 * 60 * 1000;

/// A job whose request is complete.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) pending: Pending,
    pub(super) body: Bytes,
    /// Secret part of the callback address in the body.
    pub(super) token: Option<String>,
}

/// Why a request could not be completed; nothing was bought.
#[derive(Debug)]
pub(super) enum Unstaged {
    /// The file or the host refuse; the job has failed in the ledger.
    Failed(Answer),
    /// Later may be better.
    Later(String),
    /// The ledger failed.
    Ledger(LedgerError),
}

/// What is being uploaded. Jobs that refer to the same picture at the same time
/// wait for one upload of it.
#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<HashMap<ContentHash, Weak<tokio::sync::Mutex<()>>>>);

impl Uploads {
    /// Waited for before an upload, and held until its link is recorded.
    fn turn(&self, content: ContentHash) -> Arc<tokio::sync::Mutex<()>> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = waiting.get(&content).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        waiting.insert(content, Arc::downgrade(&turn));
        turn
    }
}

impl Shared {
    /// Completes a job's request: local references are uploaded, once each.
    pub(super) async fn stage(&self, pending: Pending) -> Result<Order, (Pending, Unstaged)> {
        let mut urls = Vec::new();
        let request = &pending.request;
        for reference in request.images.iter().chain(&request.mask) {
            match self.url_of(reference).await {
                Ok(url) => urls.push((reference.clone(), url)),
                Err(Unstaged::Failed(answer)) => {
                    let (job, text) = (pending.job, answer.clone());
                    let written = self.ledger.write(move |store| store.unsendable(job, &text)).await;
                    let why = written.map_or_else(Unstaged::Ledger, |()| Unstaged::Failed(answer));
                    return Err((pending, why));
                }
                Err(other) => return Err((pending, other)),
            }
        }
        let url_of = |reference: &Reference| {
            urls.iter().find(|(known, _)| known == reference).map_or_else(String::new, |(_, url)| url.clone())
        };
        let (token, callback_url) = self.callback_of(request).unzip();
        let callback_url = callback_url.or_else(|| request.callback_url.clone());
        let body = Bytes::from(api::body(&Request { callback_url, ..request.clone() }, url_of));
        Ok(Order { pending, body, token })
    }

    /// The one door through which local files leave.
    async fn url_of(&self, reference: &Reference) -> Result<String, Unstaged> {
        let (path, sha256, scaled_to) = match reference {
            Reference::Url(url) => return Ok(url.clone()),
            Reference::File { path, sha256, scaled_to } => (path, *sha256, *scaled_to),
        };
        let content = reference.uploaded_as().unwrap_or(sha256);
        let turn = self.uploads.turn(content);
        let _held = turn.lock().await;
        let until = self.clock.now_ms() + UPLOAD_MARGIN_MS;
        let known = self.ledger.write(move |store| store.uploaded(&content, until)).await;
        if let Some(url) = known.map_err(Unstaged::Ledger)? {
            return Ok(url);
        }
        let uploaded = self.upload(path, content, sha256, scaled_to).await?;
        let expires_at = uploaded
            .expires_at
            .map_or_else(|| self.clock.now_ms() + UPLOAD_LIFE_MS, jiff::Timestamp::as_millisecond);
        let url = uploaded.url.clone();
        let kept = self.ledger.write(move |store| store.add_upload(&content, &url, expires_at)).await;
        kept.map_err(Unstaged::Ledger)?;
        Ok(uploaded.url)
    }

    async fn upload(
        &self,
        path: &Path,
        content: ContentHash,
        sha256: ContentHash,
        scaled_to: Option<(u32, u32)>,
    ) -> Result<api::Uploaded, Unstaged> {
        let file = path.to_owned();
        let prepared = tokio::task::spawn_blocking(move || prepare(&file, sha256, scaled_to)).await;
        let copy = match prepared {
            Ok(Ok(copy)) => copy,
            Ok(Err(why)) => return Err(unsendable(path, &why)),
            Err(_) => return Err(Unstaged::Later("preparing a reference was interrupted".into())),
        };
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("png");
        let name = format!("{}.{extension}", &content.to_string()[..16]);
        let source = copy.as_ref().map_or(path, |copy| copy.path());
        match self.client.upload(source, &name, mime(extension)).await {
            Ok(uploaded) => Ok(uploaded),
            Err(UploadError::Failed(why)) => Err(Unstaged::Later(why.to_string())),
            Err(other) => Err(unsendable(path, &chain(&other))),
        }
    }
}

/// Checks that a file is what was planned, and makes the scaled copy where one
/// is wanted.
fn prepare(
    path: &Path,
    planned: ContentHash,
    scaled_to: Option<(u32, u32)>,
) -> Result<Option<NamedTempFile>, String> {
    let found = crate::download::hash(path).map_err(|error| error.to_string())?;
    if found != planned {
        return Err("it changed since the plan was made; run again".into());
    }
    scaled_to.map(|size| scaled(path, size)).transpose()
}

fn unsendable(path: &Path, why: &str) -> Unstaged {
    Unstaged::Failed(Answer {
        code: "reference_unusable".into(),
        message: format!("{}: {why}", path.display()),
        ..Answer::default()
    })
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn mime(extension: &str) -> &'static str {
    match extension.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        _ => "image/png",
    }
}
