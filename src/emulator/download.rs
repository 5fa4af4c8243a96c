//! `GET /results/...`: the pictures themselves (section 4). No key is needed,
//! and one that comes along is counted as the client's mistake.

use std::collections::HashMap;

use axum::extract::{ConnectInfo, Path, Query, State as Extract};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::answer::{Refusal, html};
use super::books::Books;
use super::damage;
use super::faults::{Fault, Kind, Site, in_prompt};
use super::state::{Shared, State};
use super::studio;
use super::task::{Phase, Task};
use super::view::signature;
use super::wire::Wire;

/// Marks the second leg of a redirect, which is served well.
const ARRIVED: &str = "arrived";

pub(super) async fn result(
    Extract(state): Extract<Shared>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    Path((task, file)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let _visit = Visit::arrive(&state, headers.contains_key(header::AUTHORIZATION));
    if headers.get(header::USER_AGENT).is_none_or(header::HeaderValue::is_empty) {
        return Err(Refusal::new(403, "forbidden", "Requests without a user agent are refused"));
    }
    let (task, index) = find(&state, &task, &file, &query)?;
    let fault = if query.contains_key(ARRIVED) { None } else { draw(&state, &task, index) };
    let Some(fault) = fault else { return png(&state, &task, index, 0).await };
    let here = format!("{uri}&{ARRIVED}=1");
    match fault.kind {
        Kind::Missing => Err(gone()),
        Kind::ForbiddenLink => Err(unsigned()),
        Kind::GoneLink => Err(Refusal::new(410, "gone", "The file has expired")),
        Kind::Empty => Ok(([(header::CONTENT_TYPE, "image/png")], "").into_response()),
        Kind::HtmlPicture => Ok(html(StatusCode::OK, "Access denied")),
        Kind::Redirect => Ok(redirect(&here)),
        Kind::RedirectAway => Ok(redirect("http://198.51.100.1:8080/elsewhere.png")),
        Kind::Bomb => Ok(damage::bomb()),
        Kind::WrongSize => png(&state, &task, index, 16).await,
        Kind::Jpeg => damage::jpeg(draw_bytes(&state, &task, index).await?).await,
        Kind::Short => Ok(damage::short(&draw_bytes(&state, &task, index).await?, &fault, &wire)),
        Kind::SlowBytes => Ok(damage::slow(draw_bytes(&state, &task, index).await?, &fault, &state)),
        _ => Ok(damage::damaged(&draw_bytes(&state, &task, index).await?)),
    }
}

/// A download under way: counted while it lives.
struct Visit<'a>(&'a Shared);

impl<'a> Visit<'a> {
    fn arrive(state: &'a Shared, with_key: bool) -> Self {
        state.books().stats.download_arrived(with_key);
        Self(state)
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.0.books().stats.downloads_in_flight -= 1;
    }
}

/// The picture behind a link, if the link is whole and alive.
fn find(
    state: &State,
    id: &str,
    file: &str,
    query: &HashMap<String, String>,
) -> Result<(Task, u64), Refusal> {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<i64>().ok());
    let index: u64 = file.strip_suffix(".png").and_then(|index| index.parse().ok()).ok_or_else(gone)?;
    let (Some(expires), Some(issued)) = (number("expires"), number("issued")) else {
        return Err(unsigned());
    };
    if query.get("signature") != Some(&signature(id, index, expires, issued)) {
        return Err(unsigned());
    }
    let now = state.clock.now();
    let books = state.books();
    let task = books.task(id).filter(|task| task.phase(now) == Phase::Completed && index < task.pictures());
    let life = state.options.link_life.as_millis() as i64;
    let task = task.filter(|task| now < task.ends() + life).ok_or_else(gone)?;
    Ok((task.clone(), index))
}

fn gone() -> Refusal {
    Refusal::new(404, "not_found", "The file does not exist or has expired")
}

fn unsigned() -> Refusal {
    Refusal::new(403, "forbidden", "The link's signature does not match; use the link as it was given")
}

/// The fault of this picture. It is drawn at the first download and stays
/// with the picture, unless it is a `-once` fault.
fn draw(state: &State, task: &Task, index: u64) -> Option<Fault> {
    let mut books = state.books();
    let Books { pictures, stats, .. } = &mut *books;
    let number = pictures.len() as u64 + 1;
    let picture = pictures.entry((task.id.clone(), index)).or_default();
    if picture.downloads == 0 {
        picture.faults = state.options.faults.draw(Site::Download, number);
        picture.faults.extend(in_prompt(&task.order.prompt, Site::Download));
    }
    picture.downloads += 1;
    let first = picture.downloads == 1;
    let fault = picture.faults.iter().find(|fault| first || !fault.once)?.clone();
    stats.fault(&fault.label());
    Some(fault)
}

async fn draw_bytes(state: &State, task: &Task, index: u64) -> Result<bytes::Bytes, Refusal> {
    studio::picture(state, task, index, 0).await.map_err(|error| broken(&error))
}

async fn png(state: &State, task: &Task, index: u64, smaller: u32) -> Result<Response, Refusal> {
    let bytes = studio::picture(state, task, index, smaller).await.map_err(|error| broken(&error))?;
    Ok(([(header::CONTENT_TYPE, "image/png")], bytes).into_response())
}

fn broken(error: &studio::StudioError) -> Refusal {
    tracing::error!(error = %error, "the emulator cannot draw a picture");
    Refusal::new(500, "internal_error", error.to_string())
}

fn redirect(to: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, to.to_owned())]).into_response()
}
