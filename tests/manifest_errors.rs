//! What people see after typical mistakes: file, line, column, the offending
//! text and what to write instead, all in one go.

use std::ops::ControlFlow;

use imgbatch::manifest::{Diagnostics, Format, Source};
use imgbatch::model::Prices;
use imgbatch::plan::Plan;

/// What is wrong, or else what is odd.
fn check(format: Format, text: &str) -> Result<Diagnostics, Diagnostics> {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write("rows.csv", "sku,colour\n1,red\n2\n3,blue\n");
    write("text.png", "not a picture");
    let picture = |name: &str, alpha: bool, side: u32| {
        let path = folder.path().join(name);
        if alpha {
            image::RgbaImage::new(side, side).save(path).expect("a picture");
        } else {
            image::RgbImage::new(side, side).save(path).expect("a picture");
        }
    };
    picture("photo.png", false, 32);
    picture("opaque.png", false, 32);
    picture("small.png", true, 16);
    picture("clear.png", true, 32);
    let full = image::RgbaImage::from_pixel(32, 32, image::Rgba([9, 9, 9, 255]));
    full.save(folder.path().join("full.png")).expect("a picture");
    let name = match format {
        Format::Toml => "m.toml",
        Format::Yaml => "m.yaml",
        Format::Json => "m.json",
        Format::Text => "m.txt",
    };
    let plan = Plan::load(&Source::text(name, Some(format), text, folder.path()), Prices::published())?;
    plan.survey(&mut |_| ControlFlow::Continue(())).map(|totals| totals.warnings)
}

fn shown(format: Format, text: &str) -> String {
    check(format, text).err().map_or_else(|| "no problem".into(), |problems| problems.to_string())
}

fn toml(text: &str) -> String {
    shown(Format::Toml, text)
}

/// Only the messages, for tables of many mistakes.
fn messages(format: Format, text: &str) -> Vec<String> {
    let problems = check(format, text).err().unwrap_or_default();
    problems.as_slice().iter().map(|problem| problem.message.clone()).collect()
}

#[test]
fn many_mistakes_come_at_once() {
    insta::assert_snapshot!(toml(
        r#"version = 1
name = "a/b"

[provider]
base_url = "api.example.com"
api_key = "sk-canary"

[run]
rate = "20"
in_flight = 0
budget = 25
atempts = 2

[[jobs]]
id = "one"
promt = "a fox"

[[jobs]]
id = "two"
prompt = "a {{ colour"

[[jobs]]
id = "three"
prompt = "a fox"
size = 1024
"#
    ));
}

#[test]
fn mistakes_in_jobs_come_at_once() {
    insta::assert_snapshot!(toml(
        r#"name = "x"
[vars]
colour = "red"

[[jobs]]
id = "size"
prompt = "a fox"
size = "1000x1000"
quality = "ultra"
n = 11

[[jobs]]
id = "variable"
prompt = "a {{ color }} fox"

[[jobs]]
id = "axes"
prompt = "a {{ style }} fox"
matrix.style = ["ink", "oil"]
exclude = [{ stile = "ink" }, { style = "oi" }]

[[jobs]]
id = "words"

[[jobs]]
id = "outside"
prompt = "x"
out = "../../etc/passwd"
"#
    ));
}

#[test]
fn mistakes_in_rows_name_the_row() {
    insta::assert_snapshot!(toml(
        "name = 'x'\n[[jobs]]\nid = '{{ sku }}'\nrows = 'rows.csv'\nprompt = 'a {{ colour }} mug'\nsize = \"{{ '1:1' if colour == 'red' else '7:7' }}\"\n"
    ));
}

#[test]
fn local_pictures_are_looked_at() {
    insta::assert_snapshot!(toml(
        r#"name = "x"
[[jobs]]
prompt = "missing"
images = ["none.png"]
[[jobs]]
prompt = "no picture"
images = ["text.png"]
[[jobs]]
prompt = "no alpha"
images = ["photo.png"]
mask = "opaque.png"
[[jobs]]
prompt = "other size"
images = ["photo.png"]
mask = "small.png"
"#
    ));
}

#[test]
fn syntax_errors_have_a_place_in_every_format() {
    insta::assert_snapshot!("toml", toml("name = \"x\"\n[[jobs]\nid = \"a\n"));
    insta::assert_snapshot!("yaml", shown(Format::Yaml, "name: x\njobs:\n  - id: a\n   prompt: b\n"));
    insta::assert_snapshot!(
        "json",
        shown(Format::Json, "{\"name\": \"x\",\n \"jobs\": [{\"prompt\": \"a\"},]}\n")
    );
    insta::assert_snapshot!(
        "yaml_key",
        shown(Format::Yaml, "name: x\njobs:\n  - id: a\n    promt: ünï\n    size: 16:9\n")
    );
}

