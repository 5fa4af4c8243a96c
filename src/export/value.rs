//! The types of columns and the values in their cells. One type a column:
//! what the rows hold is widened until every value fits without a loss.

use serde_json::Value;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// True or false.
    Bool,
    /// A whole number of 64 bits with a sign.
    Int,
    /// A floating-point number of 64 bits.
    Float,
    /// Text; lists and objects are written as JSON.
    Text,
}

impl Kind {
    /// Its name to the `datasets` library.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int64",
            Self::Float => "float64",
            Self::Text => "string",
        }
    }
}

/// A value that fits its column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// The row has no value here.
    Null,
    /// Of a [`Kind::Bool`].
    Bool(bool),
    /// Of a [`Kind::Int`].
    Int(i64),
    /// Of a [`Kind::Float`].
    Float(f64),
    /// Of a [`Kind::Text`].
    Text(String),
}

/// Whole numbers up to here are exact as floating-point numbers.
const EXACT: u64 = 1 << 53;

/// The narrowest type of the values seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Widest {
    kind: Option<Kind>,
    /// A whole number was seen that a float would round.
    large: bool,
}

impl Widest {
    /// Takes one more value in; nulls say nothing.
    pub(super) fn add(&mut self, value: &Value) {
        let Some(kind) = kind_of(value) else { return };
        self.large |= value.as_i64().is_some_and(|whole| whole.unsigned_abs() > EXACT);
        self.kind = Some(match (self.kind, kind) {
            (None, kind) => kind,
            (Some(seen), kind) if seen == kind => kind,
            (Some(Kind::Int | Kind::Float), Kind::Int | Kind::Float) => Kind::Float,
            _ => Kind::Text,
        });
    }

    /// The type in which every value that was seen fits. Text where none was.
    pub(super) fn kind(self) -> Kind {
        match self.kind {
            Some(Kind::Float) if self.large => Kind::Text,
            kind => kind.unwrap_or(Kind::Text),
        }
    }
}

fn kind_of(value: &Value) -> Option<Kind> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => Kind::Bool,
        Value::Number(number) if number.is_i64() => Kind::Int,
        Value::Number(number) if number.is_f64() => Kind::Float,
        // A number that no column holds without a loss stays as it is written.
        Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => Kind::Text,
    })
}

impl Cell {
    /// The value in a column of this type, which was widened for it.
    pub(super) fn of(value: Option<&Value>, kind: Kind) -> Self {
        let Some(value) = value.filter(|value| !value.is_null()) else { return Self::Null };
        let cell = match kind {
            Kind::Bool => value.as_bool().map(Self::Bool),
            Kind::Int => value.as_i64().map(Self::Int),
            Kind::Float => value.as_f64().map(Self::Float),
            Kind::Text => value.as_str().map(Self::text),
        };
        // Text stands for whatever is no text.
        cell.unwrap_or_else(|| Self::Text(value.to_string()))
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn text_or_null(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    pub(super) fn int(number: impl TryInto<i64>) -> Self {
        number.try_into().map_or(Self::Null, Self::Int)
    }

    /// As JSON.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(number) => Value::from(*number),
            Self::Float(number) => Value::from(*number),
            Self::Text(text) => Value::String(text.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind(values: &[Value]) -> Kind {
        let mut widest = Widest::default();
        for value in values {
            widest.add(value);
        }
        widest.kind()
    }

    #[test]
    fn a_column_has_the_narrowest_type_that_holds_all_its_values() {
        let rows = [
            (json!([]), Kind::Text),
            (json!([null]), Kind::Text),
            (json!([1, null, -2]), Kind::Int),
            (json!([1, 2.5]), Kind::Float),
            (json!([2.5, 1]), Kind::Float),
            (json!([true, null]), Kind::Bool),
            (json!([true, 1]), Kind::Text),
            (json!(["007", 7]), Kind::Text),
            (json!([[1], [2]]), Kind::Text),
            (json!([{ "a": 1 }]), Kind::Text),
            (json!([9_007_199_254_740_993_i64]), Kind::Int),
            (json!([9_007_199_254_740_993_i64, 0.5]), Kind::Text),
            (json!([0.5, 9_007_199_254_740_992_i64]), Kind::Float),
            (json!([18_446_744_073_709_551_615_u64]), Kind::Text),
            (json!(["a", 1, 2]), Kind::Text),
        ];
        for (values, expected) in rows {
            assert_eq!(kind(values.as_array().unwrap()), expected, "{values}");
        }
    }

    #[test]
    fn a_widened_value_is_the_same_value() {
        let rows = [
            (json!(3), Kind::Float, json!(3.0)),
            (json!(3), Kind::Text, json!("3")),
            (json!("3"), Kind::Text, json!("3")),
            (json!(true), Kind::Text, json!("true")),
            (json!([1, "a"]), Kind::Text, json!("[1,\"a\"]")),
            (json!(9_007_199_254_740_993_i64), Kind::Text, json!("9007199254740993")),
            (Value::Null, Kind::Int, Value::Null),
        ];
        for (value, kind, expected) in rows {
            assert_eq!(Cell::of(Some(&value), kind).json(), expected, "{value}");
        }
        assert_eq!(Cell::of(None, Kind::Text), Cell::Null);
    }
}
