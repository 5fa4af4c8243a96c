//! What resolves a submission of unknown outcome: repeats under a key, the
//! list, the balance; and the bills that tell the truth.

use std::time::Duration;

use imgbatch::emulator::{Idempotency, Options};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{LATENCY, near, options, order, start, with_faults};

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
    let credits = async || client.document("/v1/credits").await;
    let task = client.create(&order("a fox")).await;
    let reserved = task["usage"]["credits_reserved"].as_f64().unwrap();
    assert!(near(&credits().await["data"]["user"]["remaining_credits"], 1.2 - reserved));
    assert_eq!(client.create_with(&order("a wolf"), None).await.unwrap().status(), 402);
    tokio::time::sleep(LATENCY).await;
    assert!(near(&credits().await["data"]["user"]["remaining_credits"], 1.2));
}

#[tokio::test(start_paused = true)]
async fn a_repeat_learns_nothing_before_the_first_is_decided() {
    let create_latency = Duration::from_mins(1);
    let options = Options { idempotency: Idempotency::Honoured, create_latency, ..options() };
    let (emulator, client) = start(options).await;
    let send = async || client.create_with(&order("a fox"), Some("0123456789abcdef")).await;
    assert!(tokio::time::timeout(Duration::from_secs(5), send()).await.is_err(), "gave up");
    let early = send().await.unwrap();
    assert_eq!(early.status(), StatusCode::CONFLICT);
    let early: Value = early.json().await.unwrap();
    assert_eq!(early["error"]["code"], "paid_outcome_unknown");
    let late = send().await.unwrap();
    assert_eq!(late.headers()["idempotency-replayed"], "true");
    assert_eq!(emulator.stats().tasks_billed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_prompt_can_leave_its_outcome_open_for_some_repeats() {
    let options = Options { idempotency: Idempotency::Honoured, ..options() };
    let (emulator, client) = start(options).await;
    let body = order("a fox [emulate: drop-after] [emulate: outcome-unknown 2]");
    let send = async || client.create_with(&body, Some("0123456789abcdef")).await;
    assert!(send().await.is_err(), "dropped");
    for _ in 0..2 {
        assert_eq!(send().await.unwrap().status(), StatusCode::CONFLICT);
    }
    assert_eq!(send().await.unwrap().headers()["idempotency-replayed"], "true");
    assert_eq!(emulator.stats().tasks_billed, 1);
}

#[tokio::test(start_paused = true)]
async fn in_conflict_every_repeat_is_refused() {
    let (emulator, client) = start(Options { idempotency: Idempotency::Conflict, ..options() }).await;
    let send = async || client.create_with(&order("a fox"), Some("0123456789abcdef")).await.unwrap();
    assert_eq!(send().await.status(), StatusCode::OK);
    let again = send().await;
    assert_eq!(again.status(), StatusCode::CONFLICT);
    let again: Value = again.json().await.unwrap();
    assert_eq!(again["error"]["code"], "idempotency_conflict");
    assert_eq!(emulator.stats().tasks_billed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_forgotten_after_a_day() {
    let (emulator, client) = start(Options { idempotency: Idempotency::Honoured, ..options() }).await;
    let send = async || client.create_with(&order("a fox"), Some("0123456789abcdef")).await.unwrap();
    send().await;
    tokio::time::sleep(Duration::from_hours(24)).await;
    assert!(!send().await.headers().contains_key("idempotency-replayed"));
    assert_eq!(emulator.stats().duplicate_keys, 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_appears_in_a_slow_list_only_later() {
    let (_emulator, client) = start(Options { list_delay: Duration::from_mins(1), ..options() }).await;
    let task = client.create(&order("a fox")).await;
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert!(client.listed().await.is_empty());
    assert_eq!(client.read(task["id"].as_str().unwrap()).await["status"], "completed");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(client.listed().await, [task["id"].clone()]);
}

#[tokio::test(start_paused = true)]
async fn a_single_task_can_be_kept_out_of_the_list() {
    let (_emulator, client) = start(with_faults("unlisted@1,unlisted:30@2")).await;
    let mut ids = Vec::new();
    for prompt in ["never", "later", "at once", "[emulate: unlisted]"] {
        ids.push(client.create(&order(prompt)).await["id"].clone());
    }
    assert_eq!(client.listed().await, [ids[2].clone()]);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(client.listed().await, [ids[2].clone(), ids[1].clone()]);
}

#[tokio::test(start_paused = true)]
async fn what_is_switched_off_does_not_exist() {
    let (_emulator, client) = start(Options { list: false, batch: false, ..options() }).await;
    assert_eq!(client.document("/v1/tasks").await["error"]["code"], "not_found");
    let url = format!("{}/v1/tasks/batch", client.base);
    let answer = client.http.post(url).bearer_auth("k").json(&json!({ "task_ids": ["x"] })).send().await;
    assert_eq!(answer.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test(start_paused = true)]
async fn a_slow_balance_shows_the_figures_of_then() {
    let balance_lag = Duration::from_secs(30);
    let options = Options { balance: Some(10.0), balance_lag, ..options() };
    let (_emulator, client) = start(options).await;
    let remaining =
        async || client.document("/v1/credits").await["data"]["user"]["remaining_credits"].clone();
    let task = client.create(&order("a fox")).await;
    let reserved = task["usage"]["credits_reserved"].as_f64().unwrap();
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert!(near(&remaining().await, 10.0), "nothing is known yet");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(near(&remaining().await, 10.0 - reserved), "the reservation is known");
    tokio::time::sleep(LATENCY).await;
    let used = client.read(task["id"].as_str().unwrap()).await["usage"]["credits_used"].as_f64().unwrap();
    assert!(near(&remaining().await, 10.0 - used), "the refund is known");
}

#[tokio::test(start_paused = true)]
async fn bills_say_what_each_task_cost() {
    let (emulator, client) = start(with_faults("fail:service_error@2")).await;
    let mut sent = Vec::new();
    for key in ["0123456789abcdef-1", "0123456789abcdef-2"] {
        let answer = client.create_with(&order("a fox"), Some(key)).await.unwrap();
        sent.push((answer.json::<Value>().await.unwrap()["id"].clone(), key));
    }
    let open = client.document("/emulator/bills").await;
    assert_eq!(
        (&open["bills"][0]["status"], &open["bills"][0]["credits_refunded"]),
        (&json!("pending"), &json!(0.0))
    );
    tokio::time::sleep(LATENCY).await;
    let served = client.document("/emulator/bills").await;
    let bills = served["bills"].as_array().unwrap();
    for (bill, (id, key)) in bills.iter().zip(&sent) {
        assert_eq!((&bill["task_id"], bill["idempotency_key"].as_str()), (id, Some(*key)));
    }
    let figure = |bill: &Value, name: &str| bill[name].as_f64().unwrap();
    let used = client.read(sent[0].0.as_str().unwrap()).await["usage"]["credits_used"].as_f64().unwrap();
    let cost = |bill: &Value| figure(bill, "credits_billed") - figure(bill, "credits_refunded");
    assert!((cost(&bills[0]) - used).abs() < 1e-9 && cost(&bills[1]).abs() < 1e-9);
    let (stats, sum) = (emulator.stats(), |name| bills.iter().map(|bill| figure(bill, name)).sum::<f64>());
    assert!((sum("credits_billed") - stats.credits_billed).abs() < 1e-9);
    assert!((sum("credits_refunded") - stats.credits_refunded).abs() < 1e-9);
    assert_eq!(served, json!({ "bills": emulator.bills() }));
}
