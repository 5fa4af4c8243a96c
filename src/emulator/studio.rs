//! From a task to the bytes of one of its pictures: drawn when first asked
//! for, off the async threads, as many at once as there are cores.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::render::{self, Picture};
use super::state::State;
use super::task::{Inputs, Material, Task};

/// A picture could not be drawn.
#[derive(Debug, thiserror::Error)]
pub(super) enum StudioError {
    #[error("the task has no pictures")]
    NoPicture,
    #[error("a stored reference is gone")]
    Blob(#[from] io::Error),
    #[error("the picture could not be drawn")]
    Render(#[from] render::RenderError),
    #[error("drawing was interrupted")]
    Interrupted,
}

/// The PNG of one picture, `smaller` by so many pixels on each side.
pub(super) async fn picture(
    state: &State,
    task: &Task,
    index: u64,
    smaller: u32,
) -> Result<Bytes, StudioError> {
    let Inputs::Ready(material) = &task.inputs else { return Err(StudioError::NoPicture) };
    let mut picture = describe(state, task, material, index)?;
    picture.width -= smaller;
    picture.height -= smaller;
    let key = (picture.width, picture.height, picture.transparent);
    let cached = || state.options.cached_pictures.then(|| state.books().cached.get(&key).cloned()).flatten();
    if let Some(bytes) = cached() {
        return Ok(bytes);
    }
    let padded = state.options.picture_bytes.filter(|_| state.options.cached_pictures);
    let _brush = state.brushes.acquire().await.map_err(|_| StudioError::Interrupted)?;
    // Another download may have drawn it while this one waited.
    if let Some(bytes) = cached() {
        return Ok(bytes);
    }
    let font = Arc::clone(&state.font);
    let drawn = tokio::task::spawn_blocking(move || render::png(&picture, &font, padded)).await;
    let bytes = Bytes::from(drawn.map_err(|_| StudioError::Interrupted)??);
    if state.options.cached_pictures {
        state.books().cached.insert(key, bytes.clone());
    }
    Ok(bytes)
}

/// Cached pictures show their size only: no words, no references.
fn describe(state: &State, task: &Task, material: &Material, index: u64) -> Result<Picture, StudioError> {
    let order = &task.order;
    let plain = state.options.cached_pictures;
    let blob = |name: &String| state.blobs.get(name);
    let references = if plain { &[] } else { &material.references[..] };
    let mask = material.mask.as_ref().filter(|_| !plain);
    Ok(Picture {
        prompt: if plain { "One picture for all of this size".to_owned() } else { order.prompt.clone() },
        take: if plain { 0 } else { task.take * 16 + index },
        width: material.width,
        height: material.height,
        quality: order.quality,
        transparent: order.transparent,
        references: references.iter().map(blob).collect::<Result<_, _>>()?,
        mask: mask.map(blob).transpose()?,
    })
}
