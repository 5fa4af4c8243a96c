//! docs/reference.md is the JSON Schema of a manifest as tables. With
//! `UPDATE_REFERENCE=1` this writes it anew.

use std::fmt::Write;
use std::fs;

use serde_json::Value;

const PAGE: &str = "docs/reference.md";

const HEAD: &str = "# Every key of a manifest

Made from the JSON Schema that `imgbatch schema` prints, which editors read as
well. [Manifests](manifest.md) says how the keys work together, and which rules
the API has for their values.
";

const SECTIONS: [(&str, &str); 6] = [
    ("Provider", "`[provider]`"),
    ("Run", "`[run]`"),
    ("Spending", "`[budget]`"),
    ("Callback", "`[callback]`"),
    ("Defaults", "`[defaults]`"),
    ("Job", "`[[jobs]]`"),
];

#[test]
fn the_reference_is_the_schemas() {
    let schema = imgbatch::manifest::json_schema();
    let mut page = HEAD.to_owned();
    section(&mut page, "The top level", &schema, &schema["$defs"]);
    for (name, title) in SECTIONS {
        section(&mut page, title, &schema["$defs"][name], &schema["$defs"]);
    }
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(PAGE, &page).unwrap();
    }
    let written = fs::read_to_string(PAGE).unwrap_or_default();
    assert!(written == page, "{PAGE} is old; UPDATE_REFERENCE=1 cargo test --test book writes it anew");
}

fn section(page: &mut String, title: &str, table: &Value, defs: &Value) {
    let about = table["description"].as_str().unwrap_or_default();
    let _ = write!(
        page,
        "\n## {title}\n\n{}\n\n| key | value | default | meaning |\n|---|---|---|---|\n",
        line(about)
    );
    let keys = table["properties"].as_object().expect("a section has keys");
    for (key, value) in keys {
        let default = match &value["default"] {
            Value::String(text) => format!("`{text}`"),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => format!("`{flag}`"),
            _ => String::new(),
        };
        let about = line(value["description"].as_str().unwrap_or_default());
        let _ = writeln!(page, "| `{key}` | {} | {default} | {about} |", kind(value, defs));
    }
}

/// What a value is, in words.
fn kind(value: &Value, defs: &Value) -> String {
    if let Some(name) = value["$ref"].as_str().and_then(|link| link.rsplit('/').next()) {
        return match name {
            "Axes" => "table of axes and their values".into(),
            "Assignment" => "table of axes and keys".into(),
            _ if defs[name]["properties"].is_object() => "table".into(),
            _ if defs[name]["anyOf"].is_array() => kind(&defs[name], defs),
            _ => line(defs[name]["description"].as_str().unwrap_or_default()),
        };
    }
    if let Some(choices) = value["anyOf"].as_array() {
        let choices = choices.iter().filter(|choice| choice["type"] != "null");
        return choices.map(|choice| kind(choice, defs)).collect::<Vec<_>>().join(", or ");
    }
    let kinds = match &value["type"] {
        Value::Array(kinds) => kinds.clone(),
        kind => vec![kind.clone()],
    };
    let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect();
    match kinds[..] {
        ["string"] => "text".into(),
        ["boolean"] => "`true` or `false`".into(),
        ["integer"] => match (value["minimum"].as_u64(), value["maximum"].as_u64()) {
            (Some(low), Some(high)) if low == high => low.to_string(),
            (Some(low), Some(high)) => format!("{low} to {high}"),
            (Some(low), None) => format!("{low} or more"),
            _ => "whole number".into(),
        },
        ["array"] => {
            let each = kind(&value["items"], defs);
            if each == "text" { "list of texts".into() } else { format!("list, each a {each}") }
        }
        _ => "table".into(),
    }
}

fn line(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}
