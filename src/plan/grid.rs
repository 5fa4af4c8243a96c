//! Axes and their combinations: `matrix` in every combination, `zip` side by
//! side, without what `exclude` names and with what `include` adds. Never a
//! list of all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::manifest::{Assignment, Axes, Job, nearest};

use super::keys::value_key;
use super::scope::{Layer, value};

/// One value of an axis with its key.
#[derive(Clone, Debug, PartialEq)]
struct Choice {
    key: String,
    value: Value,
}

/// Chosen values by axis; sorted by name, as ids want it.
type Combination = BTreeMap<String, Choice>;

/// All combinations of a job.
#[derive(Debug, Default)]
pub(super) struct Grid {
    matrix: Vec<(String, Vec<Choice>)>,
    zip: Vec<(String, Vec<Choice>)>,
    exclude: Vec<Vec<(String, Value)>>,
    include: Vec<Combination>,
}

/// A mistake in a job's axes and the key under which it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GridError {
    pub(super) key: &'static str,
    /// The entry of a list, or the name of an axis.
    pub(super) inner: Option<Inner>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// Where below its key a mistake stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inner {
    Index(usize),
    Axis(String),
}

/// What one combination gives to a job.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    /// Axis names and keys.
    pub(super) keys: BTreeMap<String, String>,
    /// What templates see.
    pub(super) values: Layer,
}

impl Cell {
    /// `axis=key,axis=key`, empty without axes.
    pub(super) fn label(&self) -> String {
        let parts: Vec<String> = self.keys.iter().map(|(axis, key)| format!("{axis}={key}")).collect();
        parts.join(",")
    }
}

impl Grid {
    pub(super) fn new(job: &Job) -> Result<Self, Vec<GridError>> {
        let mut errors = vec![];
        let mut grid = Self {
            matrix: choices("matrix", &job.matrix, &mut errors),
            zip: choices("zip", &job.zip, &mut errors),
            ..Self::default()
        };
        grid.check_zip(&mut errors);
        if errors.is_empty() {
            grid.exclude = job
                .exclude
                .iter()
                .enumerate()
                .map(|(at, entry)| grid.excluded(at, entry, &mut errors))
                .collect();
            grid.add_included(&job.include, &mut errors);
        }
        if errors.is_empty() { Ok(grid) } else { Err(errors) }
    }

    /// Names of all axes.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let included = self.include.iter().flat_map(BTreeMap::keys);
        self.axes().map(|(name, _)| name).chain(included).cloned().collect()
    }

    /// How many combinations there are before `exclude`; counted, not made.
    pub(super) fn size(&self) -> u64 {
        let product =
            |sum: u64, (_, choices): &(String, Vec<Choice>)| sum.saturating_mul(choices.len() as u64);
        let made = self.matrix.iter().fold(self.zip_length() as u64, product);
        if self.is_bare() {
            self.include.len().max(1) as u64
        } else {
            made.saturating_add(self.include.len() as u64)
        }
    }

    /// Each combination in turn. Without any axis there is one empty cell.
    pub(super) fn cells(&self) -> impl Iterator<Item = Cell> + '_ {
        let made =
            if self.is_bare() && !self.include.is_empty() { 0 } else { self.size() - self.include_length() };
        let combinations =
            (0..made).map(|index| self.combination(index)).filter(|made| !self.is_excluded(made));
        combinations.chain(self.include.iter().cloned()).map(cell)
    }

    fn is_bare(&self) -> bool {
        self.matrix.is_empty() && self.zip.is_empty()
    }

    fn include_length(&self) -> u64 {
        self.include.len() as u64
    }

    fn axes(&self) -> impl Iterator<Item = &(String, Vec<Choice>)> {
        self.matrix.iter().chain(&self.zip)
    }

    fn zip_length(&self) -> usize {
        self.zip.first().map_or(1, |(_, choices)| choices.len())
    }

    /// The last axis turns fastest.
    fn combination(&self, mut index: u64) -> Combination {
        let mut combination = Combination::new();
        let zip_length = self.zip_length() as u64;
        for (name, choices) in &self.zip {
            combination.insert(name.clone(), choices[(index % zip_length) as usize].clone());
        }
        index /= zip_length;
        for (name, choices) in self.matrix.iter().rev() {
            combination.insert(name.clone(), choices[(index % choices.len() as u64) as usize].clone());
            index /= choices.len() as u64;
        }
        combination
    }

    fn is_excluded(&self, combination: &Combination) -> bool {
        self.exclude.iter().any(|entry| {
            entry.iter().all(|(axis, value)| combination.get(axis).is_some_and(|choice| choice.is(value)))
        })
    }

    fn check_zip(&self, errors: &mut Vec<GridError>) {
        let length = self.zip_length();
        for (name, choices) in self.zip.iter().filter(|(_, choices)| choices.len() != length) {
            let message = format!(
                "`{name}` has {} values beside {length} of `{}`; side by side they must be equally many",
                choices.len(),
                self.zip[0].0
            );
            errors.push(axis_error("zip", name, message, None));
        }
        let twice = self.zip.iter().find(|(name, _)| self.matrix.iter().any(|(other, _)| other == name));
        if let Some((name, _)) = twice {
            errors.push(axis_error("zip", name, format!("the axis `{name}` is in `matrix` too"), None));
        }
    }

    fn excluded(&self, at: usize, entry: &Assignment, errors: &mut Vec<GridError>) -> Vec<(String, Value)> {
        let mut refuse = |message: String, help: Option<String>| {
            errors.push(GridError { key: "exclude", inner: Some(Inner::Index(at)), message, help });
        };
        if entry.0.is_empty() {
            refuse("this entry would exclude everything".into(), Some("name at least one axis".into()));
        }
        for (axis, value) in &entry.0 {
            match self.axes().find(|(name, _)| name == axis) {
                None => {
                    let help = nearest(axis, self.axes().map(|(name, _)| name.as_str()))
                        .map(|name| format!("did you mean `{name}`?"));
                    refuse(format!("there is no axis `{axis}`"), help);
                }
                Some((_, choices)) if !choices.iter().any(|choice| choice.is(value)) => {
                    let keys: Vec<&str> = choices.iter().map(|choice| choice.key.as_str()).collect();
                    refuse(
                        format!("the axis `{axis}` has no value {value}"),
                        Some(format!("it has `{}`", keys.join("`, `"))),
                    );
                }
                Some(_) => {}
            }
        }
        entry.0.clone()
    }

    /// Each added combination names every axis; without other axes the first
    /// one says which there are.
    fn add_included(&mut self, include: &[Assignment], errors: &mut Vec<GridError>) {
        let mut names: BTreeSet<String> = self.axes().map(|(name, _)| name.clone()).collect();
        if names.is_empty() {
            names = include
                .first()
                .into_iter()
                .flat_map(|entry| &entry.0)
                .map(|(axis, _)| axis.clone())
                .collect();
        }
        for (at, entry) in include.iter().enumerate() {
            let given: BTreeSet<String> = entry.0.iter().map(|(axis, _)| axis.clone()).collect();
            if given != names || names.is_empty() {
                let all = names.iter().cloned().collect::<Vec<_>>().join("`, `");
                let message = format!("an added combination must name every axis and nothing else: `{all}`");
                errors.push(GridError { key: "include", inner: Some(Inner::Index(at)), message, help: None });
                continue;
            }
            let combination =
                entry.0.iter().map(|(axis, value)| (axis.clone(), self.choice(axis, value))).collect();
            self.include.push(combination);
        }
    }

    /// A value or the name of one; what the axis does not have is new.
    fn choice(&self, axis: &str, value: &Value) -> Choice {
        let known = self.axes().filter(|(name, _)| name == axis).flat_map(|(_, choices)| choices);
        known
            .into_iter()
            .find(|choice| choice.is(value))
            .cloned()
            .unwrap_or_else(|| Choice { key: value_key(value), value: value.clone() })
    }
}

