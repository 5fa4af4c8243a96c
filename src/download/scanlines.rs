//! Whether a PNG is whole, without making its pixels.
//!
//! The decoder checks the chunks' checksums and decompresses. What comes out are
//! the rows, each behind a byte that names its filter. Rows of the right number
//! and length with known filters always make pixels: the filters only add, and
//! can't fail. To leave them out takes a tenth to a third of the time. As every
//! viewer does, it passes over what is compressed behind the last row.

use std::io::{BufRead, ErrorKind};

use png::{ColorType, Decoded, Info, StreamingDecoder, UnfilterRegion, chunk};

use super::decode::{PNG_CHUNKS, broken, check_pixels, strictly};
use super::verify::{Damage, Format};

/// What the decompressor wants to see again, and what it writes at once, twice.
const BUFFER: usize = 2 * (32 + 8) * 1024;

/// Filters of a row, from none to Paeth.
const FILTERS: u8 = 5;

/// Where the pixels of the seven passes of an interlaced picture begin, and how
/// far apart they are: `x`, `y`, `dx`, `dy`.
const PASSES: [(u32, u32, u32, u32); 7] =
    [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

/// Width and height, if the picture that `source` holds is whole.
pub(super) fn check(mut source: impl BufRead, max_pixels: u64) -> Result<(u32, u32), Damage> {
    let bad = |error: png::DecodingError| broken(Format::Png, &error);
    let mut decoder = StreamingDecoder::new_with_options(strictly());
    let mut rows: Option<Rows> = None;
    let (mut buffer, mut region) = (vec![0; BUFFER], UnfilterRegion::default());
    loop {
        let bytes = match source.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            bytes => bytes.map_err(Damage::Unreadable)?,
        };
        if bytes.is_empty() {
            return Err(broken(Format::Png, "it ends early"));
        }
        make_room(&mut buffer, &mut region);
        let known = region.filled;
        // Later frames of an animation are passed over as well.
        let wanted = rows.as_ref().is_none_or(|rows| !rows.over);
        let mut pixels = region.as_buf(&mut buffer);
        let (used, what) = decoder.update(bytes, wanted.then_some(&mut pixels)).map_err(bad)?;
        source.consume(used);
        if rows.is_none()
            && let Some(info) = decoder.info()
        {
            check_pixels(info.width, info.height, max_pixels)?;
            rows = Some(Rows::of(info));
        }
        let Some(rows) = &mut rows else { continue };
        rows.take(&buffer[known..region.filled])?;
        match what {
            Decoded::ChunkBegin(_, chunk::IDAT) if decoder.info().is_some_and(lacks_palette) => {
                return Err(broken(Format::Png, "it has no palette"));
            }
            // The one kind that is kept in memory whatever its length.
            Decoded::ChunkBegin(length, chunk::eXIf) if length as usize > PNG_CHUNKS => {
                return Err(broken(Format::Png, "it says too much beside its pixels"));
            }
            Decoded::ImageDataFlushed => rows.over = true,
            Decoded::ChunkComplete(chunk::IEND) => break,
            _ => {}
        }
    }
    match (decoder.info(), rows) {
        (Some(info), Some(rows)) if rows.are_all_here() => Ok((info.width, info.height)),
        _ => Err(broken(Format::Png, "rows are missing")),
    }
}

fn lacks_palette(info: &Info<'_>) -> bool {
    info.color_type == ColorType::Indexed && info.palette.is_none()
}

/// Moves what the decompressor may refer to to the front, once the rest is short.
fn make_room(buffer: &mut [u8], region: &mut UnfilterRegion) {
    if region.filled > BUFFER / 2 {
        buffer.copy_within(region.available..region.filled, 0);
        *region = UnfilterRegion { available: 0, filled: region.filled - region.available };
    }
}

/// The rows that are still to come, in the order of the file.
struct Rows {
    /// Length and number of the rows of each pass, the next one last.
    passes: Vec<(usize, u32)>,
    /// Bytes before the next row begins.
    rest: usize,
    /// Nothing more belongs to the picture.
    over: bool,
}

impl Rows {
    fn of(info: &Info<'_>) -> Self {
        let one = [(0, 0, 1, 1)];
        let passes = if info.interlaced { PASSES.as_slice() } else { &one };
        let size = |&(x, y, dx, dy): &(u32, u32, u32, u32)| {
            let width = info.width.saturating_sub(x).div_ceil(dx);
            (width > 0)
                .then(|| (info.raw_row_length_from_width(width), info.height.saturating_sub(y).div_ceil(dy)))
        };
        Self { passes: passes.iter().rev().filter_map(size).collect(), rest: 0, over: false }
    }

    /// Takes what was decompressed.
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), Damage> {
        while bytes.len() > self.rest {
            bytes = &bytes[self.rest..];
            self.rest = 0;
            let Some(length) = self.next() else { return Ok(()) };
            if bytes[0] >= FILTERS {
                return Err(broken(Format::Png, "a row has an unknown filter"));
            }
            self.rest = length;
        }
        self.rest -= bytes.len();
        self.over |= self.are_all_here();
        Ok(())
    }

    /// The length of the next row, with its filter.
    fn next(&mut self) -> Option<usize> {
        while let Some((length, rows)) = self.passes.last_mut() {
            if *rows > 0 {
                *rows -= 1;
                return Some(*length);
            }
            self.passes.pop();
        }
        None
    }

    fn are_all_here(&self) -> bool {
        self.rest == 0 && self.passes.iter().all(|(_, rows)| *rows == 0)
    }
}
