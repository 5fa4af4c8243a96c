//! Fetching and checking the references and the mask of a task. What can't be
//! used fails the task, with the documented messages where there are any.

use std::io::Cursor;

use bytes::Bytes;
use image::{ImageFormat, ImageReader, Limits};

use super::fetch::fetch;
use super::journal::Entry;
use super::price;
use super::state::{Shared, State};
use super::task::{Failure, Inputs, Material, Task};

/// What a reference may have (section 2).
const MOST_PIXELS: u64 = 178_956_970;
const LONGEST_SIDE: u32 = 23_170;

/// Four bytes for each of the most pixels, and some air.
const MOST_MEMORY: u64 = 1 << 30;

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
        decode(&bytes, "A reference is damaged").await?;
        first.get_or_insert((width, height));
        tokens += price::reference_tokens(width, height);
        references.push(keep(state, &bytes)?);
    }
    let mut mask = None;
    if let (Some(url), Some(first)) = (&task.order.mask_url, first) {
        let bytes = fetch(state, url).await?;
        check_mask(&bytes, first)?;
        decode(&bytes, "Invalid mask image format - mask image is damaged").await?;
        mask = Some(keep(state, &bytes)?);
    }
    let (width, height) = task.order.size.drawn(first);
    Ok(Material { width, height, references, mask, reference_tokens: tokens })
}

fn keep(state: &State, bytes: &Bytes) -> Result<String, Failure> {
    state.blobs.put(bytes).map_err(|error| Failure::new("service_error", error.to_string()))
}

fn damaged(message: &str) -> Failure {
    Failure::new("image_processing_error", message)
}

/// Decodes all of a picture, off the async threads: a file that breaks off in
/// the middle fails its task, not the download of the result.
async fn decode(bytes: &Bytes, message: &str) -> Result<(), Failure> {
    let bytes = bytes.clone();
    let decoded = tokio::task::spawn_blocking(move || {
        let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
        let mut limits = Limits::default();
        limits.max_alloc = Some(MOST_MEMORY);
        reader.limits(limits);
        reader.decode().map(drop)
    });
    match decoded.await {
        Ok(Ok(())) => Ok(()),
        _ => Err(damaged(message)),
    }
}

/// Width and height of a reference in one of the three formats.
fn check_reference(bytes: &[u8]) -> Result<(u32, u32), Failure> {
    let bad = |message: &str| Failure::new("invalid_parameters", message);
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let reader = reader.map_err(|_| bad("A reference could not be read"))?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP)) {
        return Err(bad("A reference is not a JPEG, PNG or WebP picture"));
    }
    let (width, height) = reader.into_dimensions().map_err(|_| damaged("A reference is damaged"))?;
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
