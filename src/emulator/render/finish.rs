//! The last touch: darker corners, and grain that hides the steps of
//! gradients. Transparent pixels stay as they are.

use super::canvas::Canvas;

/// How much of its light the outermost corner loses, in 256ths.
const LOSS: f32 = 34.0;

/// Distance from the centre at which the loss begins; the corner is at about 2.
const BEGINS: f32 = 0.72;

/// Darkens towards the corners and adds the same small noise to the three
/// colours of each opaque pixel.
pub(super) fn finish(canvas: &mut Canvas, seed: u64) {
    let strength: i32 = [0, 3, 5][canvas.detail.min(2)];
    let (width, height) = (canvas.width, canvas.height);
    let mut state = seed | 1;
    let rows = canvas.pixels.data_mut().chunks_exact_mut(width as usize * 4);
    for (row, line) in rows.enumerate() {
        let dy = (row as f32 / height - 0.47) * 2.0;
        for (column, pixel) in line.chunks_exact_mut(4).enumerate() {
            if pixel[3] != 255 {
                continue;
            }
            let dx = (column as f32 / width - 0.5) * 2.0;
            let keep = 256 - ((dx * dx + dy * dy - BEGINS).max(0.0) * LOSS) as i32;
            let noise = grain(&mut state) * strength / 15;
            for part in &mut pixel[..3] {
                *part = (((i32::from(*part) * keep) >> 8) + noise).clamp(0, 255) as u8;
            }
        }
    }
}

/// From -15 to 15, rarely at the ends, as the grain of film.
fn grain(state: &mut u64) -> i32 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state & 15) as i32 + ((*state >> 8) & 15) as i32 - 15
}
