//! Sizes as users write them: `auto`, one of 15 ratios, or pixels.

use std::fmt;

/// The ratios that the model knows (section 2 of the API facts).
pub const RATIOS: [(u32, u32); 15] = [
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

/// Both sides of explicit pixels are multiples of this.
const STEP: u32 = 16;
/// The longest side.
pub(super) const MAX_SIDE: u32 = 3840;
const MIN_PIXELS: u64 = 655_360;
/// The most pixels of one picture.
pub(super) const MAX_PIXELS: u64 = 8_294_400;
const MAX_RATIO: u32 = 3;

/// A valid size; prints in canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// The model chooses.
    Auto,
    /// Width to height; one of [`RATIOS`].
    Ratio(u32, u32),
    /// Exact pixels.
    Pixels(u32, u32),
}

/// Why a size is refused, and the nearest one that is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SizeError {
    pub(super) message: String,
    pub(super) help: String,
}

impl Size {
    /// Reads a size in any case, with `x` or `×` between pixels.
    pub(super) fn parse(text: &str) -> Result<Self, SizeError> {
        let trimmed = text.trim();
        if trimmed.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        if let Some((w, h)) = pair(trimmed, &[':']) {
            return ratio(text, w, h);
        }
        match pair(trimmed, &['x', 'X', '×']) {
            Some((w, h)) => pixels(text, w, h),
            None => Err(SizeError {
                message: format!("size `{text}` is neither `auto` nor a ratio nor pixels"),
                help: format!("write `auto`, pixels such as `1024x768`, or a ratio: {}", list()),
            }),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Ratio(w, h) => write!(f, "{w}:{h}"),
            Self::Pixels(w, h) => write!(f, "{w}x{h}"),
        }
    }
}

/// Two whole numbers; those beyond all bounds count as the largest one.
fn pair(text: &str, separators: &[char]) -> Option<(u32, u32)> {
    let (w, h) = text.split_once(separators)?;
    let number = |digits: &str| {
        let digits = digits.trim();
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| digits.parse().unwrap_or(u32::MAX))
    };
    Some((number(w)?, number(h)?))
}

fn ratio(text: &str, w: u32, h: u32) -> Result<Size, SizeError> {
    if RATIOS.contains(&(w, h)) {
        return Ok(Size::Ratio(w, h));
    }
    let distance = |&(rw, rh): &(u32, u32)| {
        let wanted = (f64::from(w.max(1)) / f64::from(h.max(1))).ln();
        (wanted - (f64::from(rw) / f64::from(rh)).ln()).abs()
    };
    let near = RATIOS.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    let (rw, rh) = near.copied().unwrap_or((1, 1));
    Err(SizeError {
        message: format!("size `{text}` is not one of the 15 ratios"),
        help: format!("the nearest is `{rw}:{rh}`; there are {}", list()),
    })
}

fn pixels(text: &str, w: u32, h: u32) -> Result<Size, SizeError> {
    let Some(rule) = broken_rule(w, h) else { return Ok(Size::Pixels(w, h)) };
    let (w, h) = nearest(w, h);
    Err(SizeError {
        message: format!("size `{}` is not possible: {rule}", text.trim()),
        help: format!("the nearest valid size is `{w}x{h}`"),
    })
}

/// The first rule for explicit pixels that `w` x `h` breaks.
fn broken_rule(w: u32, h: u32) -> Option<String> {
    let area = u64::from(w) * u64::from(h);
    if !w.is_multiple_of(STEP) || !h.is_multiple_of(STEP) {
        Some("both sides must be multiples of 16".into())
    } else if w.min(h) < STEP || w.max(h) > MAX_SIDE {
        Some("each side must be 16 to 3840 pixels".into())
    } else if w.max(h) > MAX_RATIO * w.min(h) {
        Some("the long side may be at most 3 times the short one".into())
    } else if area < MIN_PIXELS {
        Some(format!("it has {area} pixels; at least 655360 are needed"))
    } else if area > MAX_PIXELS {
        Some(format!("it has {area} pixels; at most 8294400 are allowed"))
    } else {
        None
    }
}

