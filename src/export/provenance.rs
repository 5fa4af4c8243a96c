//! How a picture came to be, written into a copy of it or beside it. Of a PNG
//! no pixel is touched: text chunks go between its header and the rest.

use png::text_metadata::{EncodableTextChunk, ITXtChunk};
use serde_json::{Value, json};

use super::ExportError;
use crate::ledger::Entry;

const TOOL: &str = concat!("imgbatch ", env!("CARGO_PKG_VERSION"));

/// Signature and header of a PNG.
const HEAD: usize = 8 + 25;

/// Everything that is known of how the picture was made.
pub(super) fn story(entry: &Entry) -> Value {
    let picture = entry.picture.as_ref();
    json!({
        "tool": TOOL,
        "id": entry.id,
        "number": picture.map(|picture| picture.number),
        "model": entry.request.model,
        "prompt": entry.request.prompt,
        "parameters": entry.request,
        "fingerprint": entry.fingerprint,
        "task_id": picture.and_then(|picture| picture.task.clone()),
        "saved_at": picture.map(|picture| picture.saved_at.clone()),
        "sha256": picture.map(|picture| picture.sha256),
        "axes": entry.axes,
        "meta": entry.meta,
    })
}

/// The text chunks of a story: two that other programs know, and all of it.
pub(super) fn chunks(story: &Value) -> Result<Vec<u8>, ExportError> {
    let prompt = story["prompt"].as_str().unwrap_or_default();
    let all = story.to_string();
    let mut bytes = Vec::new();
    for (keyword, text) in [("Description", prompt), ("Software", TOOL), ("imgbatch", &all)] {
        ITXtChunk::new(keyword, text)
            .encode(&mut bytes)
            .map_err(|error| ExportError::encode("text chunks")(error.into()))?;
    }
    Ok(bytes)
}

/// A PNG with these chunks after its header; any other file as it is.
pub(super) fn embed(picture: Vec<u8>, chunks: &[u8]) -> Vec<u8> {
    if !is_png(&picture) {
        return picture;
    }
    [&picture[..HEAD], chunks, &picture[HEAD..]].concat()
}

fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.get(12..16) == Some(b"IHDR") && bytes.len() > HEAD
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn picture() -> Vec<u8> {
        let mut bytes = Vec::new();
        let pixels = image::RgbImage::from_fn(9, 7, |x, y| image::Rgb([x as u8 * 20, y as u8 * 30, 7]));
        pixels.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
        bytes
    }

    /// The contents of all chunks of one kind.
    fn data(png: &[u8], kind: &[u8]) -> Vec<u8> {
        let (mut at, mut found) = (8, Vec::new());
        while at < png.len() {
            let length = u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
            if &png[at + 4..at + 8] == kind {
                found.extend(&png[at + 8..at + 8 + length]);
            }
            at += 12 + length;
        }
        found
    }

    #[test]
    fn texts_are_added_and_no_byte_of_the_pixels_changes() {
        let story = json!({ "prompt": "ein Fuchs, 狐, \"rot\"", "id": "fox" });
        let before = picture();
        let after = embed(before.clone(), &chunks(&story).unwrap());
        assert_eq!(data(&after, b"IDAT"), data(&before, b"IDAT"));
        let mut reader = png::Decoder::new(Cursor::new(&after)).read_info().unwrap();
        reader.finish().unwrap();
        let texts = &reader.info().utf8_text;
        let text =
            |keyword: &str| texts.iter().find(|text| text.keyword == keyword).unwrap().get_text().unwrap();
        assert_eq!(text("Description"), "ein Fuchs, 狐, \"rot\"");
        assert_eq!(serde_json::from_str::<Value>(&text("imgbatch")).unwrap(), story);
    }

    #[test]
    fn what_is_no_png_is_left_alone() {
        for bytes in [&b"\xff\xd8\xff\xe0JFIF"[..], b"", b"\x89PNG\r\n\x1a\n"] {
            assert_eq!(embed(bytes.to_vec(), b"chunk"), bytes);
        }
    }
}
