//! What a picture looks like from afar: a coarse grid of colours, from which
//! follow whether it is blank and what it resembles.

use std::path::Path;

use image::{ImageReader, Limits, RgbImage};
use image_hasher::{HashAlg, HasherConfig};

use crate::download::Row;

/// Cells a side.
const GRID: u32 = 64;
/// Samples a side, about: more tell nothing new of a grid this coarse.
const SAMPLES: u32 = 512;
/// A picture is blank if no cell differs more in any channel, of 255.
const FLAT: u8 = 6;
/// Colours are compared in so many fields a side.
const FIELDS: u32 = 4;

/// A picture from afar.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    cells: RgbImage,
}

/// What two pictures are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    /// Signs of the low frequencies of brightness.
    pub(super) shape: u64,
    /// Mean colour of each field.
    pub(super) colour: [u8; (FIELDS * FIELDS * 3) as usize],
}

/// Gathers a picture row by row, so that it is never in memory as a whole.
#[derive(Debug, Default)]
pub(super) struct Scan {
    width: u32,
    height: u32,
    /// Sums of red, green and blue, and how many.
    sums: Vec<[u32; 4]>,
}

impl Scan {
    pub(super) fn row(&mut self, row: &Row<'_>) {
        if self.sums.is_empty() {
            (self.width, self.height) = (row.width.min(GRID), row.height.min(GRID));
            self.sums = vec![[0; 4]; (self.width * self.height) as usize];
        }
        if !row.y.is_multiple_of((row.height / SAMPLES).max(1)) {
            return;
        }
        let line = cell(row.y, row.height, self.height) * self.width;
        for x in (0..row.width).step_by((row.width / SAMPLES).max(1) as usize) {
            let at = x as usize * row.channels;
            let Some(pixel) = row.pixels.get(at..at + row.channels) else { return };
            let sum = &mut self.sums[(line + cell(x, row.width, self.width)) as usize];
            let colour = on_white(pixel);
            (0..3).for_each(|channel| sum[channel] += u32::from(colour[channel]));
            sum[3] += 1;
        }
    }

    /// What was gathered; nothing where no row was seen.
    pub(super) fn sight(self) -> Option<Sight> {
        let mean = |sum: &[u32; 4]| [0, 1, 2].map(|channel| (sum[channel] / sum[3].max(1)) as u8);
        let cells = self.sums.iter().flat_map(mean).collect();
        RgbImage::from_raw(self.width, self.height, cells)
            .filter(|_| self.width > 0)
            .map(|cells| Sight { cells })
    }
}

fn cell(at: u32, of: u32, cells: u32) -> u32 {
    (u64::from(at) * u64::from(cells) / u64::from(of)) as u32
}

/// The colour of a pixel that is seen on white paper.
fn on_white(pixel: &[u8]) -> [u8; 3] {
    let (colour, alpha) = match *pixel {
        [grey] => ([grey; 3], 255),
        [grey, alpha] => ([grey; 3], alpha),
        [red, green, blue] => ([red, green, blue], 255),
        [red, green, blue, alpha] => ([red, green, blue], alpha),
        _ => ([255; 3], 255),
    };
    let alpha = u32::from(alpha);
    colour.map(|value| ((u32::from(value) * alpha + 255 * (255 - alpha)) / 255) as u8)
}

impl Sight {
    /// Of a whole picture on disk that was verified before; none if it does
    /// not decode after all.
    pub(super) fn of_file(path: &Path) -> Option<Self> {
        let mut reader = ImageReader::open(path).ok()?.with_guessed_format().ok()?;
        reader.limits(Limits::default());
        Self::of(&reader.decode().ok()?)
    }

    /// Of a picture in memory.
    pub(super) fn of(picture: &image::DynamicImage) -> Option<Self> {
        let pixels = picture.to_rgba8();
        let (width, height) = pixels.dimensions();
        let mut scan = Scan::default();
        for (y, pixels) in pixels.chunks_exact(width as usize * 4).enumerate() {
            scan.row(&Row { y: y as u32, width, height, channels: 4, pixels });
        }
        scan.sight()
    }

    /// The one colour of a blank picture.
    pub(super) fn blank(&self) -> Option<String> {
        let (mut low, mut high) = ([255; 3], [0; 3]);
        for pixel in self.cells.pixels() {
            for channel in 0..3 {
                low[channel] = pixel[channel].min(low[channel]);
                high[channel] = pixel[channel].max(high[channel]);
            }
        }
        let flat = (0..3).all(|channel| high[channel] - low[channel] <= FLAT);
        let [red, green, blue] = [0, 1, 2].map(|channel| u8::midpoint(low[channel], high[channel]));
        flat.then(|| format!("#{red:02x}{green:02x}{blue:02x}"))
    }

    /// What it is compared by.
    pub(super) fn signature(&self) -> Signature {
        let hasher = HasherConfig::with_bytes_type::<[u8; 8]>()
            .hash_size(8, 8)
            .hash_alg(HashAlg::Median)
            .preproc_dct()
            .to_hasher();
        let shape = u64::from_le_bytes(hasher.hash_image(&self.cells).into_inner());
        let fields = image::imageops::thumbnail(&self.cells, FIELDS, FIELDS);
        let mut colour = [0; (FIELDS * FIELDS * 3) as usize];
        colour.copy_from_slice(fields.as_raw());
        Signature { shape, colour }
    }
}
