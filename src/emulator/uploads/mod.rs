//! Uploads: what is kept, for how long, and what is refused (section 7).

mod receive;
mod serve;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Refusal, RefusedCode, random_text};
use super::clock::Millis;
use super::fetch::MOST_BYTES;
use super::journal::Entry;
use super::state::{Shared, State};

pub(super) use serve::{Own, file, own};

const LIFE_MS: Millis = 72 * 3600 * 1000;
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

/// An upload that is refused. The files host has its own shape for that.
#[derive(Debug)]
enum Rejected {
    /// The key is not good: in the shape of the API.
    Key(Refusal),
    /// With its code and why.
    File(u32, String),
}

impl Rejected {
    fn file(code: u32, message: impl Into<String>) -> Self {
        Self::File(code, message.into())
    }

    /// For a request that names no file.
    fn request(message: impl Into<String>) -> Self {
        Self::file(400, message)
    }

    fn too_large() -> Self {
        Self::file(40001, "The file has more than 50 MB")
    }
}

impl From<Refusal> for Rejected {
    fn from(refusal: Refusal) -> Self {
        Self::Key(refusal)
    }
}

impl IntoResponse for Rejected {
    fn into_response(self) -> Response {
        let (code, message) = match self {
            Self::Key(refusal) => return refusal.into_response(),
            Self::File(code, message) => (code, message),
        };
        let status = match code {
            40001 => StatusCode::PAYLOAD_TOO_LARGE,
            50001 => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = json!({ "success": false, "code": code, "msg": message });
        let mut response = (status, Json(body)).into_response();
        response.extensions_mut().insert(RefusedCode(code.to_string()));
        response
    }
}

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/v1/files/upload/stream", post(receive::by_stream))
        .route("/api/v1/files/upload/base64", post(receive::by_base64))
        .route("/api/v1/files/upload/url", post(receive::by_url))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
}

/// Keeps a file under the name that its sender wants for it.
fn store(state: &State, file: &Bytes, name: Option<&str>) -> Result<Upload, Rejected> {
    if file.len() > MOST_BYTES {
        return Err(Rejected::too_large());
    }
    let (media_type, suffix) = media_type(file)
        .ok_or_else(|| Rejected::file(40002, "The file is not a JPEG, PNG, GIF or WebP picture"))?;
    let now = state.clock.now();
    let alive = state.books().uploads.values().filter(|upload| now < upload.uploaded + LIFE_MS).count();
    let quota = state.options.upload_quota;
    if alive >= quota {
        return Err(Rejected::file(40003, format!("The quota of {quota} files is used up")));
    }
    let failed = |text: String| Rejected::file(50001, text);
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