impl Choice {
    /// Whether `value` is this one, or its key.
    fn is(&self, value: &Value) -> bool {
        self.value == *value || value.as_str().is_some_and(|key| key == self.key)
    }
}

fn cell(combination: Combination) -> Cell {
    let keys = combination.iter().map(|(axis, choice)| (axis.clone(), choice.key.clone())).collect();
    let values = combination.into_iter().map(|(axis, choice)| (axis, value(&choice.value)));
    Cell { keys, values: Arc::new(values.collect()) }
}

fn axis_error(key: &'static str, axis: &str, message: String, help: Option<String>) -> GridError {
    GridError { key, inner: Some(Inner::Axis(axis.to_owned())), message, help }
}

fn choices(key: &'static str, axes: &Axes, errors: &mut Vec<GridError>) -> Vec<(String, Vec<Choice>)> {
    let mut all = vec![];
    for (name, axis) in &axes.0 {
        if !is_name(name) {
            let help = Some("letters, digits and `_`, so that templates can use it".into());
            errors.push(axis_error(key, name, format!("`{name}` is no name for an axis"), help));
        }
        if axis.0.is_empty() {
            errors.push(axis_error(key, name, format!("the axis `{name}` has no values"), None));
        }
        let choices: Vec<Choice> = axis
            .0
            .iter()
            .map(|value| Choice {
                key: value.name.clone().unwrap_or_else(|| value_key(&value.value)),
                value: value.value.clone(),
            })
            .collect();
        // Side by side a value may come again; the whole combination may not.
        let mut seen = BTreeSet::new();
        if let Some(twice) = choices.iter().find(|choice| key == "matrix" && !seen.insert(&choice.key)) {
            errors.push(axis_error(
                key,
                name,
                format!("the axis `{name}` has `{}` twice", twice.key),
                Some("use `repeat` for several takes".into()),
            ));
        }
        if let Some(bad) = choices.iter().find(|choice| {
            choice.key.is_empty() || choice.key.contains(|c: char| c.is_control() || "/,=#".contains(c))
        }) {
            errors.push(axis_error(
                key,
                name,
                format!("`{}` can't be a name in an id", bad.key),
                Some("leave out `/`, `,`, `=` and `#`".into()),
            ));
        }
        all.push((name.clone(), choices));
    }
    all
}

/// Whether templates can use `name` as a variable.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}
