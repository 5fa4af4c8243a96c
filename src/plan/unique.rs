//! Whether all ids and all output paths differ, at 16 bytes a job: hashes
//! first; who shares one is looked up by name only when two are equal.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::job::Wanted;
use crate::manifest::{Diagnostic, Diagnostics};

use super::report::{Place, Report, Wrong};

/// Shared names that are looked up; more are not shown.
const LOOKED_UP: usize = 100;

/// Hashes of every id and path of a pass.
#[derive(Debug, Default)]
pub(super) struct Names {
    ids: Vec<u64>,
    paths: Vec<u64>,
}

impl Names {
    pub(super) fn add(&mut self, wanted: &Wanted) {
        self.ids.push(hash(&wanted.id));
        self.paths.extend(paths(wanted).map(|path| hash(&path)));
    }

    /// Names that two jobs may share; `None` when there are none.
    pub(super) fn suspects(self) -> Option<Suspects> {
        let suspects =
            Suspects { ids: repeated(self.ids), paths: repeated(self.paths), ..Suspects::default() };
        (!suspects.ids.is_empty() || !suspects.paths.is_empty()).then_some(suspects)
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

fn repeated(mut hashes: Vec<u64>) -> HashSet<u64> {
    hashes.sort_unstable();
    hashes
        .chunk_by(|a, b| a == b)
        .filter(|equal| equal.len() > 1)
        .map(|equal| equal[0])
        .take(LOOKED_UP)
        .collect()
}

/// The file names of a job in the form in which they would collide.
fn paths(wanted: &Wanted) -> impl Iterator<Item = String> {
    let key = wanted.path.collision_key();
    let n = wanted.request.n;
    (1..=n).map(move |number| if n > 1 { format!("{key}-{number}") } else { key.clone() })
}

/// Looks up the jobs behind equal hashes.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    ids: HashSet<u64>,
    paths: HashSet<u64>,
    first_ids: BTreeMap<String, Place>,
    first_paths: BTreeMap<String, (String, Place)>,
}

impl Suspects {
    /// Compares a job with those that came before it.
    pub(super) fn compare(
        &mut self,
        wanted: &Wanted,
        place: &Place,
        report: &Report<'_>,
        problems: &mut Diagnostics,
    ) {
        if self.ids.contains(&hash(&wanted.id)) {
            match self.first_ids.get(&wanted.id) {
                Some(first) => problems.push(same_id(&wanted.id, place, first, report)),
                None => {
                    self.first_ids.insert(wanted.id.clone(), place.clone());
                }
            }
        }
        for path in paths(wanted).filter(|path| self.paths.contains(&hash(path))) {
            match self.first_paths.get(&path) {
                // Two jobs with one id have one path by nature.
                Some((other, _)) if *other == wanted.id => {}
                Some((other, first)) => {
                    problems.push(same_path(&path, (&wanted.id, place), (other, first), report));
                }
                None => {
                    self.first_paths.insert(path, (wanted.id.clone(), place.clone()));
                }
            }
        }
    }
}

fn same_id(id: &str, place: &Place, first: &Place, report: &Report<'_>) -> Diagnostic {
    let wrong = Wrong::new("id", format!("two jobs have the id `{id}`"));
    let help = "give each job its own `id`; for several takes of one job use `repeat`";
    report.diagnostic(place, wrong.with_help(Some(help))).with_note(first_at(first, report))
}

fn same_path(
    path: &str,
    (id, place): (&str, &Place),
    (other, first): (&str, &Place),
    report: &Report<'_>,
) -> Diagnostic {
    let message = format!("the jobs `{other}` and `{id}` would both write images/{path}.*");
    let wrong = Wrong::new("out", message);
    let help = "use a variable in `out` that tells them apart, such as {{ id }}";
    report.diagnostic(place, wrong.with_help(Some(help))).with_note(first_at(first, report))
}

/// The place of the other job, in one line.
fn first_at(first: &Place, report: &Report<'_>) -> String {
    let diagnostic = report.diagnostic(first, Wrong::new("id", ""));
    let place = diagnostic.location.map_or_else(String::new, |location| location.to_string());
    let mut note = format!("the first one is at {place}");
    if !first.cell.is_empty() {
        note = format!("{note}, {}", first.cell);
    }
    for (file, line) in first.row.iter().chain(&first.line).filter(|(file, _)| !file.is_empty()) {
        note = format!("{note}, at {file}:{line}");
    }
    note
}
