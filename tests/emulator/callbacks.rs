//! Callbacks: when they come, how often, and how little they prove.

use std::time::Duration;

use imgbatch::emulator::{Emulator, Latency, Options};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{Client, LATENCY, options, order, start, with_faults};
use crate::hook::{Hook, SILENCE};

/// An order that is called back at the hook.
fn called_back(prompt: &str, hook: &Hook) -> Value {
    let mut body = order(prompt);
    body["callback_url"] = hook.url.clone().into();
    body
}

/// Waits until nothing more will come of the callbacks.
async fn outcomes(emulator: &Emulator, outcomes: &Value) {
    for _ in 0..600 {
        if json!(emulator.stats().callbacks.outcomes) == *outcomes {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("waited in vain for {outcomes}: {:?}", emulator.stats().callbacks);
}

#[tokio::test(start_paused = true)]
async fn a_callback_brings_the_finished_and_billed_task() {
    let mut hook = Hook::answering(&[]).await;
    let (emulator, client) = start(options()).await;
    let task = client.create(&called_back("a fox", &hook)).await;
    let mut report = hook.next().await;
    let mut read = client.read(task["id"].as_str().unwrap()).await;
    for links in ["results", "result_data"] {
        assert!(report[links].as_array().is_some_and(|links| links.len() == 1));
        // Each reading signs its links anew.
        (report[links], read[links]) = (Value::Null, Value::Null);
    }
    assert_eq!(report, read);
    outcomes(&emulator, &json!({ "delivered": 1 })).await;
    assert_eq!(json!(emulator.stats().callbacks.answers), json!({ "200": 1 }));
    assert_eq!(emulator.bills()[0].callback, Some("delivered"));
}

#[tokio::test(start_paused = true)]
async fn failed_and_cancelled_tasks_are_called_back_after_their_refund() {
    let mut hook = Hook::answering(&[]).await;
    let (emulator, client) = start(with_faults("fail:service_error@1,cancelled@2")).await;
    client.create(&called_back("a fox", &hook)).await;
    let report = hook.next().await;
    assert_eq!((&report["status"], &report["error"]["code"]), (&json!("failed"), &json!("service_error")));
    let bill = &emulator.bills()[0];
    assert!((bill.credits_billed - bill.credits_refunded).abs() < 1e-9);
    client.create(&called_back("a fox", &hook)).await;
    assert_eq!(hook.next().await["status"], "cancelled");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_taken_comes_again_after_one_two_and_four_seconds() {
    // A redirect is no answer, and not followed.
    let mut hook = Hook::answering(&[500, 307, 404, 503]).await;
    let (emulator, client) = start(options()).await;
    client.create(&called_back("a fox", &hook)).await;
    let (mut last, first) = hook.timed().await;
    for pause in [1, 2, 4] {
        let (now, again) = hook.timed().await;
        assert_eq!((now.duration_since(last).as_secs(), &again), (pause, &first));
        last = now;
    }
    outcomes(&emulator, &json!({ "given_up": 1 })).await;
    let answers = json!({ "307": 1, "404": 1, "500": 1, "503": 1 });
    assert_eq!(json!(emulator.stats().callbacks.answers), answers);
    assert!(hook.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn a_receiver_has_ten_seconds() {
    let mut hook = Hook::answering(&[SILENCE]).await;
    let (emulator, client) = start(options()).await;
    client.create(&called_back("a fox", &hook)).await;
    let (first, _) = hook.timed().await;
    let (second, _) = hook.timed().await;
    assert_eq!(second.duration_since(first).as_secs(), 11);
    outcomes(&emulator, &json!({ "delivered": 1 })).await;
    assert_eq!(json!(emulator.stats().callbacks.answers), json!({ "200": 1, "timeout": 1 }));
}

#[tokio::test(start_paused = true)]
async fn callbacks_are_lost_doubled_and_late() {
    let mut hook = Hook::answering(&[]).await;
    let (emulator, client) = start(with_faults("callback-lost@1,callback-twice:3@2")).await;
    client.create(&called_back("lost", &hook)).await;
    let twice = client.create(&called_back("twice", &hook)).await;
    for _ in 0..3 {
        assert_eq!(hook.next().await["id"], twice["id"]);
    }
    outcomes(&emulator, &json!({ "delivered": 1, "lost": 1 })).await;
    let created = Instant::now();
    client.create(&called_back("[emulate: callback-late 600]", &hook)).await;
    let (arrived, _) = hook.timed().await;
    assert_eq!(arrived.duration_since(created).as_secs(), 602);
    assert!(hook.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn forged_callbacks_come_before_or_instead_of_the_real_one() {
    let mut hook = Hook::answering(&[]).await;
    let (emulator, client) = start(options()).await;
    let mine = client.create(&called_back("[emulate: callback-forged]", &hook)).await;
    let (forged, real) = (hook.next().await, hook.next().await);
    assert_eq!((&forged["id"], &forged["status"]), (&mine["id"], &json!("completed")));
    assert_eq!(forged["results"], json!(["https://forged.invalid/0.png"]));
    assert_eq!((&real["id"], &real["status"]), (&mine["id"], &json!("completed")));
    assert!(real["results"][0].as_str().unwrap().starts_with(&client.base));

    let prompt = "[emulate: callback-forged failed] [emulate: callback-lost]";
    let other = client.create(&called_back(prompt, &hook)).await;
    let forged = hook.next().await;
    assert_eq!((&forged["id"], &forged["status"]), (&other["id"], &json!("failed")));
    assert_eq!(client.read(other["id"].as_str().unwrap()).await["status"], "processing");

    client.create(&called_back("[emulate: callback-foreign] [emulate: stuck]", &hook)).await;
    assert_eq!(hook.next().await["id"], other["id"]);
    outcomes(&emulator, &json!({ "delivered": 1, "lost": 1 })).await;
    assert!(hook.is_quiet());
    let callbacks = emulator.stats().callbacks;
    assert_eq!((callbacks.forged, callbacks.posts), (3, 4));
}

#[tokio::test(start_paused = true)]
async fn internal_addresses_are_refused_unless_this_is_a_test() {
    let ask = async |client: &Client, url: &str| {
        let mut body = order("a fox");
        body["callback_url"] = url.into();
        client.create_with(&body, None).await.unwrap().status()
    };
    let (_emulator, lenient) = start(options()).await;
    let (_emulator, strict) = start(Options { allow_local_callbacks: false, ..options() }).await;
    for local in ["http://127.0.0.1:9/hook", "https://localhost/hook"] {
        assert_eq!(ask(&lenient, local).await, StatusCode::OK, "{local}");
        assert_eq!(ask(&strict, local).await, StatusCode::BAD_REQUEST, "{local}");
    }
    for never in ["https://10.0.0.1/hook", "http://example.com/hook", "hook"] {
        assert_eq!(ask(&lenient, never).await, StatusCode::BAD_REQUEST, "{never}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_machines_are_not_called_and_that_is_counted() {
    let (emulator, client) = start(options()).await;
    let mut body = order("a fox");
    body["callback_url"] = "https://192.0.2.1/hook".into();
    client.create(&body).await;
    outcomes(&emulator, &json!({ "withheld": 1 })).await;
    assert_eq!(emulator.stats().callbacks.posts, 0);
}

#[tokio::test(start_paused = true)]
async fn callbacks_survive_a_restart_and_come_no_third_time() {
    let folder = tempfile::tempdir().unwrap();
    let latency = Latency::Fixed(LATENCY);
    let options = || Options { state: Some(folder.path().to_owned()), latency, ..Options::default() };
    let mut hook = Hook::answering(&[503]).await;
    let (emulator, client) = start(options()).await;
    let refused = client.create(&called_back("ends before the restart", &hook)).await;
    assert_eq!(hook.next().await["id"], refused["id"]);
    let open = client.create(&called_back("ends while nobody runs", &hook)).await;
    emulator.stop().await;
    tokio::time::sleep(LATENCY * 2).await;

    let (emulator, _) = start(options()).await;
    tokio::time::sleep(LATENCY).await;
    let mut told = [hook.next().await["id"].clone(), hook.next().await["id"].clone()];
    let mut wanted = [refused["id"].clone(), open["id"].clone()];
    told.sort_by_key(ToString::to_string);
    wanted.sort_by_key(ToString::to_string);
    assert_eq!(told, wanted);
    outcomes(&emulator, &json!({ "delivered": 2 })).await;
    emulator.stop().await;

    let (emulator, _) = start(options()).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(hook.is_quiet());
    assert_eq!(json!(emulator.stats().callbacks.outcomes), json!({ "delivered": 2 }));
}
