//! Axes and their values, as written: `["white", "sage"]`, or with names:
//! `{ studio = "studio product photo, 85mm" }`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Axes in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axes(pub Vec<(String, Axis)>);

/// The values of one axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis(pub Vec<AxisValue>);

/// One value, named or not.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisValue {
    /// The name, when the axis is written as a table.
    pub name: Option<String>,
    /// What templates see.
    pub value: Value,
}

/// Values, or their names, for some axes or all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assignment(pub Vec<(String, Value)>);

/// Reads a map as pairs in the order of the file.
struct Pairs<T>(std::marker::PhantomData<T>, &'static str);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Pairs<T> {
    type Value = Vec<(String, T)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = vec![];
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

impl<'de> Deserialize<'de> for Axes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor =
            Pairs(std::marker::PhantomData, "a table of axes, such as { colour = [\"white\", \"sage\"] }");
        deserializer.deserialize_map(visitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for Assignment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor =
            Pairs(std::marker::PhantomData, "a table of axes and values, such as { colour = \"white\" }");
        let pairs: Vec<(String, Plain)> = deserializer.deserialize_map(visitor)?;
        Ok(Self(pairs.into_iter().map(|(axis, value)| (axis, value.0)).collect()))
    }
}

impl<'de> Deserialize<'de> for Axis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values;

        impl<'de> Visitor<'de> for Values {
            type Value = Axis;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of values, or a table of names and values")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Axis, A::Error> {
                let mut values = vec![];
                while let Some(Plain(value)) = list.next_element()? {
                    values.push(AxisValue { name: None, value });
                }
                Ok(Axis(values))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Axis, A::Error> {
                let mut values = vec![];
                while let Some((name, value)) = map.next_entry()? {
                    values.push(AxisValue { name: Some(name), value });
                }
                Ok(Axis(values))
            }
        }

        deserializer.deserialize_any(Values)
    }
}

/// A text, a number, or true or false.
struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;

        impl Visitor<'_> for Scalar {
            type Value = Plain;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, true or false; larger values need a name: { name = value }")
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Plain, E> {
                Ok(Plain(flag.into()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Plain, E> {
                Ok(Plain(number.into()))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Plain, E> {
                Ok(Plain(number.into()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Plain, E> {
                Ok(Plain(text.into()))
            }
        }

        deserializer.deserialize_any(Scalar)
    }
}

impl JsonSchema for Axes {
    fn schema_name() -> Cow<'static, str> {
        "Axes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": {
                "oneOf": [
                    {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1},
                    {"type": "object", "minProperties": 1}
                ]
            }
        })
    }
}

impl JsonSchema for Assignment {
    fn schema_name() -> Cow<'static, str> {
        "Assignment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}, "minProperties": 1})
    }
}
