//! The examples that users copy: each one plans, and twins are the same plan.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use imgbatch::job::{Fingerprint, OutPath};
use imgbatch::manifest::Source;
use imgbatch::model::Prices;
use imgbatch::plan::{Plan, Totals};

type Job = (String, Fingerprint, OutPath, String);

fn survey(path: &Path) -> (Vec<Job>, Totals) {
    let plan = Plan::load(&Source::path(path), Prices::published()).unwrap_or_else(|e| panic!("{e}"));
    let mut jobs = vec![];
    let totals = plan.survey(&mut |wanted| {
        let meta = serde_json::Value::Object(wanted.meta).to_string();
        jobs.push((wanted.id, wanted.fingerprint, wanted.path, meta));
        ControlFlow::Continue(())
    });
    (jobs, totals.unwrap_or_else(|e| panic!("{e}")))
}

fn examples() -> Vec<PathBuf> {
    let folders = ["manifests", "manifests/winter-catalog"];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).expect("the folder is there"));
    files.map(|file| file.expect("an entry").path()).filter(|path| path.is_file()).collect()
}

#[test]
fn every_example_plans_without_warnings() {
    assert!(examples().len() >= 10, "{:?}", examples());
    for path in examples() {
        let (jobs, totals) = survey(&path);
        assert!(!jobs.is_empty(), "{}", path.display());
        assert_eq!(totals.warnings.to_string(), "", "{}", path.display());
        assert_eq!(totals.unpriced, 0, "{}", path.display());
    }
}

#[test]
fn twins_are_the_same_plan() {
    let twins: Vec<PathBuf> =
        examples().into_iter().filter(|path| path.extension().unwrap() == "yaml").collect();
    assert_eq!(twins.len(), 5, "{twins:?}");
    for yaml in twins {
        assert_eq!(survey(&yaml).0, survey(&yaml.with_extension("toml")).0, "{}", yaml.display());
    }
}

#[test]
fn the_quickstart_is_quick_and_cheap() {
    let (jobs, totals) = survey(Path::new("manifests/quickstart.toml"));
    assert_eq!((totals.jobs, totals.pictures, totals.local_references), (12, 12, 0));
    assert!(totals.estimate.as_f64() < 68.0, "{} credits", totals.estimate);
    let ids: Vec<&str> = jobs.iter().map(|(id, ..)| id.as_str()).collect();
    insta::assert_snapshot!(ids.join("\n"));
}

#[test]
fn all_examples_name_no_real_host() {
    for path in examples() {
        let text = std::fs::read_to_string(&path).unwrap();
        let hosts =
            text.split("https://").skip(1).map(|rest| rest.split(['"', '/', ' ', '\n']).next().unwrap());
        assert!(hosts.into_iter().all(|host| host.ends_with("example.com")), "{}", path.display());
    }
}
