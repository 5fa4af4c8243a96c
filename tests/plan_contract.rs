//! The contract's long example, and the rules of section 3 one by one.

use std::ops::ControlFlow;

use imgbatch::job::Wanted;
use imgbatch::manifest::{Diagnostics, Format, Source};
use imgbatch::model::Prices;
use imgbatch::plan::{Plan, Totals};

fn survey(source: &Source) -> Result<(Vec<Wanted>, Totals), Diagnostics> {
    let plan = Plan::load(source, Prices::published())?;
    let mut jobs = vec![];
    let totals = plan.survey(&mut |wanted| {
        jobs.push(wanted);
        ControlFlow::Continue(())
    })?;
    Ok((jobs, totals))
}

/// Files beside a manifest.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, content).expect("a file");
        }
        Self(folder)
    }

    fn plan(&self, toml: &str) -> Result<(Vec<Wanted>, Totals), Diagnostics> {
        let text = format!("name = \"t\"\n{toml}");
        survey(&Source::text("t.toml", Some(Format::Toml), text, self.0.path()))
    }
}

fn plan(toml: &str) -> Result<(Vec<Wanted>, Totals), Diagnostics> {
    Folder::new(&[]).plan(toml)
}

fn ids(planned: &Result<(Vec<Wanted>, Totals), Diagnostics>) -> Vec<&str> {
    match planned {
        Ok((jobs, _)) => jobs.iter().map(|job| job.id.as_str()).collect(),
        Err(problems) => panic!("{problems}"),
    }
}

fn problems(toml: &str) -> String {
    plan(toml).err().map_or_else(|| "none".into(), |problems| problems.to_string())
}

#[test]
fn the_long_example_of_the_contract() {
    let (jobs, totals) = survey(&Source::path("manifests/winter-catalog/winter-catalog.toml")).unwrap();
    let lines: Vec<String> = jobs.iter().map(|job| format!("{} -> {}", job.id, job.path)).collect();
    insta::assert_snapshot!(lines.join("\n"));
    assert_eq!((totals.jobs, totals.pictures, totals.local_references), (15, 15, 3));
    assert_eq!(totals.warnings.to_string(), "");
    let mug = &jobs[1];
    assert_eq!(mug.request.prompt, "A white mug on a oak table, studio product photo, 85mm");
    assert_eq!(mug.axes["style"], "studio");
    assert_eq!(mug.meta["class"], "mug");
    assert_eq!(mug.size, Some((2736, 1536)));
}

#[test]
fn axes_are_sorted_by_name_and_long_values_shortened() {
    let planned = plan(
        "[[jobs]]\nid = 'a'\nprompt = '{{ z }} {{ b }} {{ m }}'\nmatrix.z = [1, 0.5, true]\nzip.b = ['x', 'y/y']\nzip.m = { first = 'p', second = 'q' }\n",
    );
    assert_eq!(
        ids(&planned),
        [
            "a/b=x,m=first,z=1",
            "a/b=y-y-54cacf88,m=second,z=1",
            "a/b=x,m=first,z=0.5",
            "a/b=y-y-54cacf88,m=second,z=0.5",
            "a/b=x,m=first,z=true",
            "a/b=y-y-54cacf88,m=second,z=true",
        ]
    );
}

#[test]
fn exclude_and_include() {
    let planned = plan(
        "[[jobs]]\nid = 'a'\nprompt = '{{ c }} {{ s }}'\nmatrix.c = ['w', 'b']\nmatrix.s = { one = 'long text', two = 'other' }\n\
         exclude = [{ c = 'w', s = 'one' }, { s = 'other' }]\ninclude = [{ c = 'new', s = 'two' }]\n",
    );
    assert_eq!(ids(&planned), ["a/c=b,s=one", "a/c=new,s=two"]);
    assert_eq!(planned.unwrap().0[1].request.prompt, "new other");
    let only = plan("[[jobs]]\nid = 'a'\nprompt = '{{ c }}'\ninclude = [{ c = 'x' }, { c = 'y' }]\n");
    assert_eq!(ids(&only), ["a/c=x", "a/c=y"]);
}

