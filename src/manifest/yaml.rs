//! YAML 1.2 into nodes: core schema, anchors, aliases and merge keys, with a
//! budget for what aliases copy.
//!
//! Built on the events of the parser below serde-saphyr, because they carry
//! the bytes of every key and value.

use std::collections::HashMap;

use serde_yaml::granit_parser::{Event, Options, Parser, ScalarStyle, Span as Mark, StrInput, Tag};

use super::node::{Entry, Fault, Node, Span, Tree, VALUES, repeated_key, too_many_values};

/// Copies made for anchors and aliases may not weigh more than the largest
/// manifest; a bomb ends here.
const COPIES: usize = 16 << 20;
/// What a node weighs beside its text.
const NODE: usize = 64;
/// Collections inside collections.
const DEPTH: usize = 100;

/// Reads a YAML stream of one document.
pub(super) fn read(text: &str) -> Result<Node, Vec<Fault>> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { parser, length: text.len(), anchors: HashMap::new(), copied: 0, nodes: 0 };
    reader.document().map_err(|fault| vec![fault])
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    length: usize,
    anchors: HashMap<usize, Weighed>,
    copied: usize,
    nodes: usize,
}

/// A node and the memory that a copy of it takes.
#[derive(Clone)]
struct Weighed {
    node: Node,
    weight: usize,
    /// The plain, untagged scalar `<<`, which merges maps when it is a key.
    merge: bool,
}

type Read<T> = Result<T, Fault>;

impl<'t> Reader<'t> {
    fn document(&mut self) -> Read<Node> {
        let mut root = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) | Event::DocumentEnd => {}
                _ if root.is_some() => {
                    return Err(Fault::new(
                        "a manifest is one YAML document; here begins a second one",
                        span,
                    ));
                }
                event => root = Some(self.node(event, span, 0)?.node),
            }
        }
        root.ok_or_else(|| Fault::new("the file is empty", Span::default()))
    }

    fn next(&mut self) -> Read<Option<(Event<'t>, Span)>> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, mark))) => Ok(Some((event, self.span(mark)))),
            Some(Err(error)) => {
                let start = error.marker().byte_offset().unwrap_or(0).min(self.length);
                Err(Fault::new(error.info(), Span::new(start, start)))
            }
        }
    }

    /// The next event inside a collection that began at `start`.
    fn inner(&mut self, start: Span) -> Read<(Event<'t>, Span)> {
        self.next()?.ok_or_else(|| Fault::new("this is not closed", start))
    }

    fn span(&self, mark: Mark) -> Span {
        let range = mark.byte_range().unwrap_or(0..0);
        Span::new(range.start.min(self.length), range.end.min(self.length))
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Read<Weighed> {
        self.nodes += 1;
        if self.nodes > VALUES {
            return Err(too_many_values(span));
        }
        if depth > DEPTH {
            return Err(Fault::new(format!("nested deeper than {DEPTH} levels"), span));
        }
        match event {
            Event::Alias(id) => self.alias(id, span),
            Event::Scalar(text, style, anchor, tag) => {
                let merge = style == ScalarStyle::Plain && tag.is_none() && text == "<<";
                let weight = NODE + text.len();
                let value = scalar(&text, style, tag.as_deref(), span)?;
                self.anchored(anchor, Weighed { node: Node { span, value }, weight, merge })
            }
            Event::SequenceStart(_, anchor, tag) => {
                collection_tag(tag.as_deref(), "seq", span)?;
                let list = self.list(span, depth + 1)?;
                self.anchored(anchor, list)
            }
            Event::MappingStart(_, anchor, tag) => {
                collection_tag(tag.as_deref(), "map", span)?;
                let map = self.map(span, depth + 1)?;
                self.anchored(anchor, map)
            }
            _ => Err(Fault::new("this is not a value", span)),
        }
    }

    fn list(&mut self, start: Span, depth: usize) -> Read<Weighed> {
        let (mut nodes, mut weight) = (vec![], NODE);
        loop {
            let (event, span) = self.inner(start)?;
            if event == Event::SequenceEnd {
                let span = Span { start: start.start, end: span.end };
                return Ok(Weighed { node: Node { span, value: Tree::List(nodes) }, weight, merge: false });
            }
            let item = self.node(event, span, depth)?;
            weight += item.weight;
            nodes.push(item.node);
        }
    }

    fn map(&mut self, start: Span, depth: usize) -> Read<Weighed> {
        let (mut entries, mut merged, mut weight) = (vec![], vec![], NODE);
        loop {
            let (event, span) = self.inner(start)?;
            if event == Event::MappingEnd {
                if let Some(fault) = repeated_key(&entries) {
                    return Err(fault);
                }
                merge_into(&mut entries, merged);
                let span = Span { start: start.start, end: span.end };
                return Ok(Weighed { node: Node { span, value: Tree::Map(entries) }, weight, merge: false });
            }
            let text = key_text(&event);
            let key = self.node(event, span, depth)?;
            let (event, span) = self.inner(start)?;
            let value = self.node(event, span, depth)?;
            weight += key.weight + value.weight;
            if key.merge {
                merged.extend(maps_of(value.node)?);
                continue;
            }
            let key_span = key.node.span;
            let key = text.or_else(|| scalar_text(&key.node.value));
            let key = key.ok_or_else(|| Fault::new("a key must be plain text", key_span))?;
            entries.push(Entry { key, key_span, value: value.node });
        }
    }

    fn anchored(&mut self, anchor: usize, weighed: Weighed) -> Read<Weighed> {
        if anchor != 0 {
            self.charge(weighed.weight, weighed.node.span)?;
            self.anchors.insert(anchor, weighed.clone());
        }
        Ok(weighed)
    }

    fn alias(&mut self, id: usize, span: Span) -> Read<Weighed> {
        let Some(weight) = self.anchors.get(&id).map(|anchored| anchored.weight) else {
            return Err(Fault::new("this alias stands inside the value that it names", span));
        };
        self.charge(weight, span)?;
        Ok(self.anchors[&id].clone())
    }

    fn charge(&mut self, weight: usize, span: Span) -> Read<()> {
        self.copied += weight;
        if self.copied > COPIES {
            return Err(Fault::new("aliases would copy more than 16 MiB here", span)
                .with_help("use `matrix`, `rows` or `defaults` instead of aliases inside aliases"));
        }
        Ok(())
    }
}