#[test]
fn a_key_is_refused_and_shown_nowhere() {
    for (format, text) in [
        (Format::Toml, "name='x'\n[provider]\napi_key = 'sk-canary'\n[[jobs]]\nprompt='a'\n"),
        (Format::Toml, "name='x'\nprovider.token = 'sk-canary'\n[[jobs]]\nprompt='a'\n"),
        (Format::Toml, "name='x'\nprovider = { key = 'sk-canary' }\n[[jobs]]\nprompt='a'\n"),
        (Format::Yaml, "name: x\nprovider:\n  key: sk-canary\njobs: [{prompt: a}]\n"),
        (
            Format::Json,
            "{\"name\":\"x\",\"provider\":{\"api_key\":\"sk-canary\"},\"jobs\":[{\"prompt\":\"a\"}]}",
        ),
    ] {
        let shown = shown(format, text);
        assert!(shown.contains("is refused") && shown.contains("api_key_env"), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }
    let syntax = toml("name = 'x'\n[provider]\napi_key = sk-canary\n");
    assert!(!syntax.contains("canary"), "{syntax}");
    let misplaced = toml("name = 'x'\n[provider]\napi_key_env = 'sk-canary'\n[[jobs]]\nprompt = 'a'\n");
    assert!(!misplaced.contains("canary"), "{misplaced}");
}

#[test]
fn each_mistake_has_its_message() {
    let job = |line: &str| format!("name = 'x'\n[[jobs]]\nid = 'j'\nprompt = 'a'\n{line}\n");
    for (text, message) in [
        ("name = 'x'".to_owned(), "the manifest has no `jobs`"),
        ("name = 'x'\njobs = []".into(), "`jobs` is empty"),
        ("name = 'x'\n[jobs]\nprompt = 'a'".into(), "`jobs` must be a list of tables"),
        ("name = 'x'\n[[job]]\nprompt = 'a'".into(), "unknown key `job`"),
        (
            "version = 2\nname = 'x'\n[[jobs]]\nprompt = 'a'".into(),
            "version 2 of the manifest format is not known here",
        ),
        ("[[jobs]]\nprompt = 'a'".into(), "the manifest has neither `name` nor `run.out`"),
        (
            "name = 'x'\n[run]\nattempts = 11\n[[jobs]]\nprompt = 'a'".into(),
            "`attempts` is 11; 1 to 10 are allowed",
        ),
        (
            "name = 'x'\n[run]\nposts = 0\n[[jobs]]\nprompt = 'a'".into(),
            "`0` is not a number of submissions at once",
        ),
        (
            "name = 'x'\n[run]\nin_flight = -1\n[[jobs]]\nprompt = 'a'".into(),
            "expected a whole number from 0 on, found the number -1",
        ),
        (
            "name = 'x'\n[provider]\nidempotency = 'yes'\n[[jobs]]\nprompt = 'a'".into(),
            "expected true or false, found the text \"yes\"",
        ),
        (job("prompts = ['b']"), "not both `prompt` and `prompts`"),
        (job("repeat = 0"), "`repeat` is 0"),
        (job("images = 'a.png'"), "expected a list, found the text"),
        (job("rows = 'none.csv'"), "can't read none.csv: there is no such file"),
        (job("rows = 'text.png'"), "the extension of a table must be"),
        (job("matrix.a = []"), "the axis `a` has no values"),
        (job("matrix.a = ['x', 'x']"), "the axis `a` has `x` twice"),
        (job("matrix.a = [{ b = 1 }]"), "expected a text, a number, true or false"),
        (job("zip.a = [1, 2]\nzip.b = [1]"), "`b` has 1 values beside 2"),
        (job("matrix.a = [1]\ninclude = [{ b = 1 }]"), "must name every axis"),
        (job("skip = 'perhaps'"), "neither true nor false"),
        (job("n = 'many'"), "no whole number"),
        (job("images = ['ftp://example.com/a.png']"), "not a link that the provider can download"),
        (job("callback_url = 'https://127.0.0.1/x'"), "must not name an internal address"),
        (job("resolution = '8K'"), "resolution `8K` does not exist"),
        (job("out = '/abs/{{ id }}'"), "is absolute"),
        (job("seed = 1"), "`seed` has no effect without `sample`"),
        (
            "name = 'x'\n[vars]\na = 1\n[[jobs]]\nprompt = 'p {{ a }}'\nmatrix.a = [1]".into(),
            "also one of [vars]",
        ),
        ("name = 'x'\n[[jobs]]\nprompts = 'rows.csv'".into(), "is a table"),
        ("name = 'x'\n[[jobs]]\nprompt = ' '".into(), "the prompt is empty"),
    ] {
        let found = messages(Format::Toml, &text);
        assert!(
            found.iter().any(|found| found.contains(message)),
            "{text}\nexpected {message:?}, found {found:?}"
        );
    }
}

#[test]
fn the_first_hundred_are_shown() {
    let jobs: Vec<String> = (0..150).map(|n| format!("[[jobs]]\nid = '{n}'\nsise = '1:1'\n")).collect();
    let jobs = jobs.concat();
    let problems = check(Format::Toml, &format!("name = 'x'\n{jobs}")).unwrap_err();
    assert_eq!(problems.as_slice().len(), 100);
    assert!(problems.to_string().contains("the first 100 are shown"));
}

#[test]
fn a_mask_without_images_is_dropped_with_a_warning() {
    let text = "name = 'x'\n[[jobs]]\nid = 'j'\nprompt = 'a {{ s }}'\nmask = 'https://example.com/m.png'\nmatrix.s = ['x']\nmatrix.idle = [1, 2]\n";
    let source = Source::text("m.toml", Some(Format::Toml), text, ".");
    let plan = Plan::load(&source, Prices::published()).unwrap();
    let totals = plan.survey(&mut |wanted| {
        assert_eq!(wanted.request.mask, None);
        ControlFlow::Continue(())
    });
    insta::assert_snapshot!(totals.unwrap().warnings);
}

#[test]
fn masks_that_say_all_or_nothing_are_odd() {
    let job = |id: &str, mask: &str| {
        format!("[[jobs]]\nid = '{id}'\nprompt = 'a'\nimages = ['photo.png']\nmask = '{mask}.png'\n")
    };
    let text = format!("name = 'x'\n{}{}", job("all", "clear"), job("nothing", "full"));
    insta::assert_snapshot!(check(Format::Toml, &text).unwrap());
}
