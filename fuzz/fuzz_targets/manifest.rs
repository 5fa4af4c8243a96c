//! Any bytes as a manifest of any format: read, planned and counted, within
//! the budgets of the reader.
#![no_main]

use std::ops::ControlFlow;

use imgbatch::manifest::{Format, Source};
use imgbatch::model::Prices;
use imgbatch::plan::Plan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let format = [Format::Toml, Format::Yaml, Format::Json, Format::Text][usize::from(first % 4)];
    let text = String::from_utf8_lossy(rest).into_owned();
    // No file is read: a folder that does not exist.
    let source = Source::text("fuzzed", Some(format), text, "/nowhere/imgbatch");
    match Plan::load(&source, Prices::published()) {
        Err(diagnostics) => drop(diagnostics.render(false)),
        Ok(plan) => {
            let mut jobs = 0;
            let counted = plan.survey(&mut |_| {
                jobs += 1;
                if jobs < 200 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            if let Err(diagnostics) = counted {
                drop(diagnostics.render(false));
            }
        }
    }
});
