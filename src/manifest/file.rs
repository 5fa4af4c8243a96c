//! What a user may write: the one source of keys, their types and their
//! descriptions, for reading as well as for the JSON Schema.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::callback::Callback;
use super::job::{Count, Job};
use super::units::{Budget, Period, Posts, Rate, StopAfter};

/// A batch of image jobs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "imgbatch manifest")]
pub(super) struct File {
    /// Version of the format; 1.
    #[schemars(range(min = 1, max = 1))]
    pub(super) version: Option<i64>,
    /// Name of the batch, a plain file name. Needed unless `run.out` is given.
    pub(super) name: Option<String>,
    /// Where the pictures are ordered, and with which key.
    pub(super) provider: Provider,
    /// How to run; never part of a job's identity.
    pub(super) run: Run,
    /// What all your runs together may spend.
    pub(super) budget: Spending,
    /// Where the provider may call when a task ends.
    pub(super) callback: Callback,
    /// Merged into every job.
    pub(super) defaults: Defaults,
    /// Variables for all templates.
    pub(super) vars: Map<String, Value>,
    /// What is wanted.
    pub(super) jobs: Vec<Job>,
    /// The place of a JSON Schema, for editors.
    #[serde(rename = "$schema")]
    pub(super) schema: Option<String>,
}

/// Where the pictures are ordered, and with which key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Provider {
    /// The API's address. There is no default: a key is never sent to a host that nobody named.
    pub base_url: Option<String>,
    /// Where local reference pictures are uploaded.
    pub files_url: Option<String>,
    /// The environment variable that holds the key.
    pub api_key_env: String,
    /// A file that holds the key, relative to the manifest.
    pub api_key_file: Option<String>,
    /// True only where the gateway honours `Idempotency-Key`.
    pub idempotency: bool,
    /// True when nothing else submits with this key.
    pub exclusive_key: bool,
    /// True for an API on a private network.
    pub allow_private_hosts: bool,
    /// A file of prices that replaces the published ones, relative to the manifest.
    pub prices: Option<String>,
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            base_url: None,
            files_url: None,
            api_key_env: "IMGBATCH_API_KEY".into(),
            api_key_file: None,
            idempotency: false,
            exclusive_key: false,
            allow_private_hosts: false,
            prices: None,
        }
    }
}

/// How to run; never part of a job's identity.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Run {
    /// The output folder, relative to the manifest; `out/<name>` when absent.
    pub out: Option<String>,
    /// Submissions that may start in any window of time.
    pub rate: Rate,
    /// Tasks that the API may be working on at once.
    #[schemars(range(min = 1))]
    pub in_flight: u32,
    /// Submissions on the wire at once: what a crash leaves in doubt.
    pub posts: Posts,
    /// Downloads at once.
    #[schemars(range(min = 1, max = 256))]
    pub downloads: u32,
    /// Paid tries a job, where the API says that another may help.
    #[schemars(range(min = 1, max = 10))]
    pub attempts: u32,
    /// Whether a task that ended without a picture is worth another of these tries.
    pub retry_empty: bool,
    /// The most that may be spent; holds across resumes.
    pub budget: Option<Budget>,
    /// How many failures pause the run.
    pub stop_after: Option<StopAfter>,
    /// After how long a task that shows no end is called overdue.
    pub overdue: Period,
}

/// What all runs of a user on this machine may spend, in all folders.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Spending {
    /// The most in a day.
    pub day: Option<Budget>,
    /// The most in a month.
    pub month: Option<Budget>,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            out: None,
            rate: Rate::default(),
            in_flight: 60,
            posts: Posts::Auto,
            downloads: 8,
            attempts: 2,
            retry_empty: false,
            budget: None,
            stop_after: None,
            overdue: Period(std::time::Duration::from_mins(15)),
        }
    }
}

/// Merged into every job; a job's own value wins.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Defaults {
    /// The model's name.
    pub model: Option<String>,
    /// The words, for jobs that bring none. A template.
    pub prompt: Option<String>,
    /// `auto`, a ratio such as `16:9`, or pixels such as `1024x768`.
    pub size: Option<String>,
    /// `1K`, `2K` or `4K`; with a ratio only.
    pub resolution: Option<String>,
    /// `low`, `medium` or `high`.
    pub quality: Option<String>,
    /// Pictures from one submission, 1 to 10, each paid.
    pub n: Option<Count>,
    /// `opaque` or `transparent`.
    pub background: Option<String>,
    /// Reference pictures: links, or files relative to the manifest.
    pub images: Option<Vec<String>>,
    /// A PNG whose transparent part is painted anew.
    pub mask: Option<String>,
    /// `resize` scales a copy of the mask to the size of the first picture, where both are files;
    /// `exact`, the default, refuses a mask of another size.
    pub fit: Option<String>,
    /// Where the provider reports completion.
    pub callback_url: Option<String>,
    /// Where a picture goes below `images/`. A template; may use `id` and `ext`.
    pub out: Option<String>,
    /// Your own columns, carried into every export.
    pub meta: Map<String, Value>,
}

impl Defaults {
    /// `job` with what it leaves open filled in. Words are filled in only
    /// where the job brings none of its own.
    #[must_use]
    pub fn merged_into(&self, job: &Job) -> Job {
        let mut job = job.clone();
        if job.prompt.is_none() && job.prompt_file.is_none() && job.prompts.is_none() {
            job.prompt.clone_from(&self.prompt);
        }
        fill(&mut job.model, self.model.as_ref());
        fill(&mut job.size, self.size.as_ref());
        fill(&mut job.resolution, self.resolution.as_ref());
        fill(&mut job.quality, self.quality.as_ref());
        fill(&mut job.n, self.n.as_ref());
        fill(&mut job.background, self.background.as_ref());
        fill(&mut job.images, self.images.as_ref());
        fill(&mut job.mask, self.mask.as_ref());
        fill(&mut job.fit, self.fit.as_ref());
        fill(&mut job.callback_url, self.callback_url.as_ref());
        fill(&mut job.out, self.out.as_ref());
        for (column, value) in &self.meta {
            if !job.meta.contains_key(column) {
                job.meta.insert(column.clone(), value.clone());
            }
        }
        job
    }
}

fn fill<T: Clone>(slot: &mut Option<T>, default: Option<&T>) {
    if slot.is_none() {
        *slot = default.cloned();
    }
}
