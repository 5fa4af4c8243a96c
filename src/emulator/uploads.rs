//! Uploads, and serving what was uploaded (section 7).

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Multipart, Path, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::answer::{Refusal, random_text};
use super::base64;
use super::clock::Millis;
use super::hosts;
use super::journal::Entry;
use super::prepare;
use super::state::{Shared, State};

const LIFE_MS: Millis = 72 * 3600 * 1000;
const MOST_FILES: usize = 2000;
const MOST_BYTES: usize = 50 * 1024 * 1024;
/// A file of the largest size as base64 in JSON, and some air.
const BODY_BYTES: usize = 72 * 1024 * 1024;

/// An uploaded file; its bytes are a blob.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) media_type: String,
    pub(super) bytes: usize,
    pub(super) blob: String,
    pub(super) uploaded: Millis,
}

/// An upload that is refused: the files host has its own shape for it.
struct Rejected(u16, u32, String);

impl IntoResponse for Rejected {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0).unwrap_or(StatusCode::BAD_REQUEST);
        (status, Json(json!({ "success": false, "code": self.1, "msg": self.2 }))).into_response()
    }
}

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/v1/files/upload/stream", post(by_stream))
        .route("/api/v1/files/upload/base64", post(by_base64))
        .route("/api/v1/files/upload/url", post(by_url))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
}

async fn by_stream(
    Extract(state): Extract<Shared>,
    headers: HeaderMap,
    mut form: Multipart,
) -> Result<Response, Refusal> {
    state.authorize(&headers)?;
    let (mut file, mut name) = (None, None);
    let torn = |error: axum::extract::multipart::MultipartError| Refusal::request(error.to_string());
    while let Some(field) = form.next_field().await.map_err(torn)? {
        match field.name() {
            Some("file") => {
                name = name.or_else(|| field.file_name().map(str::to_owned));
                file = Some(field.bytes().await.map_err(torn)?);
            }
            Some("file_name") => name = Some(field.text().await.map_err(torn)?),
            _ => {}
        }
    }
    let file = file.ok_or_else(|| Refusal::request("The form has no field `file`"))?;
    Ok(store(&state, &headers, &file, name.as_deref()))
}

async fn by_base64(
    Extract(state): Extract<Shared>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Refusal> {
    state.authorize(&headers)?;
    let text = body["base64_data"].as_str().ok_or_else(|| Refusal::request("base64_data is required"))?;
    // A data URL is welcome too.
    let text = text.split_once("base64,").map_or(text, |(_, data)| data);
    let file = base64::decode(text).ok_or_else(|| Refusal::request("base64_data is not base64"))?;
    Ok(store(&state, &headers, &file.into(), body["file_name"].as_str()))
}

async fn by_url(
    Extract(state): Extract<Shared>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Refusal> {
    state.authorize(&headers)?;
    let url = body["file_url"].as_str().ok_or_else(|| Refusal::request("file_url is required"))?;
    match prepare::fetch(&state, url).await {
        Ok(file) => Ok(store(&state, &headers, &file, body["file_name"].as_str())),
        Err(failure) => Ok(Rejected(400, 40004, failure.message).into_response()),
    }
}

fn store(state: &State, headers: &HeaderMap, file: &Bytes, name: Option<&str>) -> Response {
    match try_store(state, file, name) {
        Ok(upload) => Json(describe(&upload, &state.origin(headers))).into_response(),
        Err(rejected) => rejected.into_response(),
    }
}

fn try_store(state: &State, file: &Bytes, name: Option<&str>) -> Result<Upload, Rejected> {
    if file.len() > MOST_BYTES {
        return Err(Rejected(413, 40001, "The file has more than 50 MB".to_owned()));
    }
    let (media_type, suffix) = media_type(file)
        .ok_or_else(|| Rejected(400, 40002, "The file is not a JPEG, PNG, GIF or WebP picture".to_owned()))?;
    let now = state.clock.now();
    let alive = state.books().uploads.values().filter(|upload| now < upload.uploaded + LIFE_MS).count();
    if alive >= MOST_FILES {
        return Err(Rejected(400, 40003, "The quota of 2000 files is used up".to_owned()));
    }
    let failed = |text: String| Rejected(500, 50001, text);
    let blob = state.blobs.put(file).map_err(|error| failed(error.to_string()))?;
    let upload = Upload {
        id: format!("file-{}", random_text(16)),
        name: safe_name(name, suffix),
        media_type: media_type.to_owned(),
        bytes: file.len(),
        blob,
        uploaded: now,
    };
    let recorded = state.books().record(Entry::Upload(upload.clone()));
    recorded.map_err(|refusal| failed(refusal.message))?;
    Ok(upload)
}

fn describe(upload: &Upload, origin: &str) -> Value {
    let expires = jiff::Timestamp::from_millisecond(upload.uploaded + LIFE_MS).unwrap_or_default();
    json!({
        "success": true, "code": 200, "msg": "File uploaded",
        "data": {
            "file_id": upload.id, "file_name": upload.name, "original_name": upload.name,
            "file_size": upload.bytes, "mime_type": upload.media_type,
            "file_url": format!("{origin}/files/{}/{}", upload.id, upload.name),
            "expires_at": expires.to_string(),
        },
    })
}

fn media_type(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some(("image/png", "png")),
        [0xff, 0xd8, 0xff, ..] => Some(("image/jpeg", "jpg")),
        [b'G', b'I', b'F', b'8', ..] => Some(("image/gif", "gif")),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(("image/webp", "webp")),
        _ => None,
    }
}

/// A name that is one harmless segment of a path.
fn safe_name(name: Option<&str>, suffix: &str) -> String {
    let keep = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = name.unwrap_or_default().chars().filter(keep).take(100).collect();
    let name = name.trim_matches('.');
    if name.is_empty() { format!("upload.{suffix}") } else { name.to_owned() }
}

/// `GET /files/...`
pub(super) async fn file(
    Extract(state): Extract<Shared>,
    Path((id, _name)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let media_type = state.books().uploads.get(&id).map(|upload| upload.media_type.clone());
    match (read(&state, &id), media_type) {
        (Some(bytes), Some(kind)) => Ok(([(header::CONTENT_TYPE, kind)], bytes).into_response()),
        _ => Err(Refusal::new(404, "not_found", "The file does not exist or has expired")),
    }
}

fn read(state: &State, id: &str) -> Option<Bytes> {
    let now = state.clock.now();
    let upload = state.books().uploads.get(id).filter(|upload| now < upload.uploaded + LIFE_MS).cloned()?;
    state.blobs.get(&upload.blob).ok()
}

/// One of our own links.
pub(super) enum Own {
    Here(Bytes),
    Gone,
}

/// Reads one of our own links. `None` says that the URL is not ours;
/// the port is not compared, because a restarted emulator may have another.
pub(super) fn own(state: &State, url: &str) -> Option<Own> {
    let url = Url::parse(url).ok().filter(hosts::is_loopback)?;
    let id = url.path().strip_prefix("/files/")?.split('/').next()?;
    id.starts_with("file-").then(|| read(state, id).map_or(Own::Gone, Own::Here))
}
