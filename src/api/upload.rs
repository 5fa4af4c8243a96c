//! Uploading a local reference, section 7 of the API facts. Free; a repeated
//! upload costs nothing but a place among 2,000 files.

use std::path::Path;
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use serde_json::Value;
use tokio::fs::File;

use super::answer::{Answer, Refusal, request_id};
use super::client::{Client, Lost};
use super::config::endpoint;
use super::look::LookError;
use super::wire;

/// 50 MB over a slow line take a while.
const TIMEOUT: Duration = Duration::from_mins(10);

/// A file on the provider's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Goes into `image_urls` or `mask_url`.
    pub url: String,
    /// When it vanishes; 72 h after the upload where the API does not say.
    pub expires_at: Option<jiff::Timestamp>,
}

/// Why a file was not uploaded.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The manifest names no `files_url`.
    #[error("local references need provider.files_url, the host that takes uploads")]
    NoFilesUrl,
    /// The local file can't be read.
    #[error("can't read the reference")]
    File(#[source] std::io::Error),
    /// The host refuses this file for good (size, type, quota of files).
    #[error("the files host refuses it: {} {}", .0.code, .0.message)]
    Refused(Refusal),
    /// Throttled, a refused key, or a passing fault, as for a read.
    #[error(transparent)]
    Failed(#[from] LookError),
}

impl Client {
    /// Streams the file at `path` to the files host under `file_name`.
    pub async fn upload(&self, path: &Path, file_name: &str, mime: &str) -> Result<Uploaded, UploadError> {
        let files_url = self.files_url.as_ref().ok_or(UploadError::NoFilesUrl)?;
        let file = File::open(path).await.map_err(UploadError::File)?;
        let length = file.metadata().await.map_err(UploadError::File)?.len();
        let part = Part::stream_with_length(file, length)
            .file_name(file_name.to_owned())
            .mime_str(mime)
            .map_err(|error| LookError::from(Lost::from(error)))?;
        let form = Form::new().part("file", part).text("file_name", file_name.to_owned());
        let url = endpoint(files_url, &["api", "v1", "files", "upload", "stream"]);
        let answer = self.send(self.read.post(url).timeout(TIMEOUT).multipart(form)).await;
        uploaded(&answer.map_err(LookError::from)?)
    }
}

fn uploaded(answer: &Answer) -> Result<Uploaded, UploadError> {
    let json = answer.json().unwrap_or_default();
    if let Some(refusal) = refused(answer, &json) {
        return Err(UploadError::Refused(refusal));
    }
    let json = super::look::success(answer)?;
    let null = Value::Null;
    let data = json.get("data").unwrap_or(&null);
    match wire::text(data, "file_url") {
        Some(url) => Ok(Uploaded { url, expires_at: moment(data, "expires_at") }),
        None => Err(super::look::transient("the files host answered without a link").into()),
    }
}

/// Its own error shape: `code` 40001 too large, 40002 type, 40003 quota. A
/// fetch that failed (40004) and storage (50001) may pass.
fn refused(answer: &Answer, json: &Value) -> Option<Refusal> {
    let code = wire::code(json, "code")?;
    matches!(code.as_str(), "40001" | "40002" | "40003").then(|| Refusal {
        http_status: answer.status.as_u16(),
        code,
        message: wire::text(json, "msg").or_else(|| wire::text(json, "message")).unwrap_or_default(),
        request_id: request_id(&answer.headers, json),
    })
}

/// A moment as RFC 3339 or as seconds since 1970.
fn moment(object: &Value, field: &str) -> Option<jiff::Timestamp> {
    match wire::text(object, field) {
        Some(text) => text.parse().ok(),
        None => jiff::Timestamp::from_second(wire::integer(object, field)?).ok(),
    }
}
