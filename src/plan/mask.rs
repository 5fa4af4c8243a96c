//! The rules of a mask beside the picture that it belongs to.

use super::files::Picture;
use super::report::Wrong;

/// What becomes of a mask that has another size than its picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is refused.
    #[default]
    Exact,
    /// A copy of it is scaled.
    Resize,
}

impl Fit {
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        match text.trim() {
            "exact" => Ok(Self::Exact),
            "resize" => Ok(Self::Resize),
            other => {
                let help = "it is `resize` for a copy of the mask that is scaled to its picture, or `exact`";
                Err(Wrong::new("fit", format!("`fit` is `{other}`")).with_help(Some(help)))
            }
        }
    }
}

/// The size that a mask has to be scaled to, if any, or the rule that it breaks
/// by itself or beside the first picture.
pub(super) fn mask_size(
    name: &str,
    mask: &Picture,
    first: Option<&Picture>,
    fit: Fit,
) -> Result<Option<(u32, u32)>, Wrong> {
    if !mask.png {
        return Err(Wrong::new("mask", format!("{name}: a mask must be a PNG")));
    }
    if !mask.alpha {
        let rule =
            format!("{name}: the mask has no alpha channel; its transparent part is what is painted anew");
        let help = "save it as a PNG with 32 bits a pixel (RGBA), the part to change erased";
        return Err(Wrong::new("mask", rule).with_help(Some(help)));
    }
    let Some(to) = first.map(|first| first.size).filter(|size| *size != mask.size) else { return Ok(None) };
    if fit == Fit::Resize {
        return Ok(Some(to));
    }
    let ((w, h), (pw, ph)) = (mask.size, to);
    let rule = format!("{name}: the mask is {w}x{h}, but the picture is {pw}x{ph}; they must be equal");
    let help = format!("resize the mask to {pw}x{ph}, or have a copy of it scaled with `fit = \"resize\"`");
    Err(Wrong::new("mask", rule).with_help(Some(help)))
}

/// A warning where scaling changes the proportions by more than rounding does.
pub(super) fn stretch(name: &str, (w, h): (u32, u32), (to_w, to_h): (u32, u32)) -> Option<Wrong> {
    let proportional = f64::from(h) * f64::from(to_w) / f64::from(w);
    let tolerated = 1.0 + f64::from(to_h) / 100.0;
    ((proportional - f64::from(to_h)).abs() > tolerated).then(|| {
        let rule = format!("{name}: the mask of {w}x{h} is stretched to {to_w}x{to_h}");
        let help = "draw it over the picture that it belongs to";
        Wrong::new("mask", rule).with_help(Some(help))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::ContentHash;

    fn picture(size: (u32, u32)) -> Picture {
        Picture { sha256: ContentHash::of(b""), size, png: true, alpha: true }
    }

    #[test]
    fn a_mask_of_another_size_is_refused_or_scaled() {
        let (small, large) = (picture((512, 384)), picture((1024, 768)));
        let size = |first: Option<&Picture>, fit| mask_size("m.png", &small, first, fit).ok();
        for fit in [Fit::Exact, Fit::Resize] {
            assert_eq!(size(Some(&small), fit), Some(None), "equal");
            assert_eq!(size(None, fit), Some(None), "the picture is a link");
        }
        assert_eq!(size(Some(&large), Fit::Exact), None);
        assert_eq!(size(Some(&large), Fit::Resize), Some(Some((1024, 768))));
        let opaque = Picture { alpha: false, ..small };
        assert!(mask_size("m.png", &opaque, Some(&large), Fit::Resize).is_err());
    }

    #[test]
    fn other_proportions_are_a_warning_and_rounding_is_not() {
        for (from, to, warns) in [
            ((512, 384), (1024, 768), false),
            ((512, 385), (1024, 768), false),
            ((100, 100), (1024, 768), true),
            ((1, 1), (2, 2), false),
        ] {
            assert_eq!(stretch("m.png", from, to).is_some(), warns, "{from:?} {to:?}");
        }
    }
}
