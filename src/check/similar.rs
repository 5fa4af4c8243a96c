//! Finds pictures that are nearly the same. Signatures within a few bits of
//! each other share at least one byte, so only those that do are compared:
//! the cost of a picture is a small part of all that came before.

use std::collections::HashMap;

use super::sight::{Sight, Signature};

/// Bits of 64 in which the shapes of near-duplicates may differ. Below 8, so
/// that one of the 8 bytes is always the same.
const SHAPE: u32 = 7;
/// Mean difference of their colours, of 255.
const COLOUR: u32 = 8;

/// Names a picture: attempt and number.
type Key = (i64, u32);

/// The pictures seen so far.
#[derive(Debug, Default)]
pub(super) struct Gallery {
    seen: Vec<(Signature, Key)>,
    /// By place and value of a byte of the shape.
    bands: HashMap<(u8, u8), Vec<u32>>,
}

/// An earlier picture that is nearly the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Twin {
    pub(super) key: Key,
    pub(super) distance: u32,
}

impl Gallery {
    /// Adds a picture; gives the nearest of those before it, if one is near.
    pub(super) fn add(&mut self, sight: &Sight, key: Key) -> Option<Twin> {
        self.add_signature(sight.signature(), key)
    }

    fn add_signature(&mut self, signature: Signature, key: Key) -> Option<Twin> {
        let number = self.seen.len() as u32;
        let mut nearest: Option<(u32, u32)> = None;
        for (place, byte) in signature.shape.to_le_bytes().into_iter().enumerate() {
            let band = self.bands.entry((place as u8, byte)).or_default();
            for &other in band.iter() {
                if let Some(distance) = distance(&self.seen[other as usize].0, &signature) {
                    let found = (distance, other);
                    nearest = Some(nearest.map_or(found, |nearest| nearest.min(found)));
                }
            }
            band.push(number);
        }
        self.seen.push((signature, key));
        nearest.map(|(distance, other)| Twin { key: self.seen[other as usize].1, distance })
    }
}

/// How far apart two pictures are, if they are nearly the same.
fn distance(one: &Signature, other: &Signature) -> Option<u32> {
    let shape = (one.shape ^ other.shape).count_ones();
    if shape > SHAPE {
        return None;
    }
    let apart: u32 = one.colour.iter().zip(&other.colour).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    (apart <= COLOUR * one.colour.len() as u32).then_some(shape)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, GenericImageView, Rgb, RgbImage, imageops};

    use super::*;

    /// A composition of soft shapes that only the seed decides.
    fn picture(seed: u64, width: u32, height: u32) -> DynamicImage {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut shape = || {
            let colour = [random.u8(..), random.u8(..), random.u8(..)];
            (random.f32(), random.f32(), 0.05 + random.f32() * 0.3, colour)
        };
        let ground = shape().3;
        let shapes: Vec<_> = (0..7).map(|_| shape()).collect();
        RgbImage::from_fn(width, height, |x, y| {
            let (x, y) = (x as f32 / width as f32, y as f32 / height as f32);
            let inside = |(cx, cy, r, _): &&(f32, f32, f32, [u8; 3])| (x - cx).hypot(y - cy) < *r;
            Rgb(shapes.iter().rev().find(inside).map_or(ground, |shape| shape.3))
        })
        .into()
    }

    fn again(picture: &DynamicImage, format: image::ImageFormat) -> DynamicImage {
        let mut bytes = Vec::new();
        picture.to_rgb8().write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        image::load_from_memory(&bytes).unwrap()
    }

    fn near(one: &DynamicImage, other: &DynamicImage) -> bool {
        let [one, other] = [one, other].map(|picture| Sight::of(picture).unwrap().signature());
        distance(&one, &other).is_some()
    }

    #[test]
    fn the_same_picture_is_known_however_it_was_treated() {
        let mut lost_by_shift = 0;
        for seed in 0..40 {
            let original = picture(seed, 480, 320);
            let (width, height) = original.dimensions();
            let brighter: DynamicImage = imageops::brighten(&original, 6).into();
            let treated = [
                ("as JPEG", again(&original, image::ImageFormat::Jpeg)),
                ("half the size", original.resize_exact(width / 2, height / 2, imageops::Lanczos3)),
                ("twice the size", original.resize_exact(width * 2, height * 2, imageops::Triangle)),
                ("a little brighter", brighter),
            ];
            for (what, treated) in treated {
                assert!(near(&original, &treated), "picture {seed} {what}");
            }
            let shifted = original.crop_imm(4, 3, width - 4, height - 3);
            lost_by_shift += u32::from(!near(&original, &shifted));
        }
        // A shift changes every frequency a little: where most are about nothing, too many signs turn.
        assert!(lost_by_shift <= 3, "{lost_by_shift} of 40");
    }

    #[test]
    fn different_pictures_are_different() {
        let signatures: Vec<Signature> =
            (0..200).map(|seed| Sight::of(&picture(seed, 160, 120)).unwrap().signature()).collect();
        let pairs = signatures.iter().enumerate().flat_map(|(at, one)| {
            signatures[..at].iter().filter(move |other| distance(one, other).is_some())
        });
        assert_eq!(pairs.count(), 0);
    }

    #[test]
    fn the_same_shapes_in_other_colours_are_another_picture() {
        let original = picture(3, 320, 320);
        assert!(!near(&original, &original.huerotate(120)));
        assert!(!near(&original, &original.fliph()));
    }

    #[test]
    fn bands_find_what_a_comparison_of_all_finds() {
        let mut random = fastrand::Rng::with_seed(5);
        let mut gallery = Gallery::default();
        let mut all: Vec<Signature> = Vec::new();
        for n in 0..2000 {
            let shape = match all.get(random.usize(..=n)) {
                Some(other) if n % 3 == 0 => {
                    (0..random.u32(..10)).fold(other.shape, |s, _| s ^ 1 << random.u32(..64))
                }
                _ => random.u64(..),
            };
            let signature = Signature { shape, colour: [0; 48] };
            let nearest = all.iter().filter_map(|other| distance(other, &signature)).min();
            let twin = gallery.add_signature(signature, (n as i64, 1));
            assert_eq!(twin.map(|twin| twin.distance), nearest);
            all.push(signature);
        }
    }

    #[test]
    fn blank_is_one_colour_or_nearly() {
        let flat = |noise: u8| {
            let mut random = fastrand::Rng::with_seed(1);
            DynamicImage::from(RgbImage::from_fn(300, 200, |_, _| Rgb([200, 190, 180 + random.u8(..=noise)])))
        };
        let blank = |picture: &DynamicImage| Sight::of(picture).unwrap().blank();
        assert_eq!(blank(&flat(0)).as_deref(), Some("#c8beb4"));
        assert!(blank(&flat(4)).is_some());
        assert!(blank(&DynamicImage::new_rgba8(64, 64)).is_some(), "nothing but transparency");
        let mut dot = flat(0).to_rgb8();
        (0..30).for_each(|at| dot.put_pixel(100 + at % 6, 50 + at / 6, Rgb([0, 0, 0])));
        assert_eq!(blank(&dot.into()), None, "a small thing is something");
        assert_eq!(blank(&picture(1, 300, 200)), None);
    }
}
