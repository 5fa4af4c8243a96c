//! What a check can find.

use serde::{Deserialize, Serialize};

use super::Picture;

/// The kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The ledger knows the picture and its file is not there.
    Missing,
    /// The file is not what was recorded, or no whole picture.
    Damaged,
    /// A file in `images/` that the ledger doesn't know.
    Unknown,
    /// In another size than the API's rules promise.
    OtherSize,
    /// One colour, or nearly.
    Blank,
    /// Nearly the same as an earlier picture.
    Similar,
}

impl Kind {
    /// Its word in the output.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Damaged => "damaged",
            Self::Unknown => "unknown",
            Self::OtherSize => "other_size",
            Self::Blank => "blank",
            Self::Similar => "similar",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// The file, below the output folder.
    pub path: String,
    /// The job, where the ledger knows one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Which of the job's pictures, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// In words, where there is more to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The earlier picture that this one is like, below the output folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// Bits of 64 in which the two differ to the eye.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance: Option<u32>,
}

impl Finding {
    pub(super) fn of(kind: Kind, id: &str, picture: &Picture, detail: Option<String>) -> Self {
        Self {
            kind,
            path: picture.place.path.clone(),
            id: Some(id.to_owned()),
            number: Some(picture.number),
            detail,
            like: None,
            distance: None,
        }
    }

    pub(super) fn stray(path: String) -> Self {
        let kind = Kind::Unknown;
        Self { kind, path, id: None, number: None, detail: None, like: None, distance: None }
    }
}

/// How much was checked and found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Pictures that the ledger knows as saved.
    pub pictures: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Findings of this kind.
    pub missing: u64,
    /// Findings of this kind.
    pub damaged: u64,
    /// Findings of this kind.
    pub unknown: u64,
    /// Findings of this kind.
    pub blank: u64,
    /// Findings of this kind.
    pub similar: u64,
    /// Pictures in another size than promised.
    pub other_size: u64,
}

impl Totals {
    pub(super) fn count(&mut self, kind: Kind) {
        let total = match kind {
            Kind::Missing => &mut self.missing,
            Kind::Damaged => &mut self.damaged,
            Kind::Unknown => &mut self.unknown,
            Kind::Blank => &mut self.blank,
            Kind::Similar => &mut self.similar,
            Kind::OtherSize => &mut self.other_size,
        };
        *total += 1;
    }
}
