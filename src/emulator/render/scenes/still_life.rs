//! Round and square things on a table, lit from the left.

use tiny_skia::{Path, PathBuilder, Rect};

use super::super::canvas::{Canvas, linear};
use super::super::tone::Tone;

/// What can stand on the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Thing {
    Vase,
    Ball,
    Mug,
    Arch,
    Bottle,
}

impl Thing {
    const ALL: [Self; 5] = [Self::Vase, Self::Ball, Self::Mug, Self::Arch, Self::Bottle];
}

/// Drawn from back to front; the front one is the hero, in the first colour
/// and of the kind that the prompt names.
pub(super) fn draw(canvas: &mut Canvas) {
    room(canvas);
    let things = canvas.rng.usize(3..5);
    let span = (canvas.width * 0.72).min(canvas.unit * 1.15);
    let left = (canvas.width - span) / 2.0 + canvas.between(0.0, 0.06) * canvas.unit;
    let scale = canvas.unit.min(canvas.height * 1.35).min(canvas.width * 1.35);
    let mut order: Vec<usize> = (0..things).collect();
    canvas.rng.shuffle(&mut order);
    for (depth, place) in order.into_iter().enumerate() {
        let x = left + span * (place as f32 + 0.5) / things as f32;
        let forward = depth as f32 / things as f32;
        let foot = canvas.height * (0.645 + 0.085 * forward);
        let hero = depth + 1 == things;
        let tone = canvas.palette.accent(if hero { 0 } else { 2 + depth });
        let any = Thing::ALL[canvas.rng.usize(..Thing::ALL.len())];
        let kind = if hero { canvas.thing.unwrap_or(any) } else { any };
        stand(canvas, kind, (x, foot), scale, tone);
    }
}

/// Wall, table, and a slanted patch of window light.
fn room(canvas: &mut Canvas) {
    let palette = canvas.palette.clone();
    let wall = palette.ground.mix(palette.glow, 0.55);
    canvas.backdrop(&[(0.0, wall.lighter(-0.05)), (0.6, wall.lighter(0.02)), (1.0, wall)]);
    if canvas.transparent {
        return;
    }
    let (width, height, unit) = (canvas.width, canvas.height, canvas.unit);
    canvas.glow((width * 0.3, height * 0.25), (unit * 0.8, unit * 0.62), wall.at(0.985).muted(0.6), 0.5);
    let slope = unit * 0.1;
    for pane in 0..2u8 {
        let x = width * 0.12 + f32::from(pane) * unit * 0.19;
        let mut path = PathBuilder::new();
        path.move_to(x + slope, height * 0.08);
        path.line_to(x + slope + unit * 0.16, height * 0.08);
        path.line_to(x + unit * 0.16, height * 0.5);
        path.line_to(x, height * 0.5);
        path.close();
        if let Some(path) = path.finish() {
            canvas.fill_tone(&path, wall.at(0.985).muted(0.7), if palette.is_dark() { 0.05 } else { 0.3 });
        }
    }
    let table = canvas.palette.table;
    let top = height * 0.6;
    canvas.band(top, height, &[(0.0, table.lighter(0.045)), (1.0, table.lighter(-0.07))]);
    canvas.band(top, top + unit * 0.012, &[(0.0, table.lighter(0.08)), (1.0, table.lighter(0.045))]);
}

fn stand(canvas: &mut Canvas, kind: Thing, (x, foot): (f32, f32), scale: f32, tone: Tone) {
    let wide = canvas.between(0.07, 0.1) * scale;
    let tall = wide
        * match kind {
            Thing::Ball => 2.0,
            Thing::Mug => canvas.between(1.9, 2.3),
            Thing::Vase | Thing::Arch => canvas.between(2.4, 3.4),
            Thing::Bottle => canvas.between(3.0, 3.9),
        };
    cast(canvas, (x, foot), wide, tall);
    let path = match kind {
        Thing::Vase => vase((x, foot), wide, tall),
        Thing::Ball => PathBuilder::from_circle(x, foot - wide * 0.97, wide),
        Thing::Mug => cup((x, foot), wide * 0.85, tall),
        Thing::Arch => arch((x, foot), wide, tall * 0.85),
        Thing::Bottle => bottle((x, foot), wide * 0.8, tall),
    };
    let Some(path) = path else { return };
    if kind == Thing::Mug {
        mug_handle(canvas, (x + wide * 0.85, foot - tall * 0.5), wide, tone);
    }
    canvas.fill(&path, side_light(x, foot, wide, tall, tone));
    if kind == Thing::Mug {
        mug_mouth(canvas, (x, foot - tall), wide * 0.85, tone);
    }
    if kind != Thing::Arch {
        let at = (x - wide * 0.38, foot - tall * if kind == Thing::Ball { 0.7 } else { 0.42 });
        canvas.glow(at, (wide * 0.26, wide * 0.5), tone.at(0.985).muted(0.3), 0.35);
    }
}

/// Bright on the left, darkest just before the right rim.
fn side_light(x: f32, foot: f32, wide: f32, tall: f32, tone: Tone) -> tiny_skia::Shader<'static> {
    linear(
        (x - wide, foot - tall * 0.6),
        (x + wide * 1.05, foot - tall * 0.5),
        &[
            (0.0, tone.lighter(0.02)),
            (0.25, tone.lighter(0.08)),
            (0.55, tone),
            (0.9, tone.lighter(-0.13)),
            (1.0, tone.lighter(-0.09)),
        ],
    )
}

