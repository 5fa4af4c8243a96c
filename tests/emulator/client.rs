//! A client of the emulator, and the emulators that the tests start.

use std::time::Duration;

use imgbatch::emulator::{Emulator, Latency, Options};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Tasks end after this long, by the paused clock.
pub(crate) const LATENCY: Duration = Duration::from_secs(2);

pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
}

impl Client {
    pub(crate) fn of(emulator: &Emulator) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .user_agent("emulator-tests")
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { http, base: emulator.base_url() }
    }

    pub(crate) async fn create_with(
        &self,
        body: &Value,
        key: Option<&str>,
    ) -> reqwest::Result<reqwest::Response> {
        let mut request = self.http.post(format!("{}/v1/images/generations", self.base));
        request = request.bearer_auth("test-key").json(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        request.send().await
    }

    pub(crate) async fn create(&self, body: &Value) -> Value {
        let answer = self.create_with(body, None).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.unwrap()
    }

    pub(crate) async fn read(&self, id: &str) -> Value {
        let request = self.http.get(format!("{}/v1/tasks/{id}", self.base)).bearer_auth("test-key");
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Creates, waits for the end, and reads.
    pub(crate) async fn finished(&self, body: &Value) -> Value {
        let task = self.create(body).await;
        tokio::time::sleep(LATENCY + Duration::from_millis(100)).await;
        self.settled(task["id"].as_str().unwrap()).await
    }

    /// Reads until the task has ended; preparing references takes real time.
    pub(crate) async fn settled(&self, id: &str) -> Value {
        for _ in 0..500 {
            let task = self.read(id).await;
            if !matches!(task["status"].as_str(), Some("pending" | "processing")) {
                return task;
            }
            tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(2))).await.unwrap();
        }
        panic!("task {id} does not end");
    }

    /// A document below the base URL, asked for with a key.
    pub(crate) async fn document(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.base)).bearer_auth("test-key");
        request.send().await.unwrap().json().await.unwrap()
    }

    /// The ids in the task list, newest first.
    pub(crate) async fn listed(&self) -> Vec<Value> {
        let list = self.document("/v1/tasks").await;
        list["data"].as_array().unwrap().iter().map(|task| task["id"].clone()).collect()
    }

    pub(crate) async fn get(&self, url: &str) -> reqwest::Result<reqwest::Response> {
        self.http.get(url).send().await
    }

    pub(crate) async fn picture(&self, task: &Value, index: usize) -> Vec<u8> {
        let url = task["results"][index].as_str().expect("a link");
        let answer = self.get(url).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.bytes().await.unwrap().to_vec()
    }

    /// Uploads a picture and gives its link.
    pub(crate) async fn upload(&self, bytes: Vec<u8>) -> String {
        let part = reqwest::multipart::Part::bytes(bytes).file_name("picture.png");
        let form = reqwest::multipart::Form::new().part("file", part);
        let request = self.http.post(format!("{}/api/v1/files/upload/stream", self.base));
        let answer = request.bearer_auth("test-key").multipart(form).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["data"]["file_url"].as_str().expect("a link").to_owned()
    }
}

pub(crate) fn order(prompt: &str) -> Value {
    json!({ "model": "gpt-image-2", "prompt": prompt, "quality": "low" })
}

pub(crate) fn options() -> Options {
    Options { latency: Latency::Fixed(LATENCY), ..Options::default() }
}

pub(crate) fn with_faults(faults: &str) -> Options {
    Options { faults: faults.parse().unwrap(), ..options() }
}

pub(crate) async fn start(options: Options) -> (Emulator, Client) {
    let emulator = Emulator::start(options).await.unwrap();
    let client = Client::of(&emulator);
    (emulator, client)
}

pub(crate) fn near(value: &Value, wanted: f64) -> bool {
    value.as_f64().is_some_and(|value| (value - wanted).abs() < 1e-9)
}

pub(crate) fn encode(picture: &image::RgbaImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}
