//! The variables that a template sees: vars, then axes, then the row; and in
//! `out` and `meta` also the job's own id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::Object;
use serde_json::{Map, Value as Json};

/// Variables from one place.
pub(super) type Layer = Arc<BTreeMap<String, Value>>;

/// The layers that one job's templates see. Cloning costs four counters.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    vars: Layer,
    axes: Layer,
    /// As it was read: a template uses few of many columns.
    row: Arc<Map<String, Json>>,
    own: Layer,
}

/// A layer of JSON values.
pub(super) fn layer(values: &Map<String, Json>) -> Layer {
    Arc::new(given(values).map(|(name, json)| (name.clone(), value(json))).collect())
}

/// A null is an absent value: "a None mug" must never be ordered.
fn given(values: &Map<String, Json>) -> impl Iterator<Item = (&String, &Json)> {
    values.iter().filter(|(_, json)| !json.is_null())
}

/// A JSON value as templates see it.
pub(super) fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::from(whole),
            None => Value::from(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(list) => list.iter().map(value).collect(),
        Json::Object(map) => Value::from_pairs(map.iter().map(|(key, json)| (key.clone(), value(json)))),
    }
}

impl Scope {
    pub(super) fn new(vars: Layer) -> Self {
        Self { vars, ..Self::default() }
    }

    pub(super) fn with_row(&self, row: Arc<Map<String, Json>>) -> Self {
        Self { row, ..self.clone() }
    }

    pub(super) fn with_axes(&self, axes: Layer) -> Self {
        Self { axes, ..self.clone() }
    }

    /// What the planner itself provides; it hides a column of the same name.
    pub(super) fn with_own<const N: usize>(&self, own: [(&str, Value); N]) -> Self {
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { own: Arc::new(own), ..self.clone() }
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn names(&self) -> BTreeSet<String> {
        let layers = [&self.own, &self.axes, &self.vars].into_iter().flat_map(|layer| layer.keys());
        layers.chain(given(&self.row).map(|(name, _)| name)).cloned().collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<Value> {
        let column = || self.row.get(name).filter(|json| !json.is_null()).map(value);
        let outer = || self.axes.get(name).or_else(|| self.vars.get(name)).cloned();
        self.own.get(name).cloned().or_else(column).or_else(outer)
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.get(key)
    }
}
