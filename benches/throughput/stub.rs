//! A lean stand-in for the API: every task is done after a fixed time, every
//! picture is the same. It keeps no task: an id says when it was made.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::limit::{Limit, Limiter};

/// Requests that arrived since the counts were last read.
#[derive(Debug, Default)]
struct Counts {
    creates: AtomicU64,
    reads: AtomicU64,
    batch_reads: AtomicU64,
    files: AtomicU64,
    refused: AtomicU64,
    /// Of the submissions that were taken, in milliseconds since 1970.
    first_taken: AtomicU64,
    last_taken: AtomicU64,
}

#[derive(Debug)]
struct Stub {
    latency: Duration,
    address: String,
    picture: Bytes,
    counts: Counts,
    made: AtomicU64,
    limiter: Option<Mutex<Limiter>>,
}

/// Serves until it is killed; prints its address first.
pub(crate) async fn serve(
    latency: Duration,
    picture_bytes: usize,
    limit: Option<Limit>,
) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    println!("{address}");
    let picture = picture(picture_bytes)?.into();
    let limiter = limit.map(|limit| Mutex::new(Limiter::new(limit)));
    let stub =
        Stub { latency, address, picture, counts: Counts::default(), made: AtomicU64::new(0), limiter };
    let router = Router::new()
        .route("/v1/images/generations", post(create))
        .route("/v1/tasks/batch", post(read_many))
        .route("/v1/tasks/{id}", get(read))
        .route("/files/{name}", get(file))
        .route("/counts", get(counts))
        .with_state(Arc::new(stub));
    Ok(axum::serve(listener, router).await?)
}

async fn create(State(stub): State<Arc<Stub>>, _request: Bytes) -> Response {
    stub.counts.creates.fetch_add(1, Ordering::Relaxed);
    if stub.limiter.as_ref().is_some_and(|limiter| !limiter.lock().is_ok_and(|mut limiter| limiter.takes())) {
        stub.counts.refused.fetch_add(1, Ordering::Relaxed);
        let error = json!({"error": {"code": "rate_limit_exceeded", "message": "slow down", "type": "rate_limit_error"}});
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")], Json(error)).into_response();
    }
    let _ = stub.counts.first_taken.compare_exchange(0, now_ms(), Ordering::Relaxed, Ordering::Relaxed);
    stub.counts.last_taken.store(now_ms(), Ordering::Relaxed);
    let id = format!("task-{}-{}", now_ms(), stub.made.fetch_add(1, Ordering::Relaxed));
    Json(json!({"id": id, "model": "gpt-image-2", "object": "image.generation.task", "type": "image",
        "created": now_ms() / 1000, "progress": 0, "status": "pending",
        "task_info": {"can_cancel": true, "estimated_time": stub.latency.as_secs_f64()},
        "usage": {"billing_rule": "per_call", "credits_reserved": 1.0, "user_group": "default"}}))
    .into_response()
}

async fn read(State(stub): State<Arc<Stub>>, Path(id): Path<String>) -> impl IntoResponse {
    stub.counts.reads.fetch_add(1, Ordering::Relaxed);
    Json(report(&stub, &id))
}

async fn read_many(State(stub): State<Arc<Stub>>, Json(wanted): Json<Value>) -> impl IntoResponse {
    stub.counts.batch_reads.fetch_add(1, Ordering::Relaxed);
    let ids = wanted["task_ids"].as_array().cloned().unwrap_or_default();
    let reports: Vec<Value> = ids.iter().filter_map(Value::as_str).map(|id| report(&stub, id)).collect();
    Json(json!({"data": reports}))
}

fn report(stub: &Stub, id: &str) -> Value {
    let made: u64 = id.split('-').nth(1).and_then(|made| made.parse().ok()).unwrap_or_default();
    if now_ms() < made + stub.latency.as_millis() as u64 {
        return json!({"id": id, "status": "processing", "progress": 50});
    }
    json!({"id": id, "status": "completed", "progress": 100, "usage": {"credits_used": 1.0},
        "results": [format!("{}/files/{id}.png", stub.address)]})
}

async fn file(State(stub): State<Arc<Stub>>) -> impl IntoResponse {
    stub.counts.files.fetch_add(1, Ordering::Relaxed);
    ([("content-type", "image/png")], stub.picture.clone())
}

async fn counts(State(stub): State<Arc<Stub>>) -> impl IntoResponse {
    let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
    let Counts { creates, reads, batch_reads, files, refused, first_taken, last_taken } = &stub.counts;
    let (first, last) = (take(first_taken), take(last_taken));
    Json(json!({"creates": take(creates), "reads": take(reads), "batch_reads": take(batch_reads),
        "files": take(files), "refused": take(refused), "span_ms": last - first}))
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// Noise, which does not compress: a square PNG of about so many bytes.
fn picture(bytes: usize) -> anyhow::Result<Vec<u8>> {
    let edge = ((bytes as f64 / 3.0).sqrt() as u32).max(1);
    let mut random = fastrand::Rng::with_seed(7);
    let pixels: Vec<u8> = (0..edge * edge * 3).map(|_| random.u8(..)).collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, edge, edge);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(file)
}
