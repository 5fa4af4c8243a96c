//! What is bought by size and quality: number, price each, sum.

use std::fmt::Write;

use super::page::{Ink, Page};
use crate::enrol::Comparison;
use crate::job::Credits;
use crate::plan::{Kind, Share};

/// Kinds that have a row of their own.
const ROWS: usize = 12;

/// The table; empty where nothing is bought.
pub(super) fn text(page: Page, comparison: &Comparison) -> String {
    let mut kinds: Vec<(&Kind, &Share)> = comparison.kinds.iter().collect();
    kinds.sort_by_key(|(_, share)| std::cmp::Reverse(share.estimate));
    if kinds.is_empty() {
        return String::new();
    }
    let heading = row("to buy", "", "quality", "pictures", "credits each", "credits");
    let mut text = format!("{}\n", page.paint(Ink::Bold, &heading));
    for (kind, share) in kinds.iter().take(ROWS) {
        let (width, height) = kind.pixels();
        let pixels = format!("{width}x{height}");
        let name = name(kind, &pixels);
        let pictures = share.pictures.to_string();
        let line = row(&format!("  {pixels}"), &name, &kind.quality, &pictures, &each(share), &sum(share));
        // Writing to a string can't fail.
        let _ = writeln!(text, "{line}");
    }
    if kinds.len() > ROWS {
        let rest = kinds.iter().skip(ROWS).map(|(_, share)| share);
        let pictures: u64 = rest.clone().map(|share| share.pictures).sum();
        let credits: Credits = rest.map(|share| share.estimate).sum();
        let name = format!("  {} more", kinds.len() - ROWS);
        let _ = writeln!(text, "{}", row(&name, "", "", &pictures.to_string(), "", &credits.to_string()));
    }
    if kinds.len() > 1 {
        let (pictures, credits) = (comparison.pictures.to_string(), comparison.estimate.to_string());
        let _ =
            writeln!(text, "{}", page.paint(Ink::Bold, &row("  in all", "", "", &pictures, "", &credits)));
    }
    text
}

fn row(size: &str, name: &str, quality: &str, pictures: &str, each: &str, sum: &str) -> String {
    format!("{size:<13}{name:<9}  {quality:<7}  {pictures:>9}  {each:>15}  {sum:>11}")
}

/// `16:9 2K`; nothing where the pixels say it all.
fn name(kind: &Kind, pixels: &str) -> String {
    match &kind.resolution {
        _ if kind.size == pixels => String::new(),
        Some(tier) => format!("{} {tier}", kind.size),
        None => kind.size.clone(),
    }
}

/// One price, or the range that prompts and references make.
fn each(share: &Share) -> String {
    let (least, most) = (format!("{:.3}", share.least), format!("{:.3}", share.most));
    match share.unpriced {
        all if all == share.jobs => "no price".into(),
        _ if least == most => most,
        _ => format!("{least}-{most}"),
    }
}

fn sum(share: &Share) -> String {
    if share.unpriced == share.jobs { "-".into() } else { share.estimate.to_string() }
}