/// A straight cup with a round foot.
fn cup((x, foot): (f32, f32), w: f32, h: f32) -> Option<Path> {
    let r = w * 0.32;
    let mut path = PathBuilder::new();
    path.move_to(x - w, foot - h);
    path.line_to(x + w, foot - h);
    path.line_to(x + w, foot - r);
    path.quad_to(x + w, foot, x + w - r, foot);
    path.line_to(x - w + r, foot);
    path.quad_to(x - w, foot, x - w, foot - r);
    path.close();
    path.finish()
}

/// The rim of a mug, and the shade inside it.
fn mug_mouth(canvas: &mut Canvas, (x, y): (f32, f32), w: f32, tone: Tone) {
    let oval = |part: f32, drop: f32| {
        let (rx, ry) = (w * part, w * 0.17 * part);
        let rect = Rect::from_ltrb(x - rx, y - ry + drop, x + rx, y + ry + drop);
        rect.and_then(PathBuilder::from_oval)
    };
    if let (Some(rim), Some(inside)) = (oval(1.0, 0.0), oval(0.9, w * 0.012)) {
        canvas.fill_tone(&rim, tone.lighter(0.08), 1.0);
        canvas.fill_tone(&inside, tone.lighter(-0.2), 1.0);
    }
}

/// A contact shadow, and a long soft one to the right.
fn cast(canvas: &mut Canvas, (x, foot): (f32, f32), wide: f32, tall: f32) {
    let deep = canvas.palette.deep;
    canvas.glow((x + tall * 0.36, foot - wide * 0.02), (wide + tall * 0.5, wide * 0.3), deep, 0.34);
    canvas.glow((x + wide * 0.12, foot), (wide * 1.35, wide * 0.2), deep, 0.6);
}

fn mug_handle(canvas: &mut Canvas, (x, y): (f32, f32), wide: f32, tone: Tone) {
    let mut path = PathBuilder::new();
    path.move_to(x - wide * 0.05, y - wide * 0.45);
    path.cubic_to(
        x + wide * 0.62,
        y - wide * 0.6,
        x + wide * 0.62,
        y + wide * 0.6,
        x - wide * 0.05,
        y + wide * 0.42,
    );
    if let Some(path) = path.finish() {
        canvas.stroke(&path, wide * 0.17, tone.lighter(-0.09), 1.0);
    }
}

/// Mirrors a half profile: points are (half width, height above the foot).
fn lathe((x, foot): (f32, f32), curves: &[[(f32, f32); 3]], start: f32) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(x - start, foot);
    path.line_to(x + start, foot);
    let mut last = (start, 0.0);
    for [(aw, ah), (bw, bh), (w, h)] in curves {
        path.cubic_to(x + aw, foot - ah, x + bw, foot - bh, x + w, foot - h);
        last = (*w, *h);
    }
    path.line_to(x - last.0, foot - last.1);
    for (index, [a, b, _]) in curves.iter().enumerate().rev() {
        let (w, h) = if index == 0 { (start, 0.0) } else { curves[index - 1][2] };
        path.cubic_to(x - b.0, foot - b.1, x - a.0, foot - a.1, x - w, foot - h);
    }
    path.close();
    path.finish()
}

fn vase(at: (f32, f32), w: f32, h: f32) -> Option<Path> {
    let belly = [(w * 1.15, h * 0.12), (w * 1.2, h * 0.5), (w * 0.55, h * 0.68)];
    let neck = [(w * 0.3, h * 0.76), (w * 0.3, h * 0.86), (w * 0.5, h)];
    lathe(at, &[belly, neck], w * 0.6)
}

fn bottle(at: (f32, f32), w: f32, h: f32) -> Option<Path> {
    let body = [(w, h * 0.02), (w, h * 0.3), (w, h * 0.48)];
    let shoulder = [(w, h * 0.64), (w * 0.3, h * 0.62), (w * 0.3, h * 0.76)];
    let neck = [(w * 0.3, h * 0.85), (w * 0.3, h * 0.95), (w * 0.34, h)];
    lathe(at, &[body, shoulder, neck], w * 0.94)
}

/// A standing arch with its opening cut out.
fn arch((x, foot): (f32, f32), w: f32, h: f32) -> Option<Path> {
    let mut path = PathBuilder::new();
    let side = |path: &mut PathBuilder, w: f32, h: f32| {
        let k = w * 0.552;
        path.line_to(x - w, foot - h + w);
        path.cubic_to(x - w, foot - h + w - k, x - k, foot - h, x, foot - h);
        path.cubic_to(x + k, foot - h, x + w, foot - h + w - k, x + w, foot - h + w);
        path.line_to(x + w, foot);
    };
    path.move_to(x - w, foot);
    side(&mut path, w, h);
    let (iw, ih) = (w * 0.46, h * 0.72);
    path.line_to(x + iw, foot);
    path.line_to(x + iw, foot - ih + iw);
    let k = iw * 0.552;
    path.cubic_to(x + iw, foot - ih + iw - k, x + k, foot - ih, x, foot - ih);
    path.cubic_to(x - k, foot - ih, x - iw, foot - ih + iw - k, x - iw, foot - ih + iw);
    path.line_to(x - iw, foot);
    path.close();
    path.finish()
}
