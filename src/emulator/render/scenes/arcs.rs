//! A grid of quarter rings, discs and leaves, as on a printed poster.

use tiny_skia::PathBuilder;

use super::super::canvas::Canvas;
use super::super::tone::Tone;

/// Cells along the short side.
const CELLS: f32 = 3.0;

pub(super) fn draw(canvas: &mut Canvas) {
    let palette = canvas.palette.clone();
    canvas.backdrop(&[(0.0, palette.ground), (1.0, palette.ground)]);
    let columns = (canvas.width / canvas.width.min(canvas.height) * CELLS).round().max(1.0);
    let rows = (canvas.height / canvas.width.min(canvas.height) * CELLS).round().max(1.0);
    let (wide, tall) = (canvas.width / columns, canvas.height / rows);
    let mut last = usize::MAX;
    for row in 0..rows as u16 {
        for column in 0..columns as u16 {
            let corner = (f32::from(column) * wide, f32::from(row) * tall);
            let mut ground = canvas.rng.usize(0..6);
            if ground == last {
                ground += 1;
            }
            last = ground;
            cell(canvas, corner, (wide, tall), ground % 6);
        }
    }
}

fn cell(canvas: &mut Canvas, (x, y): (f32, f32), (wide, tall): (f32, f32), ground: usize) {
    let palette = canvas.palette.clone();
    let tone = |index: usize| if index % 6 == 5 { palette.ground } else { palette.accent(index % 6) };
    if !canvas.transparent
        && let Some(rect) = tiny_skia::Rect::from_xywh(x, y, wide + 0.5, tall + 0.5)
    {
        canvas.fill_tone(&PathBuilder::from_rect(rect), tone(ground), 1.0);
    }
    let tones = [tone(ground + 1), tone(ground + 3), tone(ground + 4), palette.deep];
    let (kind, turn) = (canvas.rng.u8(0..6), canvas.rng.u8(0..4));
    let corner = (x + if turn & 1 == 0 { 0.0 } else { wide }, y + if turn & 2 == 0 { 0.0 } else { tall });
    let area = Area { x, y, wide, tall };
    match kind {
        0..=2 => rings(canvas, &area, corner, tones),
        3 => discs(canvas, &area, tones),
        4 => leaf(canvas, &area, turn & 1 == 0, tones[1]),
        _ => {
            half(canvas, &area, turn & 1 == 0, tones[0]);
        }
    }
}

struct Area {
    x: f32,
    y: f32,
    wide: f32,
    tall: f32,
}

/// Quarter discs around a corner, the larger first.
fn rings(canvas: &mut Canvas, area: &Area, (cx, cy): (f32, f32), tones: [Tone; 4]) {
    let (sx, sy) = (if cx > area.x { -1.0 } else { 1.0 }, if cy > area.y { -1.0 } else { 1.0 });
    for (part, tone) in [1.0, 0.75, 0.5, 0.25].into_iter().zip(tones) {
        let (rx, ry) = (area.wide * part * sx, area.tall * part * sy);
        let k = 0.552;
        let mut path = PathBuilder::new();
        path.move_to(cx, cy);
        path.line_to(cx + rx, cy);
        path.cubic_to(cx + rx, cy + ry * k, cx + rx * k, cy + ry, cx, cy + ry);
        path.close();
        if let Some(path) = path.finish() {
            canvas.fill_tone(&path, tone, 1.0);
        }
    }
}

fn discs(canvas: &mut Canvas, area: &Area, tones: [Tone; 4]) {
    let (cx, cy) = (area.x + area.wide / 2.0, area.y + area.tall / 2.0);
    let radius = area.wide.min(area.tall) * 0.42;
    for (part, tone) in [1.0, 0.58, 0.24].into_iter().zip(tones) {
        if let Some(disc) = PathBuilder::from_circle(cx, cy, radius * part) {
            canvas.fill_tone(&disc, tone, 1.0);
        }
    }
}

/// Two arcs from corner to corner.
fn leaf(canvas: &mut Canvas, area: &Area, falling: bool, tone: Tone) {
    let (left, right) = (area.x, area.x + area.wide);
    let (from, to) = if falling { (area.y, area.y + area.tall) } else { (area.y + area.tall, area.y) };
    let k = 0.552;
    let (dx, dy) = (area.wide * k, (to - from) * k);
    let mut path = PathBuilder::new();
    path.move_to(left, from);
    path.cubic_to(left + dx, from, right, to - dy, right, to);
    path.cubic_to(right - dx, to, left, from + dy, left, from);
    path.close();
    if let Some(path) = path.finish() {
        canvas.fill_tone(&path, tone, 1.0);
    }
}

/// Two half discs side by side, looking the same way.
fn half(canvas: &mut Canvas, area: &Area, up: bool, tone: Tone) {
    let k = 0.552;
    for side in 0..2u8 {
        let base = area.y + area.tall * (0.5 + 0.5 * f32::from(side));
        let (rx, ry) = (area.wide / 2.0, area.tall * 0.5);
        let (base, ry) = if up { (base, -ry) } else { (base - area.tall * 0.5, ry) };
        let cx = area.x + rx;
        let mut path = PathBuilder::new();
        path.move_to(cx - rx, base);
        path.cubic_to(cx - rx, base + ry * k, cx - rx * k, base + ry, cx, base + ry);
        path.cubic_to(cx + rx * k, base + ry, cx + rx, base + ry * k, cx + rx, base);
        path.close();
        if let Some(path) = path.finish() {
            canvas.fill_tone(&path, if side == 0 { tone } else { tone.lighter(-0.07) }, 1.0);
        }
    }
}
