//! `plan --probe` against a server on this machine: every link once, no key,
//! and what is wrong said with its place.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod support;

use std::io::Cursor;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use image::{DynamicImage, ImageFormat};
use support::Scene;

/// A host of pictures that writes down who asks.
struct Host {
    url: String,
    asked: Arc<Mutex<Vec<(String, bool)>>>,
    _runtime: tokio::runtime::Runtime,
}

type Asked = Arc<Mutex<Vec<(String, bool)>>>;

fn png(picture: &DynamicImage) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

async fn serve(State(asked): State<Asked>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let key = request.headers().contains_key("authorization");
    asked.lock().unwrap().push((path.clone(), key));
    match path.as_str() {
        "/photo.png" | "/opaque.png" => png(&DynamicImage::new_rgb8(64, 48)).into_response(),
        "/mask.png" => png(&DynamicImage::new_rgba8(64, 48)).into_response(),
        "/small.png" => png(&DynamicImage::new_rgba8(32, 48)).into_response(),
        "/page.png" => "<!doctype html><html>not a picture</html>".into_response(),
        "/busy.png" => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

impl Host {
    fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let asked = Asked::default();
        let router = Router::new().fallback(serve).with_state(Arc::clone(&asked));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { url, asked, _runtime: runtime }
    }
}

fn manifest(scene: &Scene, host: &Host, jobs: &str) {
    let jobs = jobs.replace("HOST", &host.url);
    scene.manifest(&format!("[provider]\nbase_url = '{}'\n{jobs}", scene.base_url));
}

#[test]
fn good_links_are_asked_for_once_and_without_a_key() {
    let (scene, host) = (Scene::new(""), Host::start());
    manifest(
        &scene,
        &host,
        "[[jobs]]\nid = 'a'\nprompt = 'x'\nrepeat = 3\nimages = ['HOST/photo.png', 'HOST/mask.png']\nmask = 'HOST/mask.png'\n",
    );
    scene.call(&["plan", "m.toml"]).exits(0);
    assert_eq!(host.asked.lock().unwrap().len(), 0, "a plain plan needs no network");
    scene.call(&["plan", "m.toml", "--probe"]).exits(0).says(&["png 64x48", "2 links asked for"]);
    let mut asked = host.asked.lock().unwrap().clone();
    asked.sort();
    assert_eq!(asked, [("/mask.png".to_owned(), false), ("/photo.png".to_owned(), false)]);
}

#[test]
fn every_problem_is_told_with_its_place() {
    let (scene, host) = (Scene::new(""), Host::start());
    scene.write("rows.csv", "sku,photo\n1,none.png\n");
    image::RgbaImage::new(8, 8).save(scene.path("local.png")).unwrap();
    manifest(
        &scene,
        &host,
        "[[jobs]]\nid = 'gone'\nprompt = 'x'\nimages = ['HOST/missing.png']\n\
         [[jobs]]\nid = 'page'\nprompt = 'x'\nimages = ['HOST/photo.png', 'HOST/page.png']\n\
         [[jobs]]\nid = 'busy'\nprompt = 'x'\nimages = ['HOST/busy.png']\n\
         [[jobs]]\nid = 'small'\nprompt = 'x'\nimages = ['HOST/photo.png']\nmask = 'HOST/small.png'\n\
         [[jobs]]\nid = 'opaque'\nprompt = 'x'\nimages = ['HOST/photo.png']\nmask = 'HOST/opaque.png'\n\
         [[jobs]]\nid = 'local'\nprompt = 'x'\nimages = ['HOST/photo.png']\nmask = 'local.png'\n\
         [[jobs]]\nid = 'row-{{ sku }}'\nprompt = 'x'\nrows = 'rows.csv'\nimages = ['HOST/{{ photo }}']\n",
    );
    let said = scene.call(&["plan", "m.toml", "--probe"]).exits(2).stderr;
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"127\.0\.0\.1:\d+", "[HOST]");
    settings.add_filter(r"(\[HOST\]/\S+\n +\| +)\^+", "$1^^^");
    settings.add_filter(r"\^{4,}", "^^^^");
    settings.add_filter(&regex_escaped(&scene), "[FOLDER]");
    settings.bind(|| insta::assert_snapshot!(said));
}

fn regex_escaped(scene: &Scene) -> String {
    scene.folder.path().display().to_string().replace('.', r"\.")
}

/// Links are judged like those of results: only a manifest whose API is on
/// this machine may refer to it.
#[test]
fn this_machine_is_refused_beside_an_api_elsewhere() {
    let (scene, host) = (Scene::new(""), Host::start());
    scene.manifest(
        &"[provider]\nbase_url = 'https://api.example.com'\n[[jobs]]\nid = 'a'\nprompt = 'x'\nimages = ['HOST/photo.png']\n"
            .replace("HOST", &host.url),
    );
    scene.call(&["plan", "m.toml", "--probe"]).exits(2).says(&["the link is refused", "in the job `a`"]);
    assert_eq!(host.asked.lock().unwrap().len(), 0);
}

/// What is bought already is not asked for.
#[test]
fn only_what_would_be_bought_is_asked_for() {
    let (scene, host) = (Scene::new(""), Host::start());
    manifest(&scene, &host, "[[jobs]]\nid = 'a'\nprompt = 'x'\nimages = ['HOST/gone.png']\nskip = true\n");
    scene.call(&["plan", "m.toml", "--probe"]).exits(0);
    assert_eq!(host.asked.lock().unwrap().len(), 0);
}
