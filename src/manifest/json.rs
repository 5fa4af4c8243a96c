//! JSON into nodes, strictly: no comments, no trailing commas.

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::node::{Entry, Fault, Node, Span, Tree, repeated_key};

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads a JSON document.
pub(super) fn read(text: &str) -> Result<Node, Vec<Fault>> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT)
        .map_err(|error| vec![Fault::new(error.kind().to_string(), span(error.range()))])?;
    let mut faults = vec![];
    let root = match parsed.value {
        Some(value) => node(value, &mut faults),
        None => return Err(vec![Fault::new("the file is empty", Span::default())]),
    };
    if faults.is_empty() { Ok(root) } else { Err(faults) }
}

fn span(range: Range) -> Span {
    Span::new(range.start, range.end)
}

fn node(value: Value<'_>, faults: &mut Vec<Fault>) -> Node {
    let span = span(value.range());
    let value = match value {
        Value::NullKeyword(_) => Tree::Null,
        Value::BooleanLit(flag) => Tree::Bool(flag.value),
        Value::StringLit(text) => Tree::Text(text.value.into_owned()),
        Value::NumberLit(number) => number_of(number.value).unwrap_or_else(|| {
            faults.push(Fault::new(format!("the number {} is out of range", number.value), span));
            Tree::Null
        }),
        Value::Array(list) => {
            Tree::List(list.elements.into_iter().map(|value| node(value, faults)).collect())
        }
        Value::Object(object) => map(object, faults),
    };
    Node { span, value }
}

fn map(object: Object<'_>, faults: &mut Vec<Fault>) -> Tree {
    let entries: Vec<Entry> = object
        .properties
        .into_iter()
        .map(|property| Entry {
            key_span: span(property.name.range()),
            key: property.name.into_string(),
            value: node(property.value, faults),
        })
        .collect();
    faults.extend(repeated_key(&entries));
    Tree::Map(entries)
}

fn number_of(text: &str) -> Option<Tree> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Tree::Int(whole));
    }
    let float = text.parse::<f64>().ok()?;
    (float.is_finite() && text.contains(['.', 'e', 'E'])).then_some(Tree::Float(float))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_json_passes() {
        assert!(read(r#"{"a": [1, 2.5, null, true, "x"]}"#).is_ok());
        for wrong in [
            "{\"a\": 1,}",
            "// x\n{}",
            "{a: 1}",
            "{'a': 1}",
            "{\"a\": +1}",
            "{\"a\": 0x1}",
            "{\"a\": 1} {}",
            "",
            "{\"a\": 1, \"a\": 2}",
            "{\"a\": 99999999999999999999}",
            "{\"a\" 1}",
            "[1 2]",
            "{\"a\": NaN}",
        ] {
            assert!(read(wrong).is_err(), "{wrong} passed");
        }
    }

    #[test]
    fn surrogate_pairs_make_one_character() {
        let Tree::List(list) = read(r#"["\uD834\uDD1E"]"#).unwrap().value else { panic!("no list") };
        assert_eq!(list[0].value, Tree::Text("\u{1d11e}".into()));
        assert!(read(r#"["\uD834"]"#).is_err());
    }

    #[test]
    fn deep_nesting_ends_in_an_error() {
        assert!(read(&"[".repeat(1_000_000)).is_err());
    }
}
