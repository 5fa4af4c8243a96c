//! Tolerant access to the provider's JSON. A field of the wrong type reads as
//! absent: an odd `progress` must not cost a paid picture.

use serde_json::Value;

use crate::job::Credits;

/// Longest text kept of a message, in characters.
const TEXT: usize = 2_000;
/// Longest code kept, in characters.
const CODE: usize = 200;

/// An object's text field; absent where it is empty.
pub(super) fn text(object: &Value, field: &str) -> Option<String> {
    let text = object.get(field)?.as_str()?;
    (!text.is_empty()).then(|| text.chars().take(TEXT).collect())
}

/// A code: a string, in some places an integer.
pub(super) fn code(object: &Value, field: &str) -> Option<String> {
    match object.get(field)? {
        Value::String(code) if !code.is_empty() => Some(code.chars().take(CODE).collect()),
        Value::Number(code) => Some(code.to_string()),
        _ => None,
    }
}

/// An object's number.
pub(super) fn number(object: &Value, field: &str) -> Option<f64> {
    object.get(field)?.as_f64()
}

/// An object's whole number.
pub(super) fn integer(object: &Value, field: &str) -> Option<i64> {
    let value = object.get(field)?;
    value.as_i64().or_else(|| Some(value.as_f64()? as i64))
}

/// An amount of credits; absent where it is negative.
pub(super) fn credits(object: &Value, field: &str) -> Option<Credits> {
    Credits::from_f64(number(object, field)?).filter(|amount| *amount >= Credits::ZERO)
}

/// An id that can stand in a path, a ledger and a log: up to 200 printable
/// ASCII characters without `/`.
pub(super) fn plausible_id(object: &Value) -> Option<&str> {
    let id = object.get("id")?.as_str()?;
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
    (!id.is_empty() && id.len() <= 200 && id.bytes().all(plain)).then_some(id)
}

/// The links of a completed task: strings or objects with `url`, from
/// `results` or, where that has none, from `result_data`.
pub(super) fn links(task: &Value) -> Vec<String> {
    let in_field = |field| {
        let items = task.get(field).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(link).collect::<Vec<_>>()
    };
    let links = in_field("results");
    if links.is_empty() { in_field("result_data") } else { links }
}

fn link(item: &Value) -> Option<String> {
    let url = item.as_str().or_else(|| item.get("url")?.as_str())?;
    (!url.is_empty()).then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn links_come_in_four_shapes() {
        for (task, expected) in [
            (json!({"results": ["a", "b"]}), vec!["a", "b"]),
            (json!({"results": [{"url": "a"}, "b", {"b64": "x"}, null, 7, ""]}), vec!["a", "b"]),
            (json!({"results": [], "result_data": [{"url": "c"}]}), vec!["c"]),
            (json!({"result_data": [{"url": "c"}]}), vec!["c"]),
            (json!({"results": "a"}), vec![]),
            (json!({"results": null}), vec![]),
        ] {
            assert_eq!(links(&task), expected, "{task}");
        }
    }

    #[test]
    fn ids_are_plain_tokens() {
        let long = "x".repeat(201);
        for bad in ["", "a/b", "a b", "a\n", "é", "\u{1b}[1m", &long] {
            assert_eq!(plausible_id(&json!({ "id": bad })), None, "{bad:?}");
        }
        for bad in [json!({}), json!({"id": 7}), json!({"id": null}), json!([]), json!("id")] {
            assert_eq!(plausible_id(&bad), None, "{bad}");
        }
        assert_eq!(plausible_id(&json!({"id": "task-unified-1-a"})), Some("task-unified-1-a"));
    }

    #[test]
    fn wrong_types_read_as_absent() {
        let odd = json!({"n": "7", "c": -1.0, "huge": 1e300, "t": 4, "code": {}, "i": 2.9});
        assert_eq!(number(&odd, "n"), None);
        assert_eq!(credits(&odd, "c"), None);
        assert_eq!(credits(&odd, "huge"), None);
        assert_eq!(text(&odd, "t"), None);
        assert_eq!(code(&odd, "code"), None);
        assert_eq!(integer(&odd, "i"), Some(2));
        assert_eq!(code(&json!({"code": 40001}), "code").as_deref(), Some("40001"));
    }
}
