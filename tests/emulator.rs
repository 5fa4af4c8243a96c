//! The emulator as a client sees it: over HTTP, on a free port.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

use std::time::Duration;

use imgbatch::emulator::{Emulator, Idempotency, Latency, Options};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Tasks end after this long, by the paused clock.
const LATENCY: Duration = Duration::from_secs(2);

struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    fn of(emulator: &Emulator) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .user_agent("emulator-tests")
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { http, base: emulator.base_url() }
    }

    async fn create_with(&self, body: &Value, key: Option<&str>) -> reqwest::Result<reqwest::Response> {
        let mut request = self.http.post(format!("{}/v1/images/generations", self.base));
        request = request.bearer_auth("test-key").json(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        request.send().await
    }

    async fn create(&self, body: &Value) -> Value {
        let answer = self.create_with(body, None).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.unwrap()
    }

    async fn read(&self, id: &str) -> Value {
        let request = self.http.get(format!("{}/v1/tasks/{id}", self.base)).bearer_auth("test-key");
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Creates, waits for the end, and reads.
    async fn finished(&self, body: &Value) -> Value {
        let task = self.create(body).await;
        tokio::time::sleep(LATENCY + Duration::from_millis(100)).await;
        self.settled(task["id"].as_str().unwrap()).await
    }

    /// Reads until the task has ended; preparing references takes real time.
    async fn settled(&self, id: &str) -> Value {
        for _ in 0..500 {
            let task = self.read(id).await;
            if !matches!(task["status"].as_str(), Some("pending" | "processing")) {
                return task;
            }
            tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(2))).await.unwrap();
        }
        panic!("task {id} does not end");
    }

    async fn get(&self, url: &str) -> reqwest::Result<reqwest::Response> {
        self.http.get(url).send().await
    }

    async fn picture(&self, task: &Value, index: usize) -> Vec<u8> {
        let url = task["results"][index].as_str().expect("a link");
        let answer = self.get(url).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.bytes().await.unwrap().to_vec()
    }

    /// Uploads a picture and gives its link.
    async fn upload(&self, bytes: Vec<u8>) -> String {
        let part = reqwest::multipart::Part::bytes(bytes).file_name("picture.png");
        let form = reqwest::multipart::Form::new().part("file", part);
        let request = self.http.post(format!("{}/api/v1/files/upload/stream", self.base));
        let answer = request.bearer_auth("test-key").multipart(form).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["data"]["file_url"].as_str().expect("a link").to_owned()
    }
}

fn order(prompt: &str) -> Value {
    json!({ "model": "gpt-image-2", "prompt": prompt, "quality": "low" })
}

fn options() -> Options {
    Options { latency: Latency::Fixed(LATENCY), ..Options::default() }
}

fn with_faults(faults: &str) -> Options {
    Options { faults: faults.parse().unwrap(), ..options() }
}

async fn start(options: Options) -> (Emulator, Client) {
    let emulator = Emulator::start(options).await.unwrap();
    let client = Client::of(&emulator);
    (emulator, client)
}

fn near(value: &Value, wanted: f64) -> bool {
    value.as_f64().is_some_and(|value| (value - wanted).abs() < 1e-9)
}

