//! The loop that everything is compared with: the same requests and the same
//! files, and nothing that survives a crash.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// What to do.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) base_url: String,
    pub(crate) folder: PathBuf,
    pub(crate) jobs: u64,
    pub(crate) in_flight: usize,
    pub(crate) downloads: usize,
    pub(crate) latency: Duration,
    /// The file before its rename, and its folder after.
    pub(crate) sync: bool,
}

/// Creates, waits, reads, downloads, writes, so many at once.
pub(crate) async fn run(order: Order) -> anyhow::Result<()> {
    std::fs::create_dir_all(&order.folder)?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let (order, client) = (Arc::new(order), Arc::new(client));
    let downloads = Arc::new(Semaphore::new(order.downloads));
    futures::stream::iter(0..order.jobs)
        .map(|number| Ok(one(Arc::clone(&order), Arc::clone(&client), Arc::clone(&downloads), number)))
        .try_buffer_unordered(order.in_flight)
        .try_for_each(async |()| Ok(()))
        .await
}

async fn one(
    order: Arc<Order>,
    client: Arc<reqwest::Client>,
    downloads: Arc<Semaphore>,
    number: u64,
) -> anyhow::Result<()> {
    let Order { base_url, .. } = &*order;
    let body = json!({"model": "gpt-image-2", "prompt": format!("fox {number}"), "n": 1});
    let task: Value = client
        .post(format!("{base_url}/v1/images/generations"))
        .bearer_auth("sk-bench")
        .json(&body)
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let id = task["id"].as_str().context("no id")?;
    tokio::time::sleep(order.latency).await;
    let link = loop {
        let url = format!("{base_url}/v1/tasks/{id}");
        let task: Value = client.get(url).bearer_auth("sk-bench").send().await?.json().await?;
        if let Some(link) = task["results"][0].as_str() {
            break link.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let _permit = downloads.acquire().await?;
    let picture = client.get(link).send().await?.error_for_status()?.bytes().await?;
    spawn_blocking(move || write(&order.folder, number, &picture, order.sync)).await?
}

fn write(folder: &Path, number: u64, picture: &[u8], sync: bool) -> anyhow::Result<()> {
    let mut temp = NamedTempFile::new_in(folder)?;
    temp.write_all(picture)?;
    if sync {
        temp.as_file().sync_all()?;
    }
    temp.persist(folder.join(format!("{number}.png")))?;
    if sync {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
