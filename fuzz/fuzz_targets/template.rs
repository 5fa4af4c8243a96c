//! Any text as the template of a prompt, an id and a path.
#![no_main]

use std::ops::ControlFlow;

use imgbatch::manifest::{Format, Source};
use imgbatch::model::Prices;
use imgbatch::plan::Plan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|template: &str| {
    let quoted: String = template.chars().map(|c| format!("\\U{:08X}", u32::from(c))).collect();
    for key in ["prompt", "id", "out"] {
        let mut job = String::from("version = 1\nname = \"f\"\n[[jobs]]\nmatrix.a = [\"x\", \"y\"]\n");
        for other in ["prompt", "id", "out"].into_iter().filter(|other| *other != key && *other != "out") {
            job += &format!("{other} = \"p\"\n");
        }
        job += &format!("{key} = \"{quoted}\"\n");
        let source = Source::text("f.toml", Some(Format::Toml), job, "/nowhere/imgbatch");
        let Ok(plan) = Plan::load(&source, Prices::published()) else { continue };
        if let Err(diagnostics) = plan.survey(&mut |_| ControlFlow::Continue(())) {
            drop(diagnostics.render(false));
        }
    }
});
