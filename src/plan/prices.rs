//! Files of prices that replace the published ones.

use crate::manifest::{Diagnostics, Manifest, Source, Step, read_data};
use crate::model::Prices;

/// Reads a file of prices in the form of the published ones: TOML, YAML or
/// JSON. What is wrong with it is shown like what is wrong with a manifest.
pub fn load_prices(source: &Source) -> Result<Prices, Diagnostics> {
    let (prices, document) = read_data::<Prices>(source)?;
    let mut problems = Diagnostics::default();
    for fault in prices.faults() {
        let path: Vec<Step> = fault.path.into_iter().map(Step::Key).collect();
        problems.push(document.at(&path, fault.message));
    }
    problems.into_result(prices)
}

/// The prices that a manifest names; a file that can't be read at all is a
/// fault of the line that names it.
pub(super) fn named_by(manifest: &Manifest, file: &str) -> Result<Prices, Diagnostics> {
    load_prices(&Source::path(manifest.resolve(file))).map_err(|problems| match problems.as_slice() {
        [only] if only.location.is_none() => {
            let key = ["provider".into(), "prices".into()];
            manifest.at(&key, only.message.clone()).with_help(only.help.clone()).into()
        }
        _ => problems,
    })
}
