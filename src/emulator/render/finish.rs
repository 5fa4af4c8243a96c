//! The last touch: darker corners, and grain that hides the steps of gradients.

use super::canvas::Canvas;

/// Darkens the corners a little.
pub(super) fn vignette(canvas: &mut Canvas) {
    use tiny_skia::{GradientStop, Paint, Point, RadialGradient, Rect, SpreadMode, Transform};
    let (w, h) = (canvas.width, canvas.height);
    let tone = canvas.palette.deep;
    let stops = vec![GradientStop::new(0.62, tone.color(0.0)), GradientStop::new(1.0, tone.color(0.17))];
    let zero = Point::from_xy(0.0, 0.0);
    let stretch = Transform::from_row(w * 0.72, 0.0, 0.0, h * 0.72, w * 0.5, h * 0.47);
    let shader = RadialGradient::new(zero, 0.0, zero, 1.0, stops, SpreadMode::Pad, stretch);
    if let (Some(shader), Some(all)) = (shader, Rect::from_xywh(0.0, 0.0, w, h)) {
        let paint = Paint { shader, ..Paint::default() };
        canvas.pixels.fill_rect(all, &paint, Transform::identity(), None);
    }
}

/// Adds the same small noise to the three colours of every opaque pixel.
pub(super) fn grain(canvas: &mut Canvas, seed: u64) {
    let strength: i16 = match canvas.detail {
        0 => return,
        1 => 3,
        _ => 5,
    };
    let mut state = seed | 1;
    for pixel in canvas.pixels.data_mut().chunks_exact_mut(4) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // The sum of two even spreads falls off towards the ends, as film does.
        let noise = (state as u8 & 15) as i16 + ((state >> 8) as u8 & 15) as i16 - 15;
        let noise = noise * strength / 15;
        if pixel[3] == 255 {
            for part in &mut pixel[..3] {
                *part = (i16::from(*part) + noise).clamp(0, 255) as u8;
            }
        }
    }
}
