//! Tasks from create to picture: keys, links, rates, restarts.

use std::time::Duration;

use imgbatch::emulator::Options;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{LATENCY, encode, options, order, start};

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
