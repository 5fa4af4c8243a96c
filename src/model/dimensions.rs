//! From a ratio and a tier to pixels (section 9 of the API facts).

use super::size::{MAX_PIXELS, MAX_SIDE, Size};

/// Width and height of the picture that `size` and `resolution` ask for, in
/// canonical spelling. `None` for `auto` and for what is not valid.
///
/// A received picture may differ in one documented cell (21:9 at 4K), so a
/// difference is worth a warning, never a failure.
#[must_use]
pub fn dimensions(size: &str, resolution: Option<&str>) -> Option<(u32, u32)> {
    match Size::parse(size).ok()? {
        Size::Auto => None,
        Size::Pixels(w, h) => Some((w, h)),
        Size::Ratio(w, h) => Some(of_ratio(w, h, target(resolution.unwrap_or("1K"))?)),
    }
}

fn target(tier: &str) -> Option<f64> {
    match tier {
        "1K" => Some(1024.0 * 1024.0),
        "2K" => Some(2048.0 * 2048.0),
        "4K" => Some(3840.0 * 2160.0),
        _ => None,
    }
}

fn of_ratio(w: u32, h: u32, target: f64) -> (u32, u32) {
    let ratio = f64::from(w) / f64::from(h);
    let (w, h) = ((target * ratio).sqrt(), (target / ratio).sqrt());
    let (near_w, near_h) = (multiple(w, f64::round), multiple(h, f64::round));
    if near_w.max(near_h) <= MAX_SIDE && u64::from(near_w) * u64::from(near_h) <= MAX_PIXELS {
        return (near_w, near_h);
    }
    let scale = (f64::from(MAX_SIDE) / w.max(h)).min((MAX_PIXELS as f64 / (w * h)).sqrt());
    (multiple(w * scale, f64::floor), multiple(h * scale, f64::floor))
}

/// To a multiple of 16. The nudge keeps a side that is exact in theory, such
/// as 3840, from being floored away by a rounding error.
fn multiple(side: f64, round: fn(f64) -> f64) -> u32 {
    round(side / 16.0 + 1e-9) as u32 * 16
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [(&str, [(u32, u32); 3]); 8] = [
        ("1:1", [(1024, 1024), (2048, 2048), (2880, 2880)]),
        ("2:1", [(1456, 720), (2896, 1456), (3840, 1920)]),
        ("3:1", [(1776, 592), (3552, 1184), (3840, 1280)]),
        ("3:2", [(1248, 832), (2512, 1680), (3520, 2352)]),
        ("4:3", [(1184, 880), (2368, 1776), (3312, 2480)]),
        ("5:4", [(1152, 912), (2288, 1824), (3216, 2576)]),
        ("16:9", [(1360, 768), (2736, 1536), (3840, 2160)]),
        ("21:9", [(1568, 672), (3136, 1344), (3840, 1632)]),
    ];

    #[test]
    fn all_documented_cells_and_their_mirrors() {
        for (ratio, cells) in TABLE {
            let (w, h) = ratio.split_once(':').unwrap();
            for (tier, (width, height)) in ["1K", "2K", "4K"].into_iter().zip(cells) {
                assert_eq!(dimensions(ratio, Some(tier)), Some((width, height)), "{ratio} {tier}");
                let mirror = format!("{h}:{w}");
                assert_eq!(dimensions(&mirror, Some(tier)), Some((height, width)), "{mirror} {tier}");
            }
        }
    }

    #[test]
    fn pixels_stand_for_themselves_and_auto_for_nothing() {
        assert_eq!(dimensions("1536x1024", None), Some((1536, 1024)));
        assert_eq!(dimensions("auto", None), None);
        assert_eq!(dimensions("16:9", None), Some((1360, 768)));
        assert_eq!(dimensions("16:9", Some("8K")), None);
    }
}
