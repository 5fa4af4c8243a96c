//! One picture, or one set of `n`, that a manifest asks for.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Credits, Fingerprint, OutPath, Request};

/// A job as the manifest wants it, before the ledger has a say.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Stable name, never derived from a position in a file.
    pub id: String,
    /// Identity of the request.
    pub fingerprint: Fingerprint,
    /// What the provider will be asked for.
    pub request: Request,
    /// Where the picture goes: below `images/`, without an extension.
    pub path: OutPath,
    /// Axis names and the keys of their values, for grids and grouping.
    pub axes: BTreeMap<String, String>,
    /// The user's own columns, carried into every export.
    pub meta: Map<String, Value>,
    /// The manifest's `skip` was true: listed, never submitted.
    pub skip: bool,
    /// Exact output width and height in pixels, where the rules give them.
    pub size: Option<(u32, u32)>,
    /// Upper estimate for the whole submission; `None` where the model has
    /// no known price.
    pub estimate: Option<Credits>,
}

impl Wanted {
    /// The same with so many of its pictures, for their share of the price.
    #[must_use]
    pub fn only(&self, pictures: u32) -> Self {
        let estimate = self.estimate.map(|estimate| estimate.share(pictures, self.request.n));
        let mut part = Self { estimate, ..self.clone() };
        part.request.n = pictures;
        part
    }
}
