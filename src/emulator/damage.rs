//! Pictures that arrive broken: damaged, short, slow, or something else.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;

use super::answer::Refusal;
use super::faults::Fault;
use super::state::Shared;
use super::wire::Wire;

const PNG: (header::HeaderName, &str) = (header::CONTENT_TYPE, "image/png");

/// Sides that a bomb claims to have.
const BOMB_SIDE: u32 = 60_000;

/// The right length, but a stretch in the middle is inverted: checksums fail.
pub(super) fn damaged(picture: &[u8]) -> Response {
    let mut bytes = picture.to_vec();
    let middle = bytes.len() / 2;
    let end = (middle + 64).min(bytes.len());
    bytes[middle..end].iter_mut().for_each(|byte| *byte = !*byte);
    ([PNG], bytes).into_response()
}

/// Half the picture. Either the connection breaks before the promised length,
/// or (`clean`) the length agrees with the half.
pub(super) fn short(picture: &Bytes, fault: &Fault, wire: &Wire) -> Response {
    let half = picture.slice(..picture.len() / 2);
    if fault.argument() == Some("clean") {
        return ([PNG], half).into_response();
    }
    let wire = wire.clone();
    let rest = stream::once(async move {
        // Lets the first half go out before the connection breaks.
        tokio::task::yield_now().await;
        wire.cut();
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    let body = stream::once(async { Ok(half) }).chain(rest);
    sized(picture.len(), Body::from_stream(body))
}

/// The picture in sixteen pieces over the fault's seconds (default 10).
pub(super) fn slow(picture: Bytes, fault: &Fault, state: &Shared) -> Response {
    const PIECES: usize = 16;
    let pause = Duration::from_secs(fault.number(10)) / PIECES as u32;
    let length = picture.len();
    let state = Shared::clone(state);
    let pieces = stream::iter(0..PIECES).then(move |piece| {
        let part = picture.slice(length * piece / PIECES..length * (piece + 1) / PIECES);
        let state = Shared::clone(&state);
        async move {
            tokio::select! {
                () = tokio::time::sleep(pause) => Ok(part),
                () = state.closed() => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
            }
        }
    });
    sized(length, Body::from_stream(pieces))
}

fn sized(length: usize, body: Body) -> Response {
    ([PNG, (header::CONTENT_LENGTH, length.to_string().as_str())], body).into_response()
}

/// The same picture as a JPEG.
pub(super) async fn jpeg(picture: Bytes) -> Result<Response, Refusal> {
    let encoded = tokio::task::spawn_blocking(move || -> image::ImageResult<Vec<u8>> {
        let mut bytes = io::Cursor::new(Vec::new());
        image::load_from_memory(&picture)?.to_rgb8().write_to(&mut bytes, image::ImageFormat::Jpeg)?;
        Ok(bytes.into_inner())
    });
    match encoded.await {
        Ok(Ok(bytes)) => Ok(([PNG], bytes).into_response()),
        _ => Err(Refusal::new(500, "internal_error", "The JPEG could not be made")),
    }
}

/// A small file whose header asks for gigabytes.
pub(super) fn bomb() -> Response {
    let mut bytes = Vec::new();
    let encoder = png::Encoder::new(&mut bytes, BOMB_SIDE, BOMB_SIDE);
    // Writing to memory can't fail; the pixels are missing on purpose.
    if let Ok(mut writer) = encoder.write_header() {
        let _ = writer.write_chunk(png::chunk::IDAT, &[0x78, 0x01, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01]);
        let _ = writer.finish();
    }
    ([PNG], bytes).into_response()
}
