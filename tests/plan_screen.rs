//! The screen before spending, as people see it: every action with its
//! reason, what changed, what it costs, at two widths and in colour.

mod support;

use support::Scene;

const HEAD: &str = "[defaults]\nsize = '16:9'\nresolution = '2K'\nquality = 'medium'\n";

const LONG: &str = "A red fox reading in a snowy library, soft daylight through tall windows, film grain, no text, no people, wide shot";

fn job(id: &str, prompt: &str, more: &str) -> String {
    format!("[[jobs]]\nid = '{id}'\nprompt = '{prompt}'\n{more}\n")
}

/// Pictures that are really drawn are small: the test is about words.
const SMALL: &str = "size = '1:1'\nresolution = '1K'\nquality = 'low'";

/// A folder in which every action is met.
fn scene() -> Scene {
    let scene = Scene::new("");
    let before = [
        job("keep", "a lantern", SMALL),
        job("hero", LONG, SMALL),
        job("tea", "a cup of tea", SMALL),
        job("heron", "a heron", SMALL),
        job("gone", "a moth", SMALL),
        job("refused", "a thing [emulate: fail content_policy_violation]", SMALL),
        job("doubtful", "a thing [emulate: drop-after]", SMALL),
    ];
    scene.manifest(&format!("{HEAD}{}", before.concat()));
    scene.run(&["--rate", "50/s"]).exits(6);
    let after = [
        job("keep", "a lantern", SMALL),
        job("hero", &LONG.replace("snowy", "rainy old"), &SMALL.replace("low", "high")),
        job("tea", "a cup of tea", &format!("{SMALL}\nbackground = 'transparent'\nn = 2")),
        job("grey-heron", "a heron", SMALL),
        job("refused", "a thing [emulate: fail content_policy_violation]", SMALL),
        job("doubtful", "a thing [emulate: drop-after]", SMALL),
        job("later", "a storm", "skip = true"),
        job(
            "mug",
            "A {{ colour }} mug on a {{ surface }} table",
            "matrix.colour = ['white', 'sage', 'cobalt', 'a very long colour']\nmatrix.surface = ['oak', 'marble']",
        ),
        job(
            "tile",
            "tile number {{ n_ }}",
            "size = '1024x1024'\nquality = 'low'\nmatrix.n_ = [1,2,3,4,5,6,7,8,9,10,11,12,13]",
        ),
    ];
    scene.manifest(&format!("{HEAD}{}", after.concat()));
    scene
}

fn plan(scene: &Scene, columns: &str, flags: &[&str]) -> String {
    let args = [&["plan", "m.toml", "--out", "out", "--rate", "20/10s"], flags].concat();
    let mut command = scene.command(&args);
    command.env("COLUMNS", columns);
    scene.finish(scene.spawn(command)).exits(0).stdout
}

#[test]
fn it_says_what_why_and_how_much() {
    let scene = scene();
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d+\.\d [GT]B are free", "[FREE] are free");
    settings.bind(|| {
        for columns in ["80", "200"] {
            let shown = plan(&scene, columns, &["--budget", "100 credits"]);
            let widest = shown.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= columns.parse::<usize>().unwrap(), "{widest} columns\n{shown}");
            insta::assert_snapshot!(columns, shown);
        }
        let colored = plan(&scene, "80", &["--color", "always", "--only", "changed"]);
        insta::assert_snapshot!("colored", colored.replace('\u{1b}', "^"));
    });
    let whole = scene.call(&["plan", "m.toml", "--out", "out"]).exits(0).stdout;
    assert!(whole.contains("mug/colour=a very long colour,surface=marble "), "shortened for a pipe: {whole}");
}

#[test]
fn json_says_the_same_to_a_machine() {
    let scene = scene();
    let flags = ["--json", "--rate", "20/10s", "--budget", "1 USD"];
    let plan = scene.call(&[&["plan", "m.toml", "--out", "out"], &flags[..]].concat()).exits(0).json();
    let mut sums = plan.clone();
    sums.as_object_mut().unwrap().remove("jobs");
    assert!(sums["disk"]["free_bytes"].as_u64().unwrap() > 0);
    sums["disk"]["free_bytes"] = "[free]".into();
    insta::assert_json_snapshot!(sums);
    let jobs = plan["jobs"].as_array().unwrap();
    let paid = |action: &str| -> f64 {
        let of = jobs.iter().filter(|job| job["action"] == action);
        of.map(|job| job["credits"].as_f64().unwrap()).sum()
    };
    for action in ["new", "changed"] {
        let said = plan["totals"]["by_action"][action]["credits"].as_f64().unwrap();
        assert!((said - paid(action)).abs() < 1e-6, "{action}: {said}");
    }
    let kinds = plan["totals"]["by_kind"].as_array().unwrap();
    let sum: f64 = kinds.iter().map(|kind| kind["credits"].as_f64().unwrap()).sum();
    assert!((sum - plan["totals"]["credits"].as_f64().unwrap()).abs() < 1e-6);
}

/// The balance is asked for only when wanted, and its absence is no failure.
#[test]
fn the_balance_is_read_on_request() {
    use imgbatch::emulator::Options;
    let scene = Scene::with(Options { balance: Some(2.5), ..support::quick() });
    scene.manifest(&format!("{HEAD}{}", job("a", "a fox", "")));
    let ask = |flags: &[&str]| scene.call(&[&["plan", "m.toml", "--balance"], flags].concat()).exits(0);
    let shown = ask(&["--base-url", &scene.base_url]).stdout;
    assert!(shown.contains("balance   2.50 credits by the API's word"), "{shown}");
    assert!(shown.contains("the balance may be 1.19 credits short"), "{shown}");
    let shown = ask(&[]).stdout;
    assert!(shown.contains("the balance was not read: no base URL"), "{shown}");
    let json = ask(&["--base-url", &scene.base_url, "--json"]).json();
    assert_eq!(json["balance_credits"], 2.5);
    assert_eq!(scene.stats().creates_received, 0);
}

/// What is odd is said, and nothing stops the plan.
#[test]
fn warnings_stand_below_the_sums() {
    let scene = Scene::new("");
    image::RgbImage::new(16, 16).save(scene.path("photo.png")).unwrap();
    let jobs = [job("a", "a fox", "images = ['photo.png']"), job("b", "an owl", "model = 'another-1'")];
    scene.manifest(&format!("{HEAD}{}", jobs.concat()));
    let shown = scene.call(&["plan", "m.toml"]).exits(0).stdout;
    for phrase in
        ["takes the local images of 1 job:", "no price is known for the model of 1 job,", "no price"]
    {
        assert!(shown.contains(phrase), "{phrase}: {shown}");
    }
    let shown = scene.call(&["plan", "m.toml", "--emulate", "--budget", "5 USD"]).exits(0).stdout;
    assert!(!shown.contains("local images") && shown.contains("not bought under a budget"), "{shown}");
}
