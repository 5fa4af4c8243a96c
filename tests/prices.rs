//! Prices as a file: who wins, what is wrong with one, and that no price is
//! ever part of a job's identity.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod support;

use support::Scene;

const OWN: &str = "date = '2027-01'\nsource = 'a contract of ours'\ncredits_per_usd = 100\n[models.gpt-image-2]\nimage_output = 54\nimage_input = 7.2\ntext_input = 4.5\n";

fn scene() -> Scene {
    let scene = Scene::new("");
    scene.jobs(2);
    scene
}

fn named(scene: &Scene) {
    let text = std::fs::read_to_string(scene.path("m.toml")).unwrap();
    scene.write("m.toml", &format!("{text}[provider]\nprices = 'prices/own.toml'\n"));
    std::fs::create_dir_all(scene.path("prices")).unwrap();
    scene.write("prices/own.toml", OWN);
}

fn credits(scene: &Scene, flags: &[&str]) -> (f64, String) {
    let plan = scene.call(&[&["plan", "m.toml", "--out", "out", "--json"], flags].concat()).exits(0).json();
    (plan["totals"]["credits"].as_f64().unwrap(), plan["prices"]["date"].as_str().unwrap().to_owned())
}

#[test]
fn the_flag_outranks_the_manifest_which_outranks_what_was_published() {
    let scene = scene();
    let (published, date) = credits(&scene, &[]);
    assert_eq!(date, "2026-10");
    named(&scene);
    let (own, date) = credits(&scene, &[]);
    assert_eq!(date, "2027-01");
    assert!(own > published * 2.0, "{own} {published}");
    let json = OWN.replace("2027-01", "2027-02").replace("= 54", "= 27");
    scene.write("flag.toml", &json);
    let (flag, date) = credits(&scene, &["--prices", "flag.toml"]);
    assert_eq!(date, "2027-02");
    assert!(flag < own);
    // A file that the flag outranks is not even read.
    scene.write("prices/own.toml", "broken");
    assert_eq!(credits(&scene, &["--prices", "flag.toml"]).0.to_bits(), flag.to_bits());
}

#[test]
fn no_price_is_part_of_a_job() {
    let scene = scene();
    scene.run(&[]).exits(0);
    named(&scene);
    let plan = scene.call(&["plan", "m.toml", "--out", "out", "--json"]).exits(0).json();
    assert_eq!(plan["totals"]["reuse"], 2);
    scene.run(&["--prices", "prices/own.toml"]).exits(0);
    assert_eq!(scene.stats().tasks_created, 2);
    scene.prove();
}

#[test]
fn yaml_and_json_are_the_same_file() {
    let scene = scene();
    scene.write("own.toml", OWN);
    scene.write(
        "own.yaml",
        "date: 2027-01\nsource: a contract of ours\ncredits_per_usd: 100\nmodels:\n  gpt-image-2: {image_output: 54, image_input: 7.2, text_input: 4.5}\n",
    );
    scene.write(
        "own.json",
        r#"{"date":"2027-01","source":"x","credits_per_usd":100,"models":{"gpt-image-2":{"image_output":54,"image_input":7.2,"text_input":4.5}}}"#,
    );
    let all =
        ["own.toml", "own.yaml", "own.json"].map(|file| credits(&scene, &["--prices", file]).0.to_bits());
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
}

#[test]
fn mistakes_in_a_price_file_have_a_place() {
    let scene = scene();
    let shown = |text: &str| {
        scene.write("own.toml", text);
        scene.call(&["plan", "m.toml", "--prices", "own.toml"]).exits(2).stderr
    };
    insta::assert_snapshot!(shown(
        &OWN.replace("= 54", "= -54").replace("2027-01", "soon").replace("text_input", "text_imput")
    ));
    insta::assert_snapshot!(shown(&OWN.replace("= 54", "= -54").replace("2027-01", "soon")));
    let syntax = shown("date = \n");
    assert!(syntax.contains("own.toml:1:"), "{syntax}");
    named(&scene);
    std::fs::remove_file(scene.path("prices/own.toml")).unwrap();
    scene.call(&["plan", "m.toml"]).exits(2).says(&[
        "prices/own.toml: there is no such file",
        "m.toml:",
        "prices = ",
    ]);
    scene.call(&["run", "m.toml", "--emulate"]).exits(2).says(&["there is no such file"]);
    scene.call(&["plan", "m.toml", "--prices", "none.toml"]).exits(2).says(&["can't read none.toml"]);
}