fn encode(picture: &image::RgbaImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[tokio::test(start_paused = true)]
async fn a_task_lives_from_create_to_picture() {
    let (emulator, client) = start(options()).await;
    let mut body = order("a red fox in the snow");
    body["size"] = "3:2".into();
    body["n"] = 2.into();
    let task = client.create(&body).await;
    assert_eq!((&task["status"], &task["progress"]), (&json!("pending"), &json!(0)));
    assert_eq!(task["task_info"]["estimated_time"], 2);
    let id = task["id"].as_str().unwrap();
    assert!(id.starts_with("task-unified-") && id.len() == "task-unified-1757156493-imcg5zqt".len());

    tokio::time::sleep(LATENCY / 2).await;
    let half = client.read(id).await;
    assert_eq!((&half["status"], &half["progress"]), (&json!("processing"), &json!(50)));

    tokio::time::sleep(LATENCY).await;
    let done = client.read(id).await;
    assert_eq!((&done["status"], &done["progress"]), (&json!("completed"), &json!(100)));
    for index in 0..2 {
        let picture = image::load_from_memory(&client.picture(&done, index).await).unwrap();
        assert_eq!((picture.width(), picture.height()), (1248, 832));
    }
    let stats = emulator.stats();
    assert_eq!((stats.tasks_billed, stats.downloads, stats.keys_sent_to_results), (1, 2, 0));
    let used = done["usage"]["credits_used"].as_f64().unwrap();
    assert!((stats.credits_billed - stats.credits_refunded - used).abs() < 1e-9);
    emulator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn links_are_fresh_each_read_signed_and_die_after_their_life() {
    let (_emulator, client) = start(options()).await;
    let done = client.finished(&order("a fox")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let again = client.read(done["id"].as_str().unwrap()).await;
    assert_ne!(done["results"], again["results"]);
    let link = done["results"][0].as_str().unwrap();
    assert_eq!(client.get(link).await.unwrap().status(), StatusCode::OK);
    let forged = link.replace("/0.png", "/1.png");
    assert_eq!(client.get(&forged).await.unwrap().status(), StatusCode::FORBIDDEN);
    tokio::time::sleep(Duration::from_hours(24)).await;
    assert_eq!(client.get(link).await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn keys_and_bodies_are_checked_in_the_documented_shape() {
    let (emulator, client) = start(Options { keys: Some(vec!["good".into()]), ..options() }).await;
    let answer = client.create_with(&order("a fox"), None).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let header = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["error"]["code"], "unauthorized");
    assert_eq!(body["error"]["request_id"], header.as_str());

    let url = format!("{}/v1/images/generations", client.base);
    let bad = client.http.post(url).bearer_auth("good").json(&json!({"model": "gpt-image-2", "prompt": ""}));
    let answer = bad.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        (&body["error"]["code"], &body["error"]["param"]),
        (&json!("invalid_parameters"), &json!("prompt"))
    );
    assert_eq!(emulator.stats().refused["unauthorized"], 1);
    assert_eq!(emulator.stats().tasks_billed, 0);
}

#[tokio::test(start_paused = true)]
async fn honoured_keys_give_the_first_task_and_refuse_another_body() {
    let (emulator, client) = start(Options { idempotency: Idempotency::Honoured, ..options() }).await;
    let key = Some("0123456789abcdef");
    let first = client.create_with(&order("a fox"), key).await.unwrap();
    assert!(!first.headers().contains_key("idempotency-replayed"));
    let first: Value = first.json().await.unwrap();
    let again = client.create_with(&order("a fox"), key).await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    let again: Value = again.json().await.unwrap();
    assert_eq!(first["id"], again["id"]);
    let other = client.create_with(&order("a wolf"), key).await.unwrap();
    assert_eq!(other.status(), StatusCode::CONFLICT);
    let stats = emulator.stats();
    assert_eq!((stats.tasks_billed, stats.idempotent_replays, stats.duplicate_keys), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn ignored_keys_bill_twice_and_show_it() {
    let (emulator, client) = start(options()).await;
    for _ in 0..2 {
        client.create_with(&order("a fox"), Some("0123456789abcdef")).await.unwrap();
    }
    let stats = emulator.stats();
    assert_eq!((stats.tasks_billed, stats.duplicate_keys), (2, 1));
    assert_eq!(stats.tasks_by_key["0123456789abcdef"].len(), 2);
}

#[tokio::test(start_paused = true)]
async fn tasks_bills_and_uploads_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { state: Some(folder.path().to_owned()), ..options() };
    let (emulator, client) = start(options()).await;
    let task = client.create_with(&order("a fox"), Some("0123456789abcdef")).await.unwrap();
    let task: Value = task.json().await.unwrap();
    let upload = client.upload(encode(&image::RgbaImage::new(64, 64))).await;
    emulator.stop().await;

    let (emulator, client) = start(options()).await;
    tokio::time::sleep(LATENCY).await;
    let done = client.settled(task["id"].as_str().unwrap()).await;
    assert_eq!(done["status"], "completed");
    client.picture(&done, 0).await;
    let moved = format!(
        "{}{}",
        client.base,
        upload.split_once("/files").map(|(_, path)| format!("/files{path}")).unwrap()
    );
    assert_eq!(client.get(&moved).await.unwrap().status(), StatusCode::OK);
    client.create_with(&order("a fox"), Some("0123456789abcdef")).await.unwrap();
    assert_eq!(emulator.stats().tasks_by_key["0123456789abcdef"].len(), 2);
}

#[tokio::test(start_paused = true)]
async fn scripted_create_faults_fire_where_they_say() {
    let faults =
        "429:7@1,500@2,502@3,503@4,drop-before@5,drop-after@6,truncated@7,html@8,completed-at-once@9";
    let (emulator, client) = start(with_faults(faults)).await;
    let send = async || client.create_with(&order("a fox"), None).await;
    let answer = send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(send().await.unwrap().status(), 500);
    let page = send().await.unwrap();
    assert_eq!(page.status(), 502);
    assert!(page.text().await.unwrap().starts_with("<html>"));
    let answer: Value = send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["error"]["code"], "service_unavailable");
    assert_eq!(emulator.stats().tasks_billed, 0);

    assert!(send().await.is_err(), "drop-before");
    assert_eq!(emulator.stats().tasks_billed, 0);
    assert!(send().await.is_err(), "drop-after");
    assert_eq!(emulator.stats().tasks_billed, 1);
    assert!(send().await.unwrap().json::<Value>().await.is_err(), "truncated");
    assert!(send().await.unwrap().text().await.unwrap().contains("<html>"));
    let done: Value = send().await.unwrap().json().await.unwrap();
    assert_eq!(done["status"], "completed");
    client.picture(&done, 0).await;
    let stats = emulator.stats();
    assert_eq!((stats.tasks_billed, stats.throttled, stats.faults["drop-after"]), (4, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn ids_can_be_wrong() {
    let (emulator, client) = start(with_faults("duplicate-id@2,foreign-id@1,504:billed@3")).await;
    let first = client.create(&order("one")).await;
    assert_eq!(client.create(&order("two")).await["id"], first["id"]);
    let id = first["id"].as_str().unwrap();
    assert_ne!(client.read(id).await["id"], first["id"]);
    assert_eq!(client.read(id).await["id"], first["id"]);
    assert_eq!(client.create_with(&order("three"), None).await.unwrap().status(), 504);
    assert_eq!(emulator.stats().tasks_billed, 3);
}

#[tokio::test]
async fn a_hanging_create_is_billed_or_not_and_ends_with_the_emulator() {
    let (emulator, client) = start(with_faults("hang-before@1,hang-after@2")).await;
    for billed in 0..2 {
        let limit = Duration::from_millis(200);
        let answer = tokio::time::timeout(limit, client.create_with(&order("a fox"), None)).await;
        assert!(answer.is_err(), "answered");
        assert_eq!(emulator.stats().tasks_billed, billed);
    }
    tokio::time::timeout(Duration::from_secs(4), emulator.stop()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn scripted_task_faults_shape_what_is_read() {
    let faults = "fail:content_policy_violation@1,cancelled@2,no-links@3,backwards@4,object-results@5,file-link@6,stuck@7";
    let (emulator, client) = start(with_faults(faults)).await;
    let failed = client.finished(&order("one")).await;
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&json!("failed"), &json!("content_policy_violation"))
    );
    let stats = emulator.stats();
    assert!(stats.credits_billed > 0.0 && (stats.credits_billed - stats.credits_refunded).abs() < 1e-9);
    assert_eq!(client.finished(&order("two")).await["status"], "cancelled");

    let bare = client.finished(&order("three")).await;
    let id = bare["id"].as_str().unwrap();
    assert_eq!((&bare["status"], &bare["results"]), (&json!("completed"), &json!([])));
    assert_eq!(client.read(id).await["results"], json!([]));
    assert_eq!(client.read(id).await["results"].as_array().unwrap().len(), 1);

    let task = client.create(&order("four")).await;
    let id = task["id"].as_str().unwrap();
    client.read(id).await;
    tokio::time::sleep(LATENCY * 2).await;
    assert_eq!(client.read(id).await["status"], "processing");
    assert_eq!(client.read(id).await["status"], "completed");

    assert!(client.finished(&order("five")).await["results"][0]["url"].is_string());
    assert_eq!(client.finished(&order("six")).await["results"][0], "file:///etc/passwd");
    let task = client.create(&order("seven")).await;
    tokio::time::sleep(Duration::from_hours(10)).await;
    assert_eq!(client.read(task["id"].as_str().unwrap()).await["status"], "processing");
}

#[tokio::test(start_paused = true)]
async fn scripted_download_faults_break_the_picture() {
    let faults = "damaged@1,short@2,empty@3,missing-once@4,html-picture@5,redirect@6,redirect-away@7,bomb@8,jpeg@9,wrong-size@10";
    let (emulator, client) = start(Options { cached_pictures: true, ..with_faults(faults) }).await;
    let mut body = order("ten foxes");
    body["n"] = 10.into();
    let task = client.finished(&body).await;
    let link = |index: usize| task["results"][index].as_str().unwrap();
    let fetch = async |index: usize| client.get(link(index)).await.unwrap();

    assert!(image::load_from_memory(&client.picture(&task, 0).await).is_err());
    assert!(image::load_from_memory(&client.picture(&task, 0).await).is_err(), "damage stays");
    assert!(fetch(1).await.bytes().await.is_err(), "cut before its length");
    assert!(client.picture(&task, 2).await.is_empty());
    assert_eq!(fetch(3).await.status(), 404);
    image::load_from_memory(&client.picture(&task, 3).await).unwrap();
    assert!(client.picture(&task, 4).await.starts_with(b"<html>"));
    let answer = fetch(5).await;
    assert_eq!(answer.status(), 302);
    let there = format!("{}{}", client.base, answer.headers()["location"].to_str().unwrap());
    assert_eq!(client.get(&there).await.unwrap().status(), 200);
    assert!(fetch(6).await.headers()["location"].to_str().unwrap().contains("198.51.100.1"));
    let bomb = client.picture(&task, 7).await;
    let reader = image::ImageReader::new(std::io::Cursor::new(bomb)).with_guessed_format().unwrap();
    assert_eq!(reader.into_dimensions().unwrap(), (60_000, 60_000));
    assert_eq!(image::guess_format(&client.picture(&task, 8).await).unwrap(), image::ImageFormat::Jpeg);
    let small = image::load_from_memory(&client.picture(&task, 9).await).unwrap();
    assert_eq!((small.width(), small.height()), (1008, 1008));
    assert_eq!(emulator.stats().faults["missing-once"], 1);
}

#[tokio::test(start_paused = true)]
async fn words_in_a_prompt_ask_for_faults() {
    let (_emulator, client) = start(options()).await;
    let failed = client.finished(&order("a fox [emulate: fail service_error]")).await;
    assert_eq!(failed["error"]["code"], "service_error");
    let body = order("a fox [emulate: 503]");
    assert_eq!(client.create_with(&body, None).await.unwrap().status(), 503);
    assert_eq!(client.create_with(&body, None).await.unwrap().status(), 200, "only the first time");
}

#[tokio::test(start_paused = true)]
async fn many_tasks_are_read_at_once_and_listed_newest_first() {
    let (_emulator, client) = start(options()).await;
    let mut ids = Vec::new();
    for prompt in ["one", "two", "three"] {
        ids.push(client.create(&order(prompt)).await["id"].clone());
    }
    let url = format!("{}/v1/tasks/batch", client.base);
    let wanted = json!({ "task_ids": [ids[0], "task-unified-1-unknown0", ids[2]] });
    let request = client.http.post(url).bearer_auth("k").json(&wanted);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    let got: Vec<_> = answer["data"].as_array().unwrap().iter().map(|task| task["id"].clone()).collect();
    assert_eq!(got, [ids[0].clone(), ids[2].clone()]);

    let url = format!("{}/v1/tasks?status=processing&type=image&page=1&page_size=2", client.base);
    let answer: Value = client.http.get(url).bearer_auth("k").send().await.unwrap().json().await.unwrap();
    assert_eq!((&answer["total"], &answer["data"][0]["id"]), (&json!(3), &ids[2]));
    assert_eq!(answer["data"].as_array().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_balance_is_reserved_refunded_and_refused() {
    // One low picture of 1024x1024 reserves 2048x2048 under `auto`.
    let (_emulator, client) =
        start(Options { balance: Some(1.2), ..with_faults("fail:service_error@1") }).await;
    let credits = async || -> Value {
        let request = client.http.get(format!("{}/v1/credits", client.base)).bearer_auth("k");
        request.send().await.unwrap().json().await.unwrap()
    };
    let task = client.create(&order("a fox")).await;
    let reserved = task["usage"]["credits_reserved"].as_f64().unwrap();
    assert!(near(&credits().await["data"]["user"]["remaining_credits"], 1.2 - reserved));
    assert_eq!(client.create_with(&order("a wolf"), None).await.unwrap().status(), 402);
    tokio::time::sleep(LATENCY).await;
    assert!(near(&credits().await["data"]["user"]["remaining_credits"], 1.2));
}

#[tokio::test(start_paused = true)]
async fn the_rate_holds_over_a_sliding_window() {
    let (emulator, client) = start(Options { rate: Some("2/10s".parse().unwrap()), ..options() }).await;
    let send = async || client.create_with(&order("a fox"), None).await.unwrap();
    assert_eq!((send().await.status(), send().await.status()), (StatusCode::OK, StatusCode::OK));
    let refused = send().await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"10".parse().unwrap()));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(send().await.status(), 200);
    assert_eq!(emulator.stats().throttled, 1);
}

/// A reference with a left half that the mask keeps and a right half that it gives away.
async fn edit(client: &Client, mask: Option<image::RgbaImage>) -> (image::RgbaImage, Value) {
    let reference =
        image::RgbaImage::from_fn(1024, 1024, |x, y| image::Rgba([x as u8, y as u8, (x / 4) as u8, 255]));
    let mut body = order("a blue vase");
    body["size"] = "1024x1024".into();
    body["image_urls"] = json!([client.upload(encode(&reference)).await]);
    if let Some(mask) = mask {
        body["mask_url"] = client.upload(encode(&mask)).await.into();
    }
    (reference, client.finished(&body).await)
}

#[tokio::test(start_paused = true)]
async fn a_mask_leaves_every_opaque_pixel_alone() {
    let (_emulator, client) = start(options()).await;
    let keep = |x| if x < 512 { 255 } else { 0 };
    let mask = image::RgbaImage::from_fn(1024, 1024, |x, _| image::Rgba([0, 0, 0, keep(x)]));
    let (reference, task) = edit(&client, Some(mask)).await;
    let result = image::load_from_memory(&client.picture(&task, 0).await).unwrap().to_rgba8();
    let differ = |x: u32, y: u32| reference.get_pixel(x, y) != result.get_pixel(x, y);
    let left = (0..512).flat_map(|x| (0..1024).map(move |y| (x, y))).filter(|&(x, y)| differ(x, y)).count();
    let right =
        (512..1024).flat_map(|x| (0..1024).map(move |y| (x, y))).filter(|&(x, y)| differ(x, y)).count();
    assert_eq!(left, 0);
    assert!(right > 500_000, "only {right} pixels changed");
}

#[tokio::test(start_paused = true)]
async fn bad_masks_and_missing_references_fail_the_task() {
    let (_emulator, client) = start(options()).await;
    let (_, task) = edit(&client, Some(image::RgbaImage::new(512, 512))).await;
    assert_eq!(task["error"]["message"], "Invalid mask image format - mask size does not match image size");
    let mut body = order("a vase");
    let opaque = image::DynamicImage::from(image::RgbImage::new(64, 64));
    let mut bytes = std::io::Cursor::new(Vec::new());
    opaque.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    let opaque = client.upload(bytes.into_inner()).await;
    body["image_urls"] = json!([opaque]);
    body["mask_url"] = opaque.into();
    let task = client.finished(&body).await;
    assert_eq!(task["error"]["message"], "Invalid mask image format - mask image missing alpha channel");
    body["image_urls"] = json!([format!("{}/files/file-unknown/x.png", client.base)]);
    assert_eq!(client.finished(&body).await["error"]["code"], "resource_not_found");
}

#[tokio::test(start_paused = true)]
async fn pictures_repeat_by_prompt_take_and_size() {
    let (_first, one) = start(options()).await;
    let (_second, two) = start(options()).await;
    let a = one.picture(&one.finished(&order("a fox")).await, 0).await;
    let b = two.picture(&two.finished(&order("a fox")).await, 0).await;
    assert_eq!(a, b);
    let second_take = one.picture(&one.finished(&order("a fox")).await, 0).await;
    assert_ne!(a, second_take);
}

#[tokio::test(start_paused = true)]
async fn cached_pictures_have_the_wanted_length() {
    let options = Options { cached_pictures: true, picture_bytes: Some(5_000_000), ..options() };
    let (_emulator, client) = start(options).await;
    let picture = client.picture(&client.finished(&order("a fox")).await, 0).await;
    assert_eq!(picture.len(), 5_000_000);
    image::load_from_memory(&picture).unwrap();
}

/// Mean difference of the colours of two pictures of one size.
fn difference(a: &image::RgbaImage, b: &image::RgbaImage) -> f64 {
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len() as f64
}

#[tokio::test(start_paused = true)]
async fn an_edit_without_a_mask_shows_its_reference() {
    let (_emulator, client) = start(options()).await;
    let (reference, task) = edit(&client, None).await;
    let result = image::load_from_memory(&client.picture(&task, 0).await).unwrap().to_rgba8();
    let mut plain = order("a blue vase");
    plain["size"] = "1024x1024".into();
    let plain = client.finished(&plain).await;
    let plain = image::load_from_memory(&client.picture(&plain, 0).await).unwrap().to_rgba8();
    assert!(difference(&result, &reference) > 5.0, "changed");
    assert!(difference(&result, &reference) < difference(&plain, &reference) * 0.6, "recognisable");
    assert_eq!(task["usage"]["image_input_tokens"], 1024);
}

#[tokio::test(start_paused = true)]
async fn other_machines_are_not_asked_unless_allowed() {
    let (_emulator, client) = start(options()).await;
    let mut body = order("a fox");
    body["image_urls"] = json!(["http://192.0.2.1/fox.png"]);
    let task = client.finished(&body).await;
    assert_eq!(task["error"]["code"], "resource_not_found");
    assert!(task["error"]["message"].as_str().unwrap().contains("allow_remote_hosts"));
}

#[tokio::test(start_paused = true)]
async fn a_key_at_a_result_link_is_noticed() {
    let (emulator, client) = start(options()).await;
    let task = client.finished(&order("a fox")).await;
    let link = task["results"][0].as_str().unwrap();
    client.http.get(link).bearer_auth("secret").send().await.unwrap();
    assert_eq!(emulator.stats().keys_sent_to_results, 1);
}

#[tokio::test(start_paused = true)]
async fn the_statistics_are_served_too() {
    let (emulator, client) = start(options()).await;
    client.create(&order("a fox")).await;
    let answer = client.get(&format!("{}/emulator/stats", client.base)).await.unwrap();
    let served: Value = answer.json().await.unwrap();
    assert_eq!(served, serde_json::to_value(emulator.stats()).unwrap());
}

#[tokio::test]
async fn a_callback_brings_the_finished_task() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let hook = async move |body: axum::Json<Value>| sender.send(body.0).await.unwrap();
    let app = axum::Router::new().route("/hook", axum::routing::post(hook));
    tokio::spawn(axum::serve(listener, app).into_future());
    let options = Options { latency: Latency::Fixed(Duration::from_millis(20)), ..options() };
    let (_emulator, client) = start(options).await;
    let mut body = order("a fox");
    body["callback_url"] = format!("http://{address}/hook").into();
    let task = client.create(&body).await;
    let called = tokio::time::timeout(Duration::from_secs(10), receiver.recv()).await.unwrap().unwrap();
    assert_eq!((&called["id"], &called["status"]), (&task["id"], &json!("completed")));
}

#[tokio::test]
async fn a_create_that_the_client_gave_up_on_is_billed() {
    let options = Options { create_latency: Duration::from_secs(30), ..options() };
    let (emulator, client) = start(options).await;
    let limit = Duration::from_millis(200);
    assert!(tokio::time::timeout(limit, client.create_with(&order("a fox"), None)).await.is_err());
    assert_eq!(emulator.stats().tasks_billed, 1);
}

#[tokio::test(start_paused = true)]
async fn uploads_come_as_base64_too_and_others_are_refused() {
    let (_emulator, client) = start(options()).await;
    let url = format!("{}/api/v1/files/upload/base64", client.base);
    let send = async |data: &str| -> Value {
        let body = json!({ "base64_data": data, "file_name": "../fox.gif" });
        let request = client.http.post(&url).bearer_auth("k").json(&body);
        request.send().await.unwrap().json().await.unwrap()
    };
    let kept = send("R0lGODlhAQABAAAAACw=").await;
    assert_eq!((&kept["success"], &kept["data"]["mime_type"]), (&json!(true), &json!("image/gif")));
    let file = client.get(kept["data"]["file_url"].as_str().unwrap()).await.unwrap();
    assert!(file.bytes().await.unwrap().starts_with(b"GIF89a"));
    assert_eq!(send("aGVsbG8=").await["code"], 40002);
}
