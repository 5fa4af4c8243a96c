//! TOML into nodes. All syntax errors of a file are found at once.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::node::{Entry, Fault, Node, Span, Tree};

/// Reads a TOML document.
pub(super) fn read(text: &str) -> Result<Node, Vec<Fault>> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut faults: Vec<Fault> = errors
        .iter()
        .map(|error| Fault {
            message: error.message().trim().replace('\n', "; "),
            help: None,
            span: Some(error.span().map_or_else(Span::default, Into::into)),
        })
        .collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let span = root.span();
    let node = Node { span: span.into(), value: table(root.into_inner(), &mut faults) };
    if faults.is_empty() { Ok(node) } else { Err(faults) }
}

/// The parser sorts keys by name; here they stand in the order of the file.
fn table(table: DeTable<'_>, faults: &mut Vec<Fault>) -> Tree {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| Entry {
            key_span: key.span().into(),
            key: key.into_inner().into_owned(),
            value: node(value, faults),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_span.start);
    Tree::Map(entries)
}

fn node(value: Spanned<DeValue<'_>>, faults: &mut Vec<Fault>) -> Node {
    let span = Span::from(value.span());
    let value = match value.into_inner() {
        DeValue::String(text) => Tree::Text(text.into_owned()),
        DeValue::Boolean(flag) => Tree::Bool(flag),
        DeValue::Datetime(moment) => Tree::Text(moment.to_string()),
        DeValue::Array(list) => Tree::List(list.into_iter().map(|value| node(value, faults)).collect()),
        DeValue::Table(inner) => table(inner, faults),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| refuse(number.as_str(), span, faults), Tree::Int),
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(float) if float.is_finite() => Tree::Float(float),
            _ => refuse(number.as_str(), span, faults),
        },
    };
    Node { span, value }
}

fn refuse(number: &str, span: Span, faults: &mut Vec<Fault>) -> Tree {
    faults.push(Fault::new(format!("the number {number} is out of range"), span));
    Tree::Null
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::node::Step;

    #[test]
    fn keys_keep_their_order_and_places() {
        let text = "b = 1\n[[jobs]]\nz.y = [0x1F, 1_000, 1.5]\na = 1979-05-27\n";
        let root = read(text).unwrap();
        let at = |path: &[Step]| {
            let span = root.locate(path);
            &text[span.start as usize..span.end as usize]
        };
        assert_eq!(at(&["jobs".into(), 0.into(), "a".into()]), "1979-05-27");
        assert_eq!(at(&["jobs".into(), 0.into(), "z".into(), "y".into(), 1.into()]), "1_000");
        let Tree::Map(entries) = &root.value else { panic!("no map") };
        assert_eq!(entries.iter().map(|e| e.key.as_str()).collect::<Vec<_>>(), ["b", "jobs"]);
    }

    #[test]
    fn several_errors_come_at_once_and_odd_numbers_are_refused() {
        assert!(read("a = \nb = 1\nc = \n").unwrap_err().len() >= 2);
        assert_eq!(read("a = nan\nb = 99999999999999999999\n").unwrap_err().len(), 2);
    }

    #[test]
    fn deep_nesting_ends_in_an_error() {
        assert!(read(&format!("a = {}", "[".repeat(100_000))).is_err());
        assert!(read(&format!("{}a = 1", "a.".repeat(100_000))).is_err());
        assert!(read(&format!("a = {}1{}", "{a=".repeat(50_000), "}".repeat(50_000))).is_err());
    }
}
