//! A receiver of callbacks that answers as it was told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Stands for an answer that never comes.
pub(crate) const SILENCE: u16 = 0;

pub(crate) struct Hook {
    pub(crate) url: String,
    told: mpsc::UnboundedReceiver<(Instant, Value)>,
}

type Script = Arc<(Mutex<VecDeque<u16>>, mpsc::UnboundedSender<(Instant, Value)>)>;

impl Hook {
    /// Answers with these statuses in turn, then with 200.
    pub(crate) async fn answering(statuses: &[u16]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, told) = mpsc::unbounded_channel();
        let script = Arc::new((Mutex::new(statuses.iter().copied().collect()), sender));
        let app = Router::new().route("/hook", routing::post(answer)).with_state(script);
        tokio::spawn(axum::serve(listener, app).into_future());
        Self { url, told }
    }

    pub(crate) async fn next(&mut self) -> Value {
        self.timed().await.1
    }

    /// With its time of arrival, by the test's clock.
    pub(crate) async fn timed(&mut self) -> (Instant, Value) {
        self.told.recv().await.unwrap()
    }

    /// Nothing more has arrived.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.told.try_recv().is_err()
    }
}

async fn answer(State(script): State<Script>, Json(report): Json<Value>) -> Response {
    script.1.send((Instant::now(), report)).unwrap();
    let status = script.0.lock().unwrap().pop_front().unwrap_or(200);
    if status == SILENCE {
        return std::future::pending().await;
    }
    (StatusCode::from_u16(status).unwrap(), [(header::LOCATION, "/hook")]).into_response()
}
