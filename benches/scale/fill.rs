//! Brings every pending job of a ledger to its end, as a run would write it
//! down, and puts a file where each picture should be.

use std::io::Cursor;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use imgbatch::job::{ContentHash, Credits};
use imgbatch::ledger::{
    Filter, FolderLock, Identity, Intended, Intent, Outcome, Pending, SavedPicture, Store, Taken, Via,
};

/// Jobs a transaction.
const BATCH: u32 = 10_000;

/// A small picture that no other job has.
fn picture(job: i64) -> anyhow::Result<Vec<u8>> {
    let mut png = Vec::new();
    let [red, green, blue, ..] = job.to_le_bytes();
    let pixels = image::RgbImage::from_fn(8, 8, |x, y| image::Rgb([red, green, blue ^ (8 * x + y) as u8]));
    pixels.write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png)?;
    Ok(png)
}

pub(crate) fn finish_all(out: &Path, base_url: &str) -> anyhow::Result<()> {
    let identity = Identity { name: "scale".into(), base_url: base_url.into() };
    let (store, _) = Store::open(FolderLock::acquire(out, false)?, Some(&identity))?;
    std::fs::create_dir_all(out.join("images"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    let mut last = 0;
    loop {
        let jobs = store.pending(&Filter::default(), last, BATCH)?;
        let Some(end) = jobs.last() else { break };
        last = end.job;
        let transaction = store.begin()?;
        for job in &jobs {
            let picture = picture(job.job)?;
            std::fs::write(out.join(file(job)), &picture)?;
            finish(&store, job, &picture, now)?;
        }
        transaction.commit()?;
    }
    Ok(store.close(None, None)?)
}

fn file(job: &Pending) -> String {
    format!("images/{}.png", job.id)
}

fn finish(store: &Store, pending: &Pending, picture: &[u8], now: i64) -> anyhow::Result<()> {
    let job = pending.job;
    let key = format!("imgbatch-{:032x}", fastrand::u128(..));
    let body = serde_json::to_vec(&pending.request)?;
    let Intended::Durable { attempt, .. } =
        store.intend(&Intent { job, key, body, remembered: 20, token: None, budget: None, booked: None })?
    else {
        bail!("no money without a budget");
    };
    let taken = Taken {
        task: format!("task-unified-1757156493-{job:08}"),
        estimated: Some(Duration::from_secs(100)),
        reserved: pending.estimate,
        request_id: Some(format!("req-{job:024}")),
        via: Via::Answer,
    };
    let task = taken.task.clone();
    store.record(job, attempt, Outcome::Accepted(taken))?;
    let links = vec![format!("https://files.example/{job:08}/picture.png?signature={:064x}", job)];
    let used = pending.estimate.or(Credits::from_f64(1.0));
    store.record(job, attempt, Outcome::Completed { task, links, used, expires_at: now + 86_400_000 })?;
    let saved = SavedPicture {
        number: 1,
        path: file(pending),
        sha256: ContentHash::of(picture),
        bytes: picture.len() as u64,
        width: 8,
        height: 8,
        format: "png".into(),
    };
    store.record(job, attempt, Outcome::Saved(saved))?;
    Ok(())
}
