//! What goes wrong on request, by rules and by words in a prompt.

use std::time::Duration;

use imgbatch::emulator::Options;
use serde_json::{Value, json};

use crate::client::{LATENCY, options, order, start, with_faults};

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

#[tokio::test]
async fn a_create_that_the_client_gave_up_on_is_billed() {
    let options = Options { create_latency: Duration::from_secs(30), ..options() };
    let (emulator, client) = start(options).await;
    let limit = Duration::from_millis(200);
    assert!(tokio::time::timeout(limit, client.create_with(&order("a fox"), None)).await.is_err());
    assert_eq!(emulator.stats().tasks_billed, 1);
}
