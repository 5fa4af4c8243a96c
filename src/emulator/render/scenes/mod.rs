//! The kinds of picture, one in a file.

mod arcs;
mod hills;
mod paper_cut;
mod ribbons;
mod still_life;
mod terrazzo;

use super::canvas::Canvas;
pub(super) use still_life::Thing;

/// A kind of picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Hills,
    StillLife,
    PaperCut,
    Ribbons,
    Terrazzo,
    Arcs,
}

impl Family {
    const ALL: [Self; 6] =
        [Self::Hills, Self::StillLife, Self::PaperCut, Self::Ribbons, Self::Terrazzo, Self::Arcs];

    /// The family of a prompt whose words name none.
    pub(super) fn by_hash(hash: u64) -> Self {
        Self::ALL[(hash % Self::ALL.len() as u64) as usize]
    }

    pub(super) fn draw(self, canvas: &mut Canvas) {
        match self {
            Self::Hills => hills::draw(canvas),
            Self::StillLife => still_life::draw(canvas),
            Self::PaperCut => paper_cut::draw(canvas),
            Self::Ribbons => ribbons::draw(canvas),
            Self::Terrazzo => terrazzo::draw(canvas),
            Self::Arcs => arcs::draw(canvas),
        }
    }
}
