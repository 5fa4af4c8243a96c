//! Ids and fingerprints follow from content alone: moving, inserting,
//! deleting, reformatting and translating change nothing for the others.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use imgbatch::job::Fingerprint;
use imgbatch::manifest::{Format, Source};
use imgbatch::model::Prices;
use imgbatch::plan::Plan;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What each id stands for.
type Identities = BTreeMap<String, Fingerprint>;

fn planned(format: Format, name: &str, text: &str, folder: &std::path::Path) -> Identities {
    let source = Source::text(name, Some(format), text, folder);
    let plan = Plan::load(&source, Prices::published()).unwrap_or_else(|e| panic!("{text}\n{e}"));
    let mut jobs = Identities::new();
    plan.survey(&mut |wanted| {
        jobs.insert(wanted.id, wanted.fingerprint);
        ControlFlow::Continue(())
    })
    .unwrap_or_else(|e| panic!("{text}\n{e}"));
    jobs
}

fn manifest(jobs: &[Value]) -> Value {
    json!({"version": 1, "name": "t", "defaults": {"size": "16:9", "quality": "low"}, "vars": {"look": "soft: light, #1"}, "jobs": jobs})
}

fn identities(jobs: &[Value]) -> Identities {
    planned(Format::Json, "t.json", &manifest(jobs).to_string(), std::path::Path::new("."))
}

/// A job of one of the kinds that a manifest may hold, with a name of its own.
fn job(number: usize) -> impl Strategy<Value = Value> {
    let word = "[a-zé狐]{1,12}( [a-z'\"\\\\:#{-]{1,9}){0,3}";
    let words = proptest::collection::btree_set(word, 1..4);
    (words, 0..6_u8, 1..3_u32, prop::bool::ANY).prop_map(move |(words, kind, repeat, named)| {
        let words: Vec<String> = words.into_iter().collect();
        let id = format!("job {number}");
        let first = format!("{number} {}", words[0].replace('{', ""));
        let axis: Vec<Value> = words.iter().map(|word| json!(word)).collect();
        let table: serde_json::Map<String, Value> = words.iter().enumerate().map(|(n, word)| (format!("k{n}"), json!(word))).collect();
        match kind {
            0 if named => json!({"id": id, "prompt": first, "repeat": repeat}),
            0 => json!({"prompt": first, "size": "1024x1024"}),
            1 => json!({"id": id, "prompt": "{{ a }} {{ look }}", "matrix": {"a": axis}}),
            2 => json!({"id": id, "prompt": "{{ b }} in {{ a }}", "matrix": {"b": table, "a": [1, 2.5, true]}, "exclude": [{"a": 1}]}),
            3 => json!({"id": id, "prompts": words.iter().map(|word| word.replace('{', "")).collect::<Vec<_>>(), "repeat": repeat}),
            4 => json!({"id": id, "prompt": "{{ a }}/{{ b }}", "zip": {"a": axis.clone(), "b": axis}, "n": 2, "meta": {"kind": 4}}),
            _ => json!({"id": id, "prompt": first, "background": "transparent", "images": ["https://example.com/a.png"]}),
        }
    })
}