#[test]
fn takes_of_identical_lines_and_rows_are_counted_on() {
    let folder = Folder::new(&[("p.txt", "one\ntwo\r\n\none\n"), ("r.csv", "a\nx\ny\nx\n")]);
    let planned = folder.plan("[[jobs]]\nid = 'l'\nprompts = 'p.txt'\nrepeat = 2\n");
    assert_eq!(
        ids(&planned),
        ["l/7692c3ad", "l/7692c3ad#2", "l/3fc4ccfe", "l/3fc4ccfe#2", "l/7692c3ad#3", "l/7692c3ad#4"]
    );
    let planned = folder.plan("[[jobs]]\nid = 'r-{{ a }}'\nprompt = '{{ a }}'\nrows = 'r.csv'\n");
    assert_eq!(ids(&planned), ["r-x", "r-y", "r-x#2"]);
    let planned =
        folder.plan("[[jobs]]\nid = 'r'\nprompt = '{{ a }}'\nrows = 'r.csv'\nprompts = ['{{ a }}', 'b']\n");
    assert!(planned.is_err(), "two sources of words");
    let planned = folder.plan("[[jobs]]\nid = 'r-{{ a }}'\nrows = 'r.csv'\nprompts = ['{{ a }}', 'b']\n");
    assert_eq!(ids(&planned).len(), 6);
}

#[test]
fn a_row_is_named_by_its_id_or_its_content() {
    let folder = Folder::new(&[
        ("a.csv", "id,x\nfirst,1\nsecond,2\n"),
        ("b.csv", "x,y\n1,2\n"),
        ("c.tsv", "y\tx\n2\t1\n"),
        ("d.jsonl", "{\"x\": 1, \"deep\": {\"y\": [\"z\"]}}\n"),
    ]);
    let rows =
        |file: &str| folder.plan(&format!("[[jobs]]\nid = 'j'\nprompt = '{{{{ x }}}}'\nrows = '{file}'\n"));
    assert_eq!(ids(&rows("a.csv")), ["j/first", "j/second"]);
    assert_eq!(ids(&rows("b.csv")), ids(&rows("c.tsv")), "the order of columns does not matter");
    let deep = folder.plan("[[jobs]]\nid = 'j'\nprompt = '{{ deep.y[0] }} {{ x + 1 }}'\nrows = 'd.jsonl'\n");
    assert_eq!(deep.unwrap().0[0].request.prompt, "z 2");
}

#[test]
fn data_is_never_a_template() {
    let folder = Folder::new(&[("p.txt", "a {{ b }}\n"), ("r.csv", "x\n{{ 1 + 1 }}\n")]);
    let planned = folder.plan("[vars]\nv = '{{ x }}'\n[[jobs]]\nprompts = 'p.txt'\n[[jobs]]\nprompt = '{{ x }} {{ v }}'\nrows = 'r.csv'\n");
    let prompts: Vec<String> = planned.unwrap().0.into_iter().map(|job| job.request.prompt).collect();
    assert_eq!(prompts, ["a {{ b }}", "{{ 1 + 1 }} {{ x }}"]);
    let text = Source::text("my list.txt", Some(Format::Text), "a {{ b }}\n\n  \nc\n", ".");
    let (jobs, _) = survey(&text).unwrap();
    assert_eq!(jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["a-b-efe80ad4", "c-2e7d2c03"]);
    assert_eq!(Plan::load(&text, Prices::published()).unwrap().name(), "my list");
}