/// The text of a scalar key as it stands there, so that `1:` and `no:` are
/// keys like any other.
fn key_text(event: &Event<'_>) -> Option<String> {
    match event {
        Event::Scalar(text, ..) => Some(text.to_string()),
        _ => None,
    }
}

fn scalar_text(value: &Tree) -> Option<String> {
    match value {
        Tree::Text(text) => Some(text.clone()),
        Tree::Int(number) => Some(number.to_string()),
        Tree::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The maps that a merge key names: one, or a list of them.
fn maps_of(node: Node) -> Read<Vec<Entry>> {
    let refuse = |span| Fault::new("`<<` merges a map or a list of maps", span);
    match node.value {
        Tree::Map(entries) => Ok(entries),
        Tree::List(nodes) => nodes.into_iter().try_fold(vec![], |mut all, node| match node.value {
            Tree::Map(entries) => {
                all.extend(entries);
                Ok(all)
            }
            _ => Err(refuse(node.span)),
        }),
        _ => Err(refuse(node.span)),
    }
}

/// Own keys win over merged ones, earlier merged ones over later ones.
fn merge_into(entries: &mut Vec<Entry>, merged: Vec<Entry>) {
    let mut known: std::collections::HashSet<String> =
        entries.iter().map(|entry| entry.key.clone()).collect();
    entries.extend(merged.into_iter().filter(|entry| known.insert(entry.key.clone())));
}

fn collection_tag(tag: Option<&Tag>, expected: &str, span: Span) -> Read<()> {
    match tag.map(Tag::core_suffix) {
        None => Ok(()),
        Some(Some(suffix)) if suffix == expected => Ok(()),
        Some(_) => Err(Fault::new("this tag means nothing in a manifest", span)),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Read<Tree> {
    let plain = || if style == ScalarStyle::Plain { resolve(text) } else { Tree::Text(text.to_owned()) };
    let Some(tag) = tag else { return Ok(plain()) };
    let value = match tag.core_suffix() {
        Some("str") => Some(Tree::Text(text.to_owned())),
        Some("int" | "bool" | "null") => {
            Some(resolve(text)).filter(|value| !matches!(value, Tree::Text(_) | Tree::Float(_)))
        }
        Some("float") => text.parse().ok().filter(|float: &f64| float.is_finite()).map(Tree::Float),
        _ => return Err(Fault::new("this tag means nothing in a manifest", span)),
    };
    value.ok_or_else(|| Fault::new(format!("`{text}` is not what its tag says"), span))
}

/// The core schema of YAML 1.2: `no`, `on` and `16:9` are text.
fn resolve(text: &str) -> Tree {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Tree::Null,
        "true" | "True" | "TRUE" => return Tree::Bool(true),
        "false" | "False" | "FALSE" => return Tree::Bool(false),
        _ => {}
    }
    let radix = |prefix: &str, radix| {
        text.strip_prefix(prefix)
            .filter(|digits| !digits.starts_with(['+', '-']))
            .and_then(|digits| i64::from_str_radix(digits, radix).ok())
    };
    if let Some(number) = text.parse().ok().or_else(|| radix("0x", 16)).or_else(|| radix("0o", 8)) {
        return Tree::Int(number);
    }
    match text.parse::<f64>() {
        Ok(number)
            if number.is_finite() && text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) =>
        {
            Tree::Float(number)
        }
        _ => Tree::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::node::Step;

    fn json(node: &Node) -> serde_json::Value {
        match &node.value {
            Tree::Null => serde_json::Value::Null,
            Tree::Bool(flag) => (*flag).into(),
            Tree::Int(number) => (*number).into(),
            Tree::Float(number) => (*number).into(),
            Tree::Text(text) => text.as_str().into(),
            Tree::List(nodes) => nodes.iter().map(json).collect(),
            Tree::Map(entries) => entries.iter().map(|e| (e.key.clone(), json(&e.value))).collect(),
        }
    }

    #[test]
    fn scalars_follow_the_core_schema_of_1_2() {
        let text = "[16:9, no, on, 1e3, 0o17, 0x1F, 007, 1.5, ~, true, '1', !!str 1, 2026-11-22, .5, 12:30:45, 1_000, .inf]";
        assert_eq!(
            json(&read(text).unwrap()),
            serde_json::json!([
                "16:9",
                "no",
                "on",
                1000.0,
                15,
                31,
                7,
                1.5,
                null,
                true,
                "1",
                "1",
                "2026-11-22",
                0.5,
                "12:30:45",
                "1_000",
                ".inf"
            ])
        );
    }

    #[test]
    fn anchors_aliases_and_merge_keys() {
        let text = "base: &b {q: low, n: 1}\nmore: &m {n: 3, z: 1}\njob:\n  <<: [*b, *m]\n  n: 2\nsame: *b\nquoted: {'<<': 1}\n";
        assert_eq!(
            json(&read(text).unwrap()),
            serde_json::json!({
                "base": {"q": "low", "n": 1}, "more": {"n": 3, "z": 1},
                "job": {"n": 2, "q": "low", "z": 1}, "same": {"q": "low", "n": 1}, "quoted": {"<<": 1}
            })
        );
    }

    #[test]
    fn places_are_bytes() {
        let text = "é: 1\njobs:\n  - prompt: ünï\n    size: 16:9\n";
        let span = read(text).unwrap().locate(&[Step::from("jobs"), 0.into(), "size".into()]);
        assert_eq!(&text[span.start as usize..span.end as usize], "16:9");
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        for wrong in [
            "",
            "a: 1\na: 2",
            "a: &x [*x]",
            "a: *nowhere",
            "a: 1\n---\nb: 2",
            "a: !custom 1",
            "? [a, b]\n: 1",
            "a: [1",
            "a:\n\t- 1",
            "<<: 1",
            "a: !!int x",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?} passed");
        }
        assert!(read(&"[".repeat(1_000_000)).is_err());
        assert!(read(&"- ".repeat(100_000)).is_err());
    }

    #[test]
    fn a_bomb_of_aliases_ends_at_its_budget() {
        let mut text = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
        for level in 1..12 {
            let inner = vec![format!("*a{}", level - 1); 9].join(", ");
            text = format!("{text}a{level}: &a{level} [{inner}]\n");
        }
        let faults = read(&text).unwrap_err();
        assert!(faults[0].message.contains("16 MiB"), "{faults:?}");
    }
}