fn jobs() -> impl Strategy<Value = Vec<Value>> {
    (1..6_usize).prop_flat_map(|count| (0..count).map(job).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_does_not_matter((jobs, shuffled) in jobs().prop_flat_map(|jobs| (Just(jobs.clone()), Just(jobs).prop_shuffle()))) {
        prop_assert_eq!(identities(&jobs), identities(&shuffled));
    }

    #[test]
    fn the_others_do_not_matter(jobs in jobs(), at in 0..6_usize) {
        let all = identities(&jobs);
        let mut fewer = jobs;
        if fewer.len() > 1 {
            fewer.remove(at % fewer.len());
            for (id, fingerprint) in identities(&fewer) {
                prop_assert_eq!(all.get(&id), Some(&fingerprint), "{}", id);
            }
        }
    }

    #[test]
    fn the_format_does_not_matter(jobs in jobs()) {
        let tree = manifest(&jobs);
        let folder = std::path::Path::new(".");
        let json = identities(&jobs);
        let pretty = serde_json::to_string_pretty(&tree).unwrap();
        prop_assert_eq!(&planned(Format::Json, "renamed.json", &pretty, folder), &json);
        prop_assert_eq!(&planned(Format::Yaml, "t.yaml", &pretty, folder), &json);
        let yaml = serde_yaml::to_string(&tree).unwrap();
        prop_assert_eq!(&planned(Format::Yaml, "t.yaml", &yaml, folder), &json);
        let toml = toml::to_string(&tree).unwrap();
        prop_assert_eq!(&planned(Format::Toml, "t.toml", &toml, folder), &json);
    }

    #[test]
    fn lines_may_move_and_be_joined_by_others(lines in proptest::collection::btree_set("[a-z]{1,8}", 2..8), extra in "[A-Z]{9}") {
        let lines: Vec<String> = lines.into_iter().collect();
        let plan = |lines: &[String], name: &str| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(name), lines.join("\n")).unwrap();
            let text = format!("name = 't'\n[[jobs]]\nid = 'l'\nprompts = '{name}'\nrepeat = 2\n");
            planned(Format::Toml, "t.toml", &text, folder.path())
        };
        let before = plan(&lines, "a.txt");
        let mut after: Vec<String> = lines.iter().rev().cloned().collect();
        after.insert(1, extra);
        let after = plan(&after, "b.txt");
        prop_assert_eq!(after.len(), before.len() + 2);
        for (id, fingerprint) in before {
            prop_assert_eq!(after.get(&id), Some(&fingerprint));
        }
    }

    #[test]
    fn rows_may_move_and_columns_too(cells in proptest::collection::btree_set("[a-z]{1,8}", 2..8)) {
        let rows: Vec<Value> = cells.iter().map(|cell| json!({"x": cell, "y": format!("{cell}!")})).collect();
        let turned: Vec<Value> = cells.iter().rev().map(|cell| json!({"y": format!("{cell}!"), "x": cell})).collect();
        let plan = |rows: &[Value], name: &str| {
            let folder = tempfile::tempdir().unwrap();
            let lines: Vec<String> = rows.iter().map(|row| format!("{row}\n")).collect();
            std::fs::write(folder.path().join(name), lines.concat()).unwrap();
            let text = format!("name = 't'\n[[jobs]]\nid = 'r'\nrows = '{name}'\nprompt = '{{{{ x }}}}{{{{ y }}}}'\n");
            planned(Format::Toml, "t.toml", &text, folder.path())
        };
        prop_assert_eq!(plan(&rows, "a.jsonl"), plan(&turned, "b.jsonl"));
    }
}

#[test]
fn rewording_a_named_value_keeps_the_id_and_changes_the_fingerprint() {
    let job =
        |words: &str| json!({"id": "m", "prompt": "{{ style }}", "matrix": {"style": {"studio": words}}});
    let (before, after) = (identities(&[job("85mm")]), identities(&[job("50mm")]));
    assert_eq!(before.keys().collect::<Vec<_>>(), ["m/style=studio"]);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    assert_ne!(before, after);
}

#[test]
fn the_digest_sees_content_and_not_form() {
    let digest = |text: &str, data: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("p.txt"), data).unwrap();
        let source = Source::text("t.toml", Some(Format::Toml), text, folder.path());
        Plan::load(&source, Prices::published()).unwrap().digest().unwrap()
    };
    let text = "name = 't'\n[[jobs]]\nprompts = 'p.txt'\n";
    let plain = digest(text, "a\nb\n");
    assert!(plain.is_some());
    assert_eq!(digest(&format!("# comment\n{text}\n[run]\nrate = '1/s'\n"), "a\nb\n"), plain);
    assert_ne!(digest(text, "a\nc\n"), plain);
    assert_ne!(digest(&format!("{text}size = '1:1'\n"), "a\nb\n"), plain);
    assert_eq!(digest("name = 't'\n[[jobs]]\nprompt = 'x'\nimages = ['a.png']\n", ""), None);
}