#[test]
fn skip_and_sample() {
    let planned =
        plan("[[jobs]]\nid = 'a'\nprompt = '{{ n_ }}'\nmatrix.n_ = [1, 2, 3]\nskip = '{{ n_ == 2 }}'\n");
    let (jobs, totals) = planned.unwrap();
    assert_eq!(jobs.iter().map(|job| job.skip).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!((totals.jobs, totals.skipped, totals.pictures), (3, 1, 2));
    let numbers = |count: u32| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let sample = |count, seed| {
        plan(&format!(
            "[[jobs]]\nid = 'a'\nprompt = '{{{{ x }}}}'\nmatrix.x = [{}]\nsample = 5\nseed = {seed}\n",
            numbers(count)
        ))
    };
    let (small, large) = (sample(50, 1), sample(60, 1));
    assert_eq!(ids(&small).len(), 5);
    let kept = ids(&large).iter().filter(|id| ids(&small).contains(id)).count();
    assert!(kept >= 3, "ten more values replaced {} of 5", 5 - kept);
    assert_ne!(ids(&small), ids(&sample(50, 2)));
    assert_eq!(ids(&sample(3, 1)).len(), 3);
}

#[test]
fn parameters_may_be_templates() {
    let (jobs, _) = plan(
        "[defaults]\nquality = '{{ q }}'\nmeta = { from = 'defaults', n = 3 }\n[[jobs]]\nid = 'a'\nprompt = 'x {{ take_ }}'\nn = '{{ 1 + 1 }}'\nsize = '{{ w }}x{{ w }}'\n\
         matrix.q = ['Low']\nmatrix.w = [1024]\nmatrix.take_ = [1]\nrepeat = 2\nout = '{{ base }}/{{ q }}-{{ take }}.{{ ext }}'\nmeta = { is = '{{ id }}', list = [1] }\n",
    )
    .unwrap();
    let job = &jobs[1];
    assert_eq!(
        (job.request.quality.as_str(), job.request.n, job.request.size.as_str()),
        ("low", 2, "1024x1024")
    );
    assert_eq!(job.path.as_str(), "a/Low-2");
    assert_eq!(
        serde_json::Value::Object(job.meta.clone()),
        serde_json::json!({"is": "a/q=Low,take_=1,w=1024#2", "list": [1], "from": "defaults", "n": 3})
    );
}

#[test]
fn bombs_end_at_their_cap() {
    let axes: Vec<String> = (0..10).map(|n| format!("matrix.a{n} = [1,2,3,4,5,6,7,8,9,10]\n")).collect();
    let axes = axes.concat();
    let shown = problems(&format!("[[jobs]]\nid = 'a'\nprompt = 'x'\n{axes}"));
    assert!(shown.contains("asks for 10000000000 pictures"), "{shown}");
    let shown = problems("[[jobs]]\nid = 'a'\nprompt = 'x'\nrepeat = 4000000000\n");
    assert!(shown.contains("10000000 jobs"), "{shown}");
    let shown = problems(
        "[[jobs]]\nid = 'a'\nprompt = '{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}'\n",
    );
    assert!(shown.contains("too many steps"), "{shown}");
}

#[test]
fn two_jobs_with_one_id_or_one_path_are_named_both() {
    insta::assert_snapshot!(problems(
        "[[jobs]]\nid = 'a'\nprompt = 'x'\n\n[[jobs]]\nid = 'a'\nprompt = 'y'\n"
    ));
    insta::assert_snapshot!(problems(
        "[[jobs]]\nid = 'b-1'\nprompt = 'x'\n\n[[jobs]]\nid = 'b'\nn = 2\nprompt = 'y'\n"
    ));
    assert_eq!(
        problems("[[jobs]]\nid = 'b'\nprompt = 'x'\n\n[[jobs]]\nid = 'b2'\nn = 2\nprompt = 'y'\n"),
        "none"
    );
    let folder = Folder::new(&[("r.csv", "id,x\na,1\na,2\n")]);
    let shown =
        folder.plan("[[jobs]]\nid = 'j'\nprompt = '{{ x }}'\nrows = 'r.csv'\n").unwrap_err().to_string();
    assert!(
        shown.contains("two jobs have the id `j/a`")
            && shown.contains("r.csv:3")
            && shown.contains("r.csv:2"),
        "{shown}"
    );
}

#[test]
fn an_early_end_of_the_visit_ends_the_pass() {
    let source = Source::text(
        "t.toml",
        Some(Format::Toml),
        "name = 't'\n[[jobs]]\nid = 'a'\nprompt = 'x'\nrepeat = 1000\n",
        ".",
    );
    let plan = Plan::load(&source, Prices::published()).unwrap();
    let mut visited = 0;
    let totals = plan.survey(&mut |_| {
        visited += 1;
        if visited == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((visited, totals.unwrap().jobs), (3, 3));
}

#[test]
fn a_function_in_an_id_is_no_column() {
    let folder = Folder::new(&[("r.csv", "x\n1\n2\n")]);
    let planned =
        folder.plan("[[jobs]]\nid = 'j{{ range(2) | length }}'\nprompt = '{{ x }}'\nrows = 'r.csv'\n");
    assert_eq!(ids(&planned).len(), 2);
}

#[test]
fn where_pictures_go_without_an_out() {
    let at = |text: &str| {
        let source = Source::text("t.toml", Some(Format::Toml), text, "some/folder");
        Plan::load(&source, Prices::published()).unwrap().out_dir()
    };
    assert_eq!(at("name = 't'\n[[jobs]]\nprompt = 'x'\n"), std::path::Path::new("some/folder/out/t"));
    assert_eq!(at("run.out = 'o/x'\n[[jobs]]\nprompt = 'x'\n"), std::path::Path::new("some/folder/o/x"));
}
