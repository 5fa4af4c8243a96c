//! From a manifest to wanted jobs: expanding, rendering, naming, checking.
//!
//! A pass is a stream: rows, lines and combinations are made one at a time,
//! and a million jobs cost a few bytes each. The ledger, not the plan, knows
//! what was bought before.

mod alpha;
mod build;
mod digest;
mod entry;
mod expand;
mod files;
mod forecast;
mod grid;
mod keys;
mod kinds;
mod lines;
mod mask;
mod prices;
mod report;
mod rows;
mod scope;
mod survey;
mod template;
mod totals;
mod unique;
mod whole;
mod words;

use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::job::{ContentHash, Wanted};
use crate::manifest::{self, Diagnostics, Loaded, Manifest, Source};
use crate::model::Prices;

pub use forecast::{Bound, Forecast, forecast};
pub use kinds::{Kind, Kinds, Share};
pub use prices::load_prices;
pub use totals::Totals;

/// A manifest that is ready to be expanded, as often as needed.
#[derive(Clone, Debug)]
pub struct Plan {
    manifest: Manifest,
    prices: Prices,
}

impl Plan {
    /// A plan for a manifest that was loaded without problems. What is wrong
    /// with its jobs is found by [`Plan::survey`], all of it at once.
    #[must_use]
    pub fn new(manifest: Manifest, prices: Prices) -> Self {
        Self { manifest, prices }
    }

    /// Reads a manifest and plans it, with the file of prices that it names or
    /// else with `prices`. With problems in some entries the others are
    /// surveyed all the same, so that all problems are reported at once.
    pub fn load(source: &Source, prices: Prices) -> Result<Self, Diagnostics> {
        let named = |manifest: &Manifest| {
            manifest.provider.prices.as_deref().map(|file| prices::named_by(manifest, file))
        };
        Self::read(source, named, prices)
    }

    /// The same with these prices, whatever the manifest names.
    pub fn load_priced(source: &Source, prices: Prices) -> Result<Self, Diagnostics> {
        Self::read(source, |_| None, prices)
    }

    fn read(
        source: &Source,
        named: impl FnOnce(&Manifest) -> Option<Result<Prices, Diagnostics>>,
        prices: Prices,
    ) -> Result<Self, Diagnostics> {
        let Loaded { manifest, mut problems } = manifest::load_partly(source);
        let Some(manifest) = manifest else { return Err(problems) };
        let mut unpriced = Diagnostics::default();
        let own = named(&manifest).transpose().unwrap_or_else(|wrong| {
            unpriced = wrong;
            None
        });
        let plan = Self::new(manifest, own.unwrap_or(prices));
        if problems.is_empty() && unpriced.is_empty() {
            return Ok(plan);
        }
        if let Err(more) = plan.survey(&mut |_| ControlFlow::Continue(())) {
            problems.extend(more);
        }
        problems.sort();
        // Places in another file have an order of their own.
        problems.extend(unpriced);
        Err(problems)
    }

    /// Expands everything once and hands each valid job to `visit`, which may
    /// end the pass early. Reports all problems, the first hundred of them:
    /// those of single jobs, two jobs with one id, two jobs with one path.
    ///
    /// Jobs that are valid are visited also when others are not, so nothing
    /// may be bought before this has returned `Ok`. A skipped job that could
    /// not be made is counted but not visited.
    pub fn survey(&self, visit: &mut dyn FnMut(Wanted) -> ControlFlow<()>) -> Result<Totals, Diagnostics> {
        survey::survey(self, visit)
    }

    /// A hash of everything that the jobs follow from: the manifest without
    /// comments and without how to run, its data files, the prices, and the
    /// planner's version. `None` where local pictures have a part in it; such
    /// a manifest has to be surveyed to see whether it changed.
    pub fn digest(&self) -> Result<Option<ContentHash>, Diagnostics> {
        digest::digest(self)
    }

    /// The batch's name, or that of its output folder.
    #[must_use]
    pub fn name(&self) -> &str {
        self.manifest.title()
    }

    /// Gives the batch another name, which is a plain file name.
    pub fn rename(&mut self, name: String) {
        self.manifest.name = Some(name);
    }

    /// The output folder that the manifest asks for.
    #[must_use]
    pub fn out_dir(&self) -> PathBuf {
        self.manifest.out_dir()
    }

    /// What the plan was made from.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The prices that it estimates with.
    #[must_use]
    pub fn prices(&self) -> &Prices {
        &self.prices
    }
}
