//! Uploads: three ways in, 72 hours, and the five refusals.

use std::time::Duration;

use imgbatch::emulator::Options;
use serde_json::{Value, json};

use crate::client::{Client, encode, options, order, start, with_faults};

/// The smallest GIF, in base64.
const GIF: &str = "R0lGODlhAQABAAAAACw=";

/// Posts JSON to `/api/v1/files/upload/WAY`.
async fn send(client: &Client, way: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/api/v1/files/upload/{way}", client.base);
    let answer = client.http.post(&url).bearer_auth("test-key").json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn send_file(client: &Client, bytes: Vec<u8>) -> (u16, Value) {
    let part = reqwest::multipart::Part::bytes(bytes).file_name("picture.png");
    let form = reqwest::multipart::Form::new().part("file", part);
    let url = format!("{}/api/v1/files/upload/stream", client.base);
    let answer = client.http.post(url).bearer_auth("test-key").multipart(form).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn gif() -> Value {
    json!({ "base64_data": GIF, "file_name": "../fox.gif" })
}

/// The refusal has the host's own shape.
#[track_caller]
fn refused((status, body): &(u16, Value), wanted: u16, code: u32) {
    assert_eq!((*status, &body["success"], &body["code"]), (wanted, &json!(false), &json!(code)), "{body}");
    assert!(body["msg"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_file_comes_as_a_form_as_base64_or_as_a_link() {
    let (emulator, client) = start(options()).await;
    let png = encode(&image::RgbaImage::new(64, 64));
    let (_, form) = send_file(&client, png.clone()).await;
    assert_eq!(
        (&form["data"]["mime_type"], &form["data"]["file_name"]),
        (&json!("image/png"), &json!("picture.png"))
    );
    let (_, text) = send(&client, "base64", gif()).await;
    assert_eq!(
        (&text["data"]["mime_type"], &text["data"]["file_name"]),
        (&json!("image/gif"), &json!("fox.gif"))
    );
    let data = json!({ "base64_data": format!("data:image/gif;base64,{GIF}") });
    assert_eq!(send(&client, "base64", data).await.1["data"]["file_size"], 14);
    let (_, link) = send(&client, "url", json!({ "file_url": form["data"]["file_url"] })).await;
    assert_ne!(link["data"]["file_id"], form["data"]["file_id"]);
    for (answer, bytes) in [(&form, &png[..]), (&text, b"GIF89a"), (&link, &png)] {
        let file = client.get(answer["data"]["file_url"].as_str().unwrap()).await.unwrap();
        assert!(file.bytes().await.unwrap().starts_with(bytes));
    }
    assert_eq!(emulator.stats().uploads, 4);
}

#[tokio::test(start_paused = true)]
async fn a_file_lives_for_72_hours() {
    let (_emulator, client) = start(options()).await;
    let (_, kept) = send_file(&client, encode(&image::RgbaImage::new(64, 64))).await;
    let link = kept["data"]["file_url"].as_str().unwrap();
    let mut body = order("a fox");
    body["image_urls"] = json!([link]);
    tokio::time::sleep(Duration::from_hours(71)).await;
    assert_eq!(client.get(link).await.unwrap().status(), 200);
    assert_eq!(client.finished(&body).await["status"], "completed");
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(client.get(link).await.unwrap().status(), 404);
    let task = client.finished(&body).await;
    assert_eq!(task["error"]["code"], "resource_not_found");
    assert!(task["error"]["message"].as_str().unwrap().contains("expired"));
}

#[tokio::test(start_paused = true)]
async fn large_files_are_40001_in_every_way() {
    let (_emulator, client) = start(options()).await;
    let mut large = encode(&image::RgbaImage::new(64, 64));
    large.resize(50 * 1024 * 1024 + 1, 0);
    refused(&send_file(&client, large.clone()).await, 413, 40001);
    large.resize(80 * 1024 * 1024, 0);
    refused(&send_file(&client, large).await, 413, 40001);
}

#[tokio::test(start_paused = true)]
async fn other_files_are_40002() {
    let (emulator, client) = start(options()).await;
    refused(&send_file(&client, b"hello".to_vec()).await, 400, 40002);
    refused(&send(&client, "base64", json!({ "base64_data": "aGVsbG8=" })).await, 400, 40002);
    assert_eq!(emulator.stats().refused["40002"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_full_quota_is_40003_until_files_expire() {
    let (_emulator, client) = start(Options { upload_quota: 2, ..options() }).await;
    for _ in 0..2 {
        assert_eq!(send(&client, "base64", gif()).await.0, 200);
    }
    refused(&send(&client, "base64", gif()).await, 400, 40003);
    tokio::time::sleep(Duration::from_hours(72)).await;
    assert_eq!(send(&client, "base64", gif()).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_fetched_is_40004() {
    let (_emulator, client) = start(options()).await;
    let gone = format!("{}/files/file-0123456789abcdef/fox.png", client.base);
    let missing = format!("{}/nothing", client.base);
    for url in [&gone, &missing, "https://192.0.2.1/fox.png", "file:///etc/passwd", "fox.png"] {
        refused(&send(&client, "url", json!({ "file_url": url })).await, 400, 40004);
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_store_is_50001() {
    let folder = tempfile::tempdir().unwrap();
    let state = Some(folder.path().to_owned());
    let (_emulator, client) = start(Options { state, ..options() }).await;
    std::fs::remove_dir_all(folder.path().join("blobs")).unwrap();
    refused(&send(&client, "base64", gif()).await, 500, 50001);
}

#[tokio::test(start_paused = true)]
async fn uploads_are_refused_on_request() {
    let (emulator, client) = start(with_faults("upload-refused@1,upload-refused:40003@2")).await;
    refused(&send(&client, "base64", gif()).await, 500, 50001);
    refused(&send(&client, "base64", gif()).await, 400, 40003);
    assert_eq!(send(&client, "base64", gif()).await.0, 200);
    assert_eq!((emulator.stats().upload_requests, emulator.stats().uploads), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_file_is_refused_in_json_too() {
    let (_emulator, client) = start(options()).await;
    for body in [json!({}), json!([]), json!({ "base64_data": 7 }), json!({ "base64_data": "?" })] {
        refused(&send(&client, "base64", body).await, 400, 400);
    }
    refused(&send(&client, "stream", json!({})).await, 400, 400);
    let url = format!("{}/api/v1/files/upload/base64", client.base);
    let answer = client.http.post(url).json(&gif()).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "unauthorized");
}
