//! One full pass over all jobs, as a stream.

use std::ops::ControlFlow;

use crate::job::Wanted;
use crate::manifest::Diagnostics;

use super::Plan;
use super::build::Builder;
use super::entry::{Entry, Prepared};
use super::expand::Expansion;
use super::files::Files;
use super::report::{Place, Report, Wrong};
use super::template::Engine;
use super::totals::Totals;
use super::unique::{Names, Suspects};

/// The most jobs that one manifest may ask for.
const JOBS: u64 = 10_000_000;

/// What a pass does with each job.
type Each<'v> = &'v mut dyn FnMut(Wanted, &Place, &mut Report<'_>) -> ControlFlow<()>;

/// Expands everything, hands each valid job to `visit`, and reports all that
/// is wrong at the end.
pub(super) fn survey(
    plan: &Plan,
    visit: &mut dyn FnMut(Wanted) -> ControlFlow<()>,
) -> Result<Totals, Diagnostics> {
    let mut report = Report::new(&plan.manifest);
    let mut totals = Totals::default();
    let mut names = Names::default();
    let mut left = false;
    let mut unbuilt = 0;
    pass(plan, &mut report, &mut unbuilt, &mut |wanted, _, _| {
        names.add(&wanted);
        totals.add(&wanted);
        let flow = visit(wanted);
        left = flow.is_break();
        flow
    });
    totals.jobs += unbuilt;
    totals.skipped += unbuilt;
    let mut problems = std::mem::take(&mut report.problems);
    if !left
        && !problems.is_full()
        && let Some(suspects) = names.suspects()
    {
        name_shared(plan, suspects, &mut problems);
    }
    totals.warnings = report.warnings;
    problems.into_result(totals)
}

/// A second pass that knows what to look for.
fn name_shared(plan: &Plan, mut suspects: Suspects, problems: &mut Diagnostics) {
    let mut silent = Report::new(&plan.manifest);
    pass(plan, &mut silent, &mut 0, &mut |wanted, place, report| {
        suspects.compare(&wanted, place, report, problems);
        if problems.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
}

fn pass(plan: &Plan, report: &mut Report<'_>, unbuilt: &mut u64, each: Each<'_>) {
    let mut builder = Builder { manifest: &plan.manifest, prices: &plan.prices, files: Files::default() };
    let mut count = 0;
    for job in &plan.manifest.jobs {
        let place = Place { entry: job.place, ..Place::default() };
        let flow = match Prepared::new(&plan.manifest, job) {
            Ok(prepared) => entry(&prepared, &mut builder, &mut count, report, unbuilt, each),
            Err(wrong) => {
                report.refuse(&place, wrong);
                ControlFlow::Continue(())
            }
        };
        if flow.is_break() || report.problems.is_full() {
            return;
        }
    }
}

fn entry(
    prepared: &Prepared,
    builder: &mut Builder<'_>,
    count: &mut u64,
    report: &mut Report<'_>,
    unbuilt: &mut u64,
    each: Each<'_>,
) -> ControlFlow<()> {
    let engine = Engine::new();
    let Some(entry) = Entry::new(&engine, builder.manifest, prepared, report) else {
        return ControlFlow::Continue(());
    };
    let place = Place { entry: entry.place, ..Place::default() };
    if let Some(wrong) = too_many(&entry) {
        report.refuse(&place, wrong);
        return ControlFlow::Continue(());
    }
    let Some(expansion) = Expansion::new(&entry, builder.manifest, report) else {
        return ControlFlow::Continue(());
    };
    expansion.each(report, &mut |item, report| {
        *count += 1;
        if *count > JOBS {
            report.refuse(&place, Wrong::new("rows", format!("the manifest asks for more than {JOBS} jobs")));
            return ControlFlow::Break(());
        }
        match builder.wanted(&entry, item, report) {
            Ok(wanted) => return each(wanted, item.place, report),
            // What is skipped may be skipped because it can't be made.
            Err(_) if item.skip => *unbuilt += 1,
            Err(wrongs) => {
                for wrong in wrongs {
                    report.refuse(item.place, wrong.of_job(&item.id));
                }
            }
        }
        if report.problems.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

/// Combinations are counted before they are made.
fn too_many(entry: &Entry<'_, '_>) -> Option<Wrong> {
    let size = entry.grid.size().saturating_mul(u64::from(entry.job.repeat.unwrap_or(1)));
    (size > JOBS).then(|| {
        let key = if entry.grid.size() > JOBS { "matrix" } else { "repeat" };
        Wrong::new(key, format!("this asks for {size} pictures; a manifest may ask for {JOBS} jobs"))
            .with_help(Some("leave out an axis, or list single combinations with `include`"))
    })
}
