//! The check without pixels says what the decoder says that makes them.

use std::io::Cursor;

use png::{BitDepth, ColorType, chunk};
use proptest::prelude::*;

use super::super::decode::{PNG_CHUNKS, decode_from};
use super::super::policy::MAX_PIXELS;
use super::super::verify::Damage;

const KINDS: [(ColorType, BitDepth); 15] = [
    (ColorType::Grayscale, BitDepth::One),
    (ColorType::Grayscale, BitDepth::Two),
    (ColorType::Grayscale, BitDepth::Four),
    (ColorType::Grayscale, BitDepth::Eight),
    (ColorType::Grayscale, BitDepth::Sixteen),
    (ColorType::Rgb, BitDepth::Eight),
    (ColorType::Rgb, BitDepth::Sixteen),
    (ColorType::Indexed, BitDepth::One),
    (ColorType::Indexed, BitDepth::Two),
    (ColorType::Indexed, BitDepth::Four),
    (ColorType::Indexed, BitDepth::Eight),
    (ColorType::GrayscaleAlpha, BitDepth::Eight),
    (ColorType::GrayscaleAlpha, BitDepth::Sixteen),
    (ColorType::Rgba, BitDepth::Eight),
    (ColorType::Rgba, BitDepth::Sixteen),
];

type Verdict = Result<(u32, u32), String>;

fn sides(verdict: Result<(super::Format, u32, u32), Damage>) -> Verdict {
    verdict.map(|(_, width, height)| (width, height)).map_err(|damage| damage.to_string())
}

/// Without pixels, and with them.
fn verdicts(bytes: &[u8]) -> (Verdict, Verdict) {
    let without = decode_from(Cursor::new(bytes), MAX_PIXELS, None);
    let with = decode_from(Cursor::new(bytes), MAX_PIXELS, Some(&mut |_| {}));
    (sides(without), sides(with))
}

fn row_bytes(width: u32, (color, depth): (ColorType, BitDepth)) -> usize {
    (width as usize * color.samples() * depth as usize).div_ceil(8)
}

fn info(width: u32, height: u32, kind: (ColorType, BitDepth)) -> png::Info<'static> {
    let mut info = png::Info::with_size(width, height);
    (info.color_type, info.bit_depth) = kind;
    if kind.0 == ColorType::Indexed {
        info.palette = Some(vec![7; 3 << kind.1 as usize].into());
    }
    info
}

/// Compressed and filtered as other programs do it.
fn plain(width: u32, height: u32, kind: (ColorType, BitDepth), noise: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::with_info(&mut bytes, info(width, height, kind)).unwrap();
    encoder.set_filter(png::Filter::Adaptive);
    let mut writer = encoder.write_header().unwrap();
    let length = row_bytes(width, kind) * height as usize;
    let data: Vec<u8> = (0..length).map(|at| (at as u8 / 3).wrapping_mul(noise) ^ (at >> 9) as u8).collect();
    writer.write_image_data(&data).unwrap();
    writer.finish().unwrap();
    bytes
}

/// What `rows` holds, filters and all, as a compressed stream that is not compressed.
fn stored(rows: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x78, 0x01];
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in rows {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    for block in rows.chunks(60_000) {
        let length = block.len() as u16;
        bytes.push(0);
        bytes.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
        bytes.extend(block);
    }
    bytes.extend([1, 0, 0, 0xff, 0xff]);
    bytes.extend((high << 16 | low).to_be_bytes());
    bytes
}

/// A picture whose rows are these, whatever they are.
fn of_rows(mut info: png::Info<'static>, interlaced: bool, rows: &[u8]) -> Vec<u8> {
    info.interlaced = interlaced;
    of_stream(info, &stored(rows))
}

fn of_stream(info: png::Info<'static>, stream: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = png::Encoder::with_info(&mut bytes, info).unwrap().write_header().unwrap();
    for part in stream.chunks(5_000) {
        writer.write_chunk(chunk::IDAT, part).unwrap();
    }
    drop(writer);
    bytes
}

/// The rows of an interlaced picture: a pixel belongs to the first pass that meets it.
fn interlaced_rows(width: u32, height: u32, kind: (ColorType, BitDepth)) -> Vec<u8> {
    let pass_of = |x: u32, y: u32| match (x % 8, y % 8) {
        (0, 0) => 0,
        (4, 0) => 1,
        (0 | 4, 4) => 2,
        (2 | 6, 0 | 4) => 3,
        (x, y) if x % 2 == 0 && y % 2 == 0 => 4,
        (_, y) if y % 2 == 0 => 5,
        _ => 6,
    };
    let mut rows = Vec::new();
    for pass in 0..7 {
        for y in 0..height {
            let pixels = (0..width).filter(|x| pass_of(*x, y) == pass).count() as u32;
            if pixels > 0 {
                rows.push((y % 5) as u8);
                rows.extend(vec![0x11; row_bytes(pixels, kind)]);
            }
        }
    }
    rows
}

#[test]
fn every_kind_of_png_is_gone_through() {
    for kind in KINDS {
        for (width, height) in [(1, 1), (7, 5), (8, 8), (33, 17), (300, 200)] {
            let plain = plain(width, height, kind, 37);
            assert_eq!(verdicts(&plain), (Ok((width, height)), Ok((width, height))), "{kind:?}");
            let rows = interlaced_rows(width, height, kind);
            let interlaced = of_rows(info(width, height, kind), true, &rows);
            assert_eq!(
                verdicts(&interlaced),
                (Ok((width, height)), Ok((width, height))),
                "{kind:?}, interlaced"
            );
            for short in [&rows[..rows.len() - 1], &rows[1..], &[]] {
                let (without, with) = verdicts(&of_rows(info(width, height, kind), true, short));
                assert!(
                    without.is_err() && with.is_err(),
                    "{kind:?} {width}x{height}: {without:?}, {with:?}"
                );
            }
        }
    }
}