/// The valid size whose sides differ least from `w` x `h`, in a straight line.
fn nearest(w: u32, h: u32) -> (u32, u32) {
    let cost = |a: u32, b: u32| (f64::from(a) - f64::from(w)).powi(2) + (f64::from(b) - f64::from(h)).powi(2);
    (STEP..=MAX_SIDE)
        .step_by(STEP as usize)
        .filter_map(|a| Some((a, nearest_beside(a, h)?)))
        // Of equally near ones the larger, so that nothing is cut.
        .min_by(|&(a, b), &(c, d)| cost(a, b).total_cmp(&cost(c, d)).then((c * d).cmp(&(a * b))))
        .unwrap_or((1024, 1024))
}

/// The side next to `h` that is valid beside `a`, a multiple of 16: the four
/// rules leave one unbroken range.
fn nearest_beside(a: u32, h: u32) -> Option<u32> {
    let least = a.div_ceil(MAX_RATIO).max((MIN_PIXELS as u32).div_ceil(a)).max(STEP).next_multiple_of(STEP);
    let most = (a * MAX_RATIO).min(MAX_PIXELS as u32 / a).min(MAX_SIDE) / STEP * STEP;
    let near = h.saturating_add(STEP / 2) / STEP * STEP;
    (least <= most).then(|| near.clamp(least, most))
}

fn list() -> String {
    RATIOS.map(|(w, h)| format!("{w}:{h}")).join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_users_write_becomes_canonical() {
        for (text, size) in [
            ("auto", "auto"),
            ("AUTO", "auto"),
            (" 16:9 ", "16:9"),
            ("1024x768", "1024x768"),
            ("1024×768", "1024x768"),
            ("1024X768", "1024x768"),
            ("1024 x 768", "1024x768"),
        ] {
            assert_eq!(Size::parse(text).unwrap().to_string(), size);
        }
    }

    #[test]
    fn broken_rules_name_the_rule_and_the_nearest_valid_size() {
        for (text, rule, help) in [
            ("1000x1000", "multiples of 16", "`1008x1008`"),
            ("512x512", "at least 655360", "`816x816`"),
            ("4096x2048", "16 to 3840", "`3840x2048`"),
            ("3840x3840", "at most 8294400", "`2880x2880`"),
            ("1600x400", "at most 3 times", "`1584x528`"),
            ("16:10", "15 ratios", "`3:2`"),
            ("0x0", "16 to 3840", "`816x816`"),
            ("huge", "neither", "`auto`"),
            ("+16:9", "neither", "`auto`"),
        ] {
            let error = Size::parse(text).unwrap_err();
            assert!(error.message.contains(rule), "{text}: {}", error.message);
            assert!(error.help.contains(help), "{text}: {}", error.help);
        }
    }

    #[test]
    fn numbers_beyond_all_bounds_are_pixels_all_the_same() {
        let error = Size::parse("99999999999x16").unwrap_err();
        assert!(error.message.contains("`99999999999x16`"), "{}", error.message);
        assert_eq!(error.help, "the nearest valid size is `3840x1280`");
    }

    fn side() -> impl Strategy<Value = u32> {
        prop_oneof![1_u32..6_000, (0_u32..400).prop_map(|step| step * 16), Just(u32::MAX)]
    }

    proptest! {
        #[test]
        fn a_suggestion_is_valid_and_a_valid_size_is_its_own(w in side(), h in side()) {
            let (a, b) = nearest(w, h);
            prop_assert_eq!(broken_rule(a, b), None);
            prop_assert_eq!(nearest(a, b), (a, b));
            prop_assert_eq!(Size::parse(&format!("{a}x{b}")), Ok(Size::Pixels(a, b)));
            if broken_rule(w, h).is_none() {
                prop_assert_eq!((a, b), (w, h));
            }
        }

        /// Against every valid size there is.
        #[test]
        fn no_valid_size_is_nearer(w in 1_u32..6_000, h in 1_u32..6_000) {
            let far = |a: u32, b: u32| u64::from(a.abs_diff(w)).pow(2) + u64::from(b.abs_diff(h)).pow(2);
            let sides = || (16..=MAX_SIDE).step_by(16);
            let all = sides().flat_map(|a| sides().map(move |b| (a, b)));
            let best = all.filter(|&(a, b)| broken_rule(a, b).is_none()).map(|(a, b)| far(a, b)).min();
            let (a, b) = nearest(w, h);
            prop_assert_eq!(Some(far(a, b)), best);
        }
    }
}
