//! The three ways in which a file arrives: as a form, as base64, as a link.

use axum::Json;
use axum::body::Bytes;
use axum::extract::multipart::{MultipartError, MultipartRejection};
use axum::extract::rejection::BytesRejection;
use axum::extract::{Multipart, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::super::base64;
use super::super::faults::Site;
use super::super::fetch::{FetchError, fetch};
use super::super::state::{Shared, State};
use super::{Rejected, describe, store};

pub(super) async fn by_stream(
    Extract(state): Extract<Shared>,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Json<Value>, Rejected> {
    admit(&state, &headers)?;
    let (file, name) = read_form(form).await?;
    keep(&state, &headers, &file, name.as_deref())
}

pub(super) async fn by_base64(
    Extract(state): Extract<Shared>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Rejected> {
    admit(&state, &headers)?;
    let (file, name) = read_base64(body)?;
    keep(&state, &headers, &file, name.as_deref())
}

pub(super) async fn by_url(
    Extract(state): Extract<Shared>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Rejected> {
    admit(&state, &headers)?;
    let (url, name) = read_json(body, "file_url")?;
    let file = fetch(&state, &url).await.map_err(|error| match error {
        FetchError::TooLarge { .. } => Rejected::too_large(),
        FetchError::Missing { .. } => Rejected::file(40004, error.to_string()),
    })?;
    keep(&state, &headers, &file, name.as_deref())
}

/// The key, then the faults of uploads.
fn admit(state: &State, headers: &HeaderMap) -> Result<(), Rejected> {
    state.authorize(headers)?;
    let mut books = state.books();
    books.stats.upload_requests += 1;
    let number = books.stats.upload_requests;
    let Some(fault) = state.options.faults.draw(Site::Upload, number).into_iter().next() else {
        return Ok(());
    };
    books.stats.fault(&fault.label());
    Err(Rejected::file(fault.number(50001) as u32, "The upload was refused"))
}

fn keep(
    state: &State,
    headers: &HeaderMap,
    file: &Bytes,
    name: Option<&str>,
) -> Result<Json<Value>, Rejected> {
    let upload = store(state, file, name)?;
    Ok(Json(describe(&upload, &state.origin(headers))))
}

/// A file with the name that its sender wants for it.
type Named = (Bytes, Option<String>);

async fn read_form(form: Result<Multipart, MultipartRejection>) -> Result<Named, Rejected> {
    let mut form = form.map_err(|error| Rejected::request(error.body_text()))?;
    let torn = |error: MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Rejected::too_large(),
        _ => Rejected::request(error.body_text()),
    };
    let (mut file, mut name) = (None, None);
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
    Ok((file.ok_or_else(|| Rejected::request("The form has no field `file`"))?, name))
}

fn read_base64(body: Result<Bytes, BytesRejection>) -> Result<Named, Rejected> {
    let (text, name) = read_json(body, "base64_data")?;
    // A data URL is welcome too.
    let text = text.split_once("base64,").map_or(&*text, |(_, data)| data);
    let file = base64::decode(text).ok_or_else(|| Rejected::request("base64_data is not base64"))?;
    Ok((file.into(), name))
}

/// The property that holds or names the file, and `file_name`.
fn read_json(
    body: Result<Bytes, BytesRejection>,
    property: &str,
) -> Result<(String, Option<String>), Rejected> {
    let body = body.map_err(|_| Rejected::too_large())?;
    let body: Value = serde_json::from_slice(&body)
        .map_err(|error| Rejected::request(format!("The body is not valid JSON: {error}")))?;
    let wanted =
        body[property].as_str().ok_or_else(|| Rejected::request(format!("{property} is required")))?;
    match &body["file_name"] {
        Value::Null => Ok((wanted.to_owned(), None)),
        Value::String(name) => Ok((wanted.to_owned(), Some(name.clone()))),
        _ => Err(Rejected::request("file_name must be a string")),
    }
}