#[test]
fn rows_that_are_wrong_or_too_many() {
    let kind = (ColorType::Rgb, BitDepth::Eight);
    let good = vec![4; 31 * 10];
    let verdict = |rows: &[u8]| verdicts(&of_rows(info(10, 10, kind), false, rows));
    assert_eq!(verdict(&good), (Ok((10, 10)), Ok((10, 10))));
    let mut odd = good.clone();
    odd[31 * 9] = 5;
    assert!(verdict(&odd).0.is_err_and(|why| why.contains("filter")));
    assert!(verdict(&odd).1.is_err());
    assert_eq!(verdict(&[good.as_slice(), &vec![9; 100_000]].concat()), (Ok((10, 10)), Ok((10, 10))));
    let mut colours = info(10, 10, (ColorType::Indexed, BitDepth::Eight));
    colours.palette = Some(vec![7; 3].into());
    let palette = of_rows(colours, false, &[0; 110]);
    let at = palette.windows(4).position(|name| name == b"PLTE").unwrap();
    let without = [&palette[..at - 4], &palette[at + 4 + 3 + 4..]].concat();
    assert!(verdicts(&palette).0.is_ok());
    assert!(verdicts(&without).0.is_err_and(|why| why.contains("palette")) && verdicts(&without).1.is_err());
    let (before_end, end) = without.split_at(without.len() - 12);
    let late = [before_end, &palette[at - 4..at + 4 + 3 + 4], end].concat();
    assert!(verdicts(&late).0.is_err_and(|why| why.contains("palette")) && verdicts(&late).1.is_err());
}

#[test]
fn what_stands_behind_the_last_row_or_beside_the_pixels() {
    let kind = (ColorType::Grayscale, BitDepth::Eight);
    let stream = stored(&[0; 110]);
    for missing in [0, 4, 9] {
        let bytes = of_stream(info(10, 10, kind), &stream[..stream.len() - missing]);
        assert_eq!(verdicts(&bytes), (Ok((10, 10)), Ok((10, 10))), "{missing} bytes are missing");
    }
    let told = |length: usize| {
        let whole = of_rows(info(10, 10, kind), false, &[0; 110]);
        let mut bytes = Vec::new();
        let mut writer =
            png::Encoder::with_info(&mut bytes, info(10, 10, kind)).unwrap().write_header().unwrap();
        writer.write_chunk(chunk::eXIf, &vec![0; length]).unwrap();
        drop(writer);
        let (start, end) = (33, bytes.len() - 12);
        verdicts(&[&whole[..33], &bytes[start..end], &whole[33..]].concat())
    };
    assert_eq!(told(100_000), (Ok((10, 10)), Ok((10, 10))));
    let (without, with) = told(PNG_CHUNKS + 1);
    assert!(without.is_err_and(|why| why.contains("beside its pixels")) && with.is_err());
}

#[derive(Clone, Debug)]
enum Harm {
    Flip(usize, u8),
    Cut(usize),
    Insert(usize, u8),
    Remove(usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        4 => (any::<usize>(), 1..=255_u8).prop_map(|(at, with)| Harm::Flip(at, with)),
        1 => any::<usize>().prop_map(Harm::Cut),
        1 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Harm::Insert(at, byte)),
        1 => any::<usize>().prop_map(Harm::Remove),
    ]
}

fn harmed(mut bytes: Vec<u8>, harms: &[Harm]) -> Vec<u8> {
    for harm in harms {
        let length = bytes.len().max(1);
        match *harm {
            _ if bytes.is_empty() => {}
            Harm::Flip(at, with) => bytes[at % length] ^= with,
            Harm::Cut(at) => bytes.truncate(at % length),
            Harm::Insert(at, byte) => bytes.insert(at % length, byte),
            Harm::Remove(at) => drop(bytes.remove(at % length)),
        }
    }
    bytes
}

/// Gives each chunk the checksum of what it holds, so that the harm goes deeper.
fn mended(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut at = 8;
    while let Some(length) = bytes.get(at..at + 4) {
        let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
        let end = at + 8 + length;
        if bytes.len() < end + 4 {
            break;
        }
        let sum = crc32fast::hash(&bytes[at + 4..end]).to_be_bytes();
        bytes[end..end + 4].copy_from_slice(&sum);
        at = end + 4;
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_harmed_picture_gets_the_verdict_of_the_decoder(
        kind in 0..KINDS.len(), width in 1..40_u32, height in 1..40_u32, noise in any::<u8>(),
        interlaced in any::<bool>(), mend in any::<bool>(), harms in prop::collection::vec(harm(), 0..3),
    ) {
        let kind = KINDS[kind];
        let bytes = if interlaced {
            of_rows(info(width, height, kind), true, &interlaced_rows(width, height, kind))
        } else {
            plain(width, height, kind, noise)
        };
        let bytes = harmed(bytes, &harms);
        let (without, with) = verdicts(&if mend { mended(bytes) } else { bytes });
        // Both stop where the last row is complete, and not at the same byte.
        let behind = |verdict: &Verdict| verdict.as_ref().is_err_and(|why| why.contains("Corrupt deflate stream"));
        prop_assert!(
            without.as_ref().ok() == with.as_ref().ok() || mend && (behind(&without) || behind(&with)),
            "{without:?} and {with:?}"
        );
    }
}
