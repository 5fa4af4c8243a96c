//! Fetching and checking the references and the mask of a task.
//!
//! By default only hosts of this machine are asked, never through a proxy, so
//! that a demo keeps to itself.

use std::io::Cursor;

use bytes::{Bytes, BytesMut};
use image::{ImageFormat, ImageReader};
use url::Url;

use super::hosts;
use super::journal::Entry;
use super::price;
use super::state::{Shared, State};
use super::task::{Failure, Inputs, Material, Task};
use super::uploads::{self, Own};

/// A reference may have this many bytes (section 2).
const MOST_BYTES: usize = 50 * 1024 * 1024;
const MOST_PIXELS: u64 = 178_956_970;
const LONGEST_SIDE: u32 = 23_170;

/// Fetches what the task needs and writes the outcome down.
pub(super) async fn prepare(state: Shared, task: Task) {
    let outcome = tokio::select! {
        () = state.closed() => return,
        outcome = gather(&state, &task) => outcome,
    };
    let inputs = match outcome {
        Ok(material) => Inputs::Ready(material),
        Err(failure) => Inputs::Failed(failure),
    };
    // A journal that can't be written has been reported; the task stays open
    // and is prepared again after a restart.
    let _ = state.books().record(Entry::Inputs { task: task.id, inputs });
}

async fn gather(state: &State, task: &Task) -> Result<Material, Failure> {
    let mut references = Vec::new();
    let mut tokens = 0;
    let mut first = None;
    for url in &task.order.image_urls {
        let bytes = fetch(state, url).await?;
        let (width, height) = check_reference(&bytes)?;
        first.get_or_insert((width, height));
        tokens += price::reference_tokens(width, height);
        references.push(keep(state, &bytes)?);
    }
    let mut mask = None;
    if let (Some(url), Some(first)) = (&task.order.mask_url, first) {
        let bytes = fetch(state, url).await?;
        check_mask(&bytes, first)?;
        mask = Some(keep(state, &bytes)?);
    }
    let (width, height) = task.order.size.drawn(first);
    Ok(Material { width, height, references, mask, reference_tokens: tokens })
}

fn keep(state: &State, bytes: &Bytes) -> Result<String, Failure> {
    state.blobs.put(bytes).map_err(|error| Failure::new("service_error", error.to_string()))
}

/// The bytes behind a URL; our own uploads are read without a request.
pub(super) async fn fetch(state: &State, url: &str) -> Result<Bytes, Failure> {
    let missing =
        |why: &str| Failure::new("resource_not_found", format!("{url} could not be fetched: {why}"));
    match uploads::own(state, url) {
        Some(Own::Here(bytes)) => return Ok(bytes),
        Some(Own::Gone) => return Err(missing("the upload does not exist or has expired")),
        None => {}
    }
    let target = Url::parse(url).map_err(|_| missing("not a URL"))?;
    let local = hosts::is_loopback(&target);
    if local && !state.options.allow_local_references {
        return Err(missing("local addresses are not allowed"));
    }
    if !local && !state.options.allow_remote_hosts {
        return Err(missing("this emulator stays on its machine (`allow_remote_hosts` is off)"));
    }
    let answer = state.client.get(target).send().await.and_then(reqwest::Response::error_for_status);
    let mut answer = answer.map_err(|error| missing(&error.without_url().to_string()))?;
    let mut bytes = BytesMut::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| missing(&error.without_url().to_string()))? {
        if bytes.len() + piece.len() > MOST_BYTES {
            return Err(Failure::new("invalid_parameters", format!("{url} has more than 50 MB")));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// Width and height of a reference in one of the three formats.
fn check_reference(bytes: &[u8]) -> Result<(u32, u32), Failure> {
    let bad = |message: &str| Failure::new("invalid_parameters", message);
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let reader = reader.map_err(|_| bad("A reference could not be read"))?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP)) {
        return Err(bad("A reference is not a JPEG, PNG or WebP picture"));
    }
    let (width, height) = reader.into_dimensions().map_err(|_| bad("A reference is damaged"))?;
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MOST_PIXELS || width.max(height) > LONGEST_SIDE {
        return Err(bad("A reference has too many pixels"));
    }
    Ok((width, height))
}

/// The two documented mask errors, in the provider's words.
fn check_mask(bytes: &[u8], reference: (u32, u32)) -> Result<(), Failure> {
    let bad = |why: &str| Failure::new("invalid_parameters", format!("Invalid mask image format - {why}"));
    let reader = png::Decoder::new(Cursor::new(bytes)).read_info();
    let reader = reader.map_err(|_| bad("mask image is not a PNG"))?;
    let info = reader.info();
    let has_alpha = matches!(info.color_type, png::ColorType::Rgba | png::ColorType::GrayscaleAlpha);
    if !has_alpha && info.trns.is_none() {
        return Err(bad("mask image missing alpha channel"));
    }
    if (info.width, info.height) != reference {
        return Err(bad("mask size does not match image size"));
    }
    Ok(())
}
