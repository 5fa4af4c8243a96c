//! How many pixels a picture has: explicit sizes, ratios and tiers (sections
//! 2 and 9 of the API facts).

use serde::{Deserialize, Serialize};

/// The ratios the API knows, width before height.
pub(super) const RATIOS: [(u32, u32); 15] = [
    (1, 1),
    (1, 2),
    (2, 1),
    (1, 3),
    (3, 1),
    (2, 3),
    (3, 2),
    (3, 4),
    (4, 3),
    (4, 5),
    (5, 4),
    (9, 16),
    (16, 9),
    (9, 21),
    (21, 9),
];

const EDGE: f64 = 3840.0;
const MOST_PIXELS: f64 = 8_294_400.0;
const STEP: f64 = 16.0;

/// The three tiers of `resolution`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    One,
    Two,
    Four,
}

impl Tier {
    /// `1K`, `2K` or `4K` in any case.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "1K" => Some(Self::One),
            "2K" => Some(Self::Two),
            "4K" => Some(Self::Four),
            _ => None,
        }
    }

    fn pixels(self) -> f64 {
        match self {
            Self::One => 1024.0 * 1024.0,
            Self::Two => 2048.0 * 2048.0,
            Self::Four => 3840.0 * 2160.0,
        }
    }
}

/// What `size` and `resolution` ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Size {
    /// The API chooses: 1024x1024, or with references the ratio nearest to
    /// the first reference's at 1K.
    Auto,
    Pixels(u32, u32),
}

impl Size {
    /// Reads both properties; the error is the message for the caller.
    pub(super) fn parse(size: &str, resolution: Option<&str>) -> Result<Self, String> {
        if size == "auto" {
            return Ok(Self::Auto);
        }
        if let Some(ratio) = parse_ratio(size) {
            let tier = Tier::parse(resolution.unwrap_or("1K")).ok_or_else(|| {
                format!("resolution must be 1K, 2K or 4K, not {:?}", resolution.unwrap_or_default())
            })?;
            let (width, height) = of_ratio(ratio, tier);
            return Ok(Self::Pixels(width, height));
        }
        let (width, height) = parse_pixels(size)
            .ok_or_else(|| format!("size must be auto, a supported ratio or WxH, not {size:?}"))?;
        explicit(width, height).map(|()| Self::Pixels(width, height))
    }

    /// The size that is reserved for: `auto` counts as 2048x2048.
    pub(super) fn reserved(self) -> (u32, u32) {
        match self {
            Self::Auto => (2048, 2048),
            Self::Pixels(width, height) => (width, height),
        }
    }

    /// The size that is drawn, given the first reference's.
    pub(super) fn drawn(self, reference: Option<(u32, u32)>) -> (u32, u32) {
        match (self, reference) {
            (Self::Pixels(width, height), _) => (width, height),
            (Self::Auto, None) => (1024, 1024),
            (Self::Auto, Some((width, height))) => {
                of_ratio(nearest_ratio(f64::from(width) / f64::from(height)), Tier::One)
            }
        }
    }
}

fn parse_ratio(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once(':')?;
    let ratio = (width.parse().ok()?, height.parse().ok()?);
    RATIOS.contains(&ratio).then_some(ratio)
}

fn parse_pixels(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once(['x', 'X', '×'])?;
    Some((width.parse().ok()?, height.parse().ok()?))
}

fn explicit(width: u32, height: u32) -> Result<(), String> {
    let (long, short) = (width.max(height), width.min(height));
    let pixels = u64::from(width) * u64::from(height);
    if !width.is_multiple_of(16) || !height.is_multiple_of(16) {
        Err(format!("{width}x{height}: both sides must be multiples of 16"))
    } else if short < 16 || long > 3840 {
        Err(format!("{width}x{height}: each side must be from 16 to 3840"))
    } else if !(655_360..=8_294_400).contains(&pixels) {
        Err(format!("{width}x{height}: the area must be from 655360 to 8294400 pixels"))
    } else if long > 3 * short {
        Err(format!("{width}x{height}: the long side may be at most three times the short one"))
    } else {
        Ok(())
    }
}

/// Section 9: round the exact sides to 16; beyond the budget scale the exact
/// sides and floor.
pub(super) fn of_ratio((w, h): (u32, u32), tier: Tier) -> (u32, u32) {
    let ratio = f64::from(w) / f64::from(h);
    let width = (tier.pixels() * ratio).sqrt();
    let height = width / ratio;
    let round = |side: f64| (side / STEP).round() * STEP;
    let (rw, rh) = (round(width), round(height));
    if rw.max(rh) <= EDGE && rw * rh <= MOST_PIXELS {
        return (rw as u32, rh as u32);
    }
    let scale = (EDGE / width.max(height)).min((MOST_PIXELS / (width * height)).sqrt());
    // The epsilon keeps 3840 from becoming 3824 by a rounding error.
    let floor = |side: f64| ((side * scale + 1e-6) / STEP).floor() * STEP;
    (floor(width) as u32, floor(height) as u32)
}

fn nearest_ratio(shape: f64) -> (u32, u32) {
    let distance = |&(w, h): &(u32, u32)| (f64::from(w) / f64::from(h) / shape).ln().abs();
    RATIOS.into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or((1, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Cells = [(u32, u32); 3];

    const TABLE: [((u32, u32), Cells); 8] = [
        ((1, 1), [(1024, 1024), (2048, 2048), (2880, 2880)]),
        ((2, 1), [(1456, 720), (2896, 1456), (3840, 1920)]),
        ((3, 1), [(1776, 592), (3552, 1184), (3840, 1280)]),
        ((3, 2), [(1248, 832), (2512, 1680), (3520, 2352)]),
        ((4, 3), [(1184, 880), (2368, 1776), (3312, 2480)]),
        ((5, 4), [(1152, 912), (2288, 1824), (3216, 2576)]),
        ((16, 9), [(1360, 768), (2736, 1536), (3840, 2160)]),
        ((21, 9), [(1568, 672), (3136, 1344), (3840, 1632)]),
    ];

    #[test]
    fn every_documented_cell_and_its_mirror() {
        for ((w, h), cells) in TABLE {
            for (tier, (width, height)) in [Tier::One, Tier::Two, Tier::Four].into_iter().zip(cells) {
                assert_eq!(of_ratio((w, h), tier), (width, height), "{w}:{h} {tier:?}");
                assert_eq!(of_ratio((h, w), tier), (height, width), "{h}:{w} {tier:?}");
            }
        }
    }

    #[test]
    fn explicit_sizes_keep_the_rules() {
        assert_eq!(Size::parse("1024×1024", None), Ok(Size::Pixels(1024, 1024)));
        assert_eq!(Size::parse("1536x1024", Some("4K")), Ok(Size::Pixels(1536, 1024)));
        assert_eq!(Size::parse("16:9", Some("2k")), Ok(Size::Pixels(2736, 1536)));
        for bad in ["1000x1000", "512x512", "3856x2160", "3840x3840", "3840x1024", "7:5", "big", ""] {
            assert!(Size::parse(bad, None).is_err(), "{bad}");
        }
        assert!(Size::parse("16:9", Some("8K")).is_err());
    }

    #[test]
    fn auto_follows_the_reference() {
        assert_eq!(Size::Auto.drawn(None), (1024, 1024));
        assert_eq!(Size::Auto.drawn(Some((1900, 1080))), (1360, 768));
        assert_eq!(Size::Auto.reserved(), (2048, 2048));
    }
}
