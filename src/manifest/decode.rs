//! From the tree to plain serde structs: a deserializer that knows where each
//! value stands, and a loop that reports every fault and not only the first.

use std::fmt::Display;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::node::{Entry, Fault, Node, Span, Tree};
use super::redact::SECRETS;

/// Decodes as much as is valid. Each fault is recorded and the value that
/// caused it is taken out, until the rest decodes or nothing is left.
pub(super) fn decode<T: DeserializeOwned>(
    node: &mut Node,
    faults: &mut Vec<Fault>,
    limit: usize,
) -> Option<T> {
    loop {
        let fault = match T::deserialize(At(node)) {
            Ok(value) => return Some(value),
            Err(fault) => fault,
        };
        let span = fault.span.unwrap_or(node.span);
        faults.push(Fault { span: Some(span), ..fault });
        if faults.len() >= limit || !node.remove(span) {
            return None;
        }
    }
}

impl std::error::Error for Fault {}

impl Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl Fault {
    /// The innermost place wins: it is set first.
    fn or_at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }
}

impl de::Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self { message: message.to_string(), help: None, span: None }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format!("expected {}, found {}", kind(expected), shown(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }
}

/// What serde calls a type, in the words of a manifest.
fn kind(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "u32" | "u64" => "a whole number from 0 on".into(),
        "i64" => "a whole number".into(),
        "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a sequence" => "a list".into(),
        "a map" => "a table".into(),
        text if text.starts_with("struct ") => "a table".into(),
        text => text.into(),
    }
}

fn shown(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(flag) => flag.to_string(),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) if text.chars().count() > 40 => "a text".into(),
        Unexpected::Str(text) => format!("the text {text:?}"),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a table".into(),
        Unexpected::Unit | Unexpected::Option => "nothing".into(),
        other => other.to_string(),
    }
}

/// A node that is being decoded.
#[derive(Clone, Copy)]
struct At<'de>(&'de Node);

impl<'de> Deserializer<'de> for At<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match &self.0.value {
            Tree::Null => visitor.visit_unit(),
            Tree::Bool(flag) => visitor.visit_bool(*flag),
            Tree::Int(number) => visitor.visit_i64(*number),
            Tree::Float(number) => visitor.visit_f64(*number),
            Tree::Text(text) => visitor.visit_borrowed_str(text),
            Tree::List(nodes) => visitor.visit_seq(Items(nodes.iter())),
            Tree::Map(entries) => visitor.visit_map(Fields { entries: entries.iter(), value: None }),
        };
        result.map_err(|fault| fault.or_at(self.0.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.value {
            Tree::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if let Tree::Map(entries) = &self.0.value {
            let unknown = entries.iter().find(|entry| !fields.contains(&entry.key.as_str()));
            unknown.map_or(Ok(()), |entry| Err(unknown_key(name, entry, fields)))?;
        }
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.0
            .next()
            .map(|node| seed.deserialize(At(node)).map_err(|fault| fault.or_at(node.span)))
            .transpose()
    }
}

struct Fields<'de> {
    entries: std::slice::Iter<'de, Entry>,
    value: Option<&'de Node>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        self.value = Some(&entry.value);
        let key = de::value::BorrowedStrDeserializer::<Fault>::new(&entry.key);
        seed.deserialize(key).map(Some).map_err(|fault| fault.or_at(entry.key_span))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let node = self.value.take().ok_or_else(|| de::Error::custom("a key without a value"))?;
        seed.deserialize(At(node)).map_err(|fault| fault.or_at(node.span))
    }
}

/// What the API and its kin call the same thing.
const MEANT: [(&str, &str); 9] = [
    ("image", "images"),
    ("image_url", "images"),
    ("image_urls", "images"),
    ("references", "images"),
    ("mask_url", "mask"),
    ("aspect_ratio", "size"),
    ("count", "n"),
    ("num_images", "n"),
    ("output", "out"),
];

fn unknown_key(table: &str, entry: &Entry, fields: &[&str]) -> Fault {
    let key = entry.key.as_str();
    if table == "Provider" && SECRETS.iter().any(|secret| secret.eq_ignore_ascii_case(key)) {
        let message = format!(
            "`{key}`: a key in a manifest is refused, because it ends up in backups and repositories"
        );
        return Fault::new(message, entry.key_span)
            .with_help("name the environment variable in `api_key_env`, or a file in `api_key_file`; and renew the key if this file was shared");
    }
    let meant = MEANT.iter().find(|(other, known)| *other == key && fields.contains(known));
    let meant = meant.map(|(_, known)| *known);
    let help = match meant.or_else(|| nearest(key, fields.iter().copied())) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("known keys are `{}`", fields.join("`, `")),
    };
    Fault::new(format!("unknown key `{key}`"), entry.key_span).with_help(help)
}

/// The known name that `text` was probably meant to be.
pub(crate) fn nearest<'k>(text: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let text = text.to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&text, &name.to_lowercase());
    known
        .map(|name| (distance(name), name))
        .filter(|(distance, name)| *distance <= name.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_their_key() {
        let known = ["prompt", "prompts", "quality", "n", "id"];
        for (typed, meant) in [
            ("promt", Some("prompt")),
            ("Quality", Some("quality")),
            ("qualty", Some("quality")),
            ("zzz", None),
        ] {
            assert_eq!(nearest(typed, known.into_iter()), meant, "{typed}");
        }
    }
}
