//! From a source to a checked manifest, with all faults at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::callback::Callback;
use super::check;
use super::decode::decode;
use super::diagnostics::{Diagnostic, Diagnostics};
use super::document::Document;
use super::file::{Defaults, File, Provider, Run, Spending};
use super::job::{Job, Prompts};
use super::node::{Fault, Node, Span, Step, Tree};
use super::source::{Format, Source};

/// As many faults as are looked for.
const LIMIT: usize = 101;

/// A manifest whose keys, types and units are right. Whether its jobs can be
/// ordered is the planner's question.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Name of the batch; absent only when `run.out` is given.
    pub name: Option<String>,
    /// Where the pictures are ordered.
    pub provider: Provider,
    /// How to run.
    pub run: Run,
    /// What all runs of the user together may spend.
    pub budget: Spending,
    /// Where the provider may call when a task ends.
    pub callback: Callback,
    /// Merged into every job.
    pub defaults: Defaults,
    /// Variables for all templates.
    pub vars: Map<String, Value>,
    /// What is wanted.
    pub jobs: Vec<Job>,
    /// The folder that paths in the manifest are relative to.
    pub folder: PathBuf,
    document: Arc<Document>,
}

impl Manifest {
    /// An error at the value that `path` leads to.
    #[must_use]
    pub fn at(&self, path: &[Step], message: impl Into<String>) -> Diagnostic {
        self.document.at(path, message)
    }

    /// An error at the first path, unless only the second one exists.
    #[must_use]
    pub fn at_either(&self, first: &[Step], second: &[Step], message: impl Into<String>) -> Diagnostic {
        self.document.at_either(first, second, message)
    }

    /// An error at the place where the manifest says `text` as a whole, such as
    /// a link; without a place where templates or data files made it.
    #[must_use]
    pub fn at_text(&self, text: &str, message: impl Into<String>) -> Diagnostic {
        self.document.at_text(text, message)
    }

    /// A path in the manifest, relative to its folder.
    #[must_use]
    pub fn resolve(&self, path: &str) -> PathBuf {
        if self.folder == Path::new(".") { PathBuf::from(path) } else { self.folder.join(path) }
    }

    /// The text that the manifest was read from.
    #[must_use]
    pub fn text(&self) -> &str {
        self.document.text()
    }

    /// The name, or that of the output folder.
    #[must_use]
    pub fn title(&self) -> &str {
        let out = || Path::new(self.run.out.as_deref()?).file_name()?.to_str();
        self.name.as_deref().or_else(out).unwrap_or("imgbatch")
    }

    /// The output folder: `run.out` or `out/<name>`, both relative to the
    /// manifest's folder. A run from another current folder, such as cron's,
    /// must find the same ledger, or it would pay again.
    #[must_use]
    pub fn out_dir(&self) -> PathBuf {
        match &self.run.out {
            Some(out) => self.resolve(out),
            None => self.folder.join("out").join(self.title()),
        }
    }
}

/// Reads and checks a manifest.
pub fn load(source: &Source) -> Result<Manifest, Diagnostics> {
    let Loaded { manifest, problems, .. } = load_partly(source);
    match manifest {
        Some(manifest) => problems.into_result(manifest),
        None => Err(problems),
    }
}

/// What could be read. With problems, `manifest` holds the entries that are
/// free of them, so that theirs can be reported in the same go.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) manifest: Option<Manifest>,
    pub(crate) problems: Diagnostics,
}

pub(crate) fn load_partly(source: &Source) -> Loaded {
    let (text, format) = match source.read() {
        Ok(read) => read,
        Err(diagnostic) => return Loaded { manifest: None, problems: (*diagnostic).into() },
    };
    if format == Format::Text {
        return text_manifest(source, text);
    }
    let tree = format.read(&text);
    let document = Document::new(source.name().to_owned(), text, format);
    let (file, faults) = match tree {
        Ok(tree) => file_of(tree),
        Err(faults) => (None, faults),
    };
    finish(source, document, file, faults)
}

fn finish(source: &Source, document: Document, file: Option<Decoded>, faults: Vec<Fault>) -> Loaded {
    let mut problems = Diagnostics::default();
    let plannable = file.as_ref().is_some_and(|decoded| decoded.complete);
    for fault in faults {
        problems.push(document.fault(fault));
    }
    let manifest = file.map(|Decoded { file, complete }| {
        check::file(&file, complete, &document, &mut problems);
        problems.sort();
        Manifest {
            name: file.name,
            provider: file.provider,
            run: file.run,
            budget: file.budget,
            callback: file.callback,
            defaults: file.defaults,
            vars: file.vars,
            jobs: file.jobs,
            folder: source.folder().to_owned(),
            document: Arc::new(document),
        }
    });
    Loaded { manifest: manifest.filter(|_| plannable), problems }
}

/// What could be decoded of a file.
struct Decoded {
    file: File,
    /// Nothing that jobs depend on is missing: neither variables nor defaults.
    /// Without them, what follows from their absence would be noise.
    complete: bool,
}

/// Sections first, then each job by itself, so that a fault in one costs the
/// others nothing.
fn file_of(mut tree: Node) -> (Option<Decoded>, Vec<Fault>) {
    let mut faults = vec![];
    if !matches!(tree.value, Tree::Map(_)) {
        return (None, vec![Fault::new("a manifest is a table with `name` and `jobs`", tree.span)]);
    }
    let jobs = tree.take("jobs");
    let provider = section(&mut tree, "provider", &mut faults);
    let run = section(&mut tree, "run", &mut faults);
    let budget = section(&mut tree, "budget", &mut faults);
    let callback = section(&mut tree, "callback", &mut faults);
    let before = faults.len();
    let file: Option<File> = decode(&mut tree, &mut faults, LIMIT);
    let complete = faults.len() == before;
    let jobs = match jobs.map(|entry| (entry.key_span, entry.value.value)) {
        Some((_, Tree::List(nodes))) if !nodes.is_empty() => jobs_of(nodes, &mut faults),
        wrong => {
            faults.push(no_jobs(wrong.as_ref()));
            vec![]
        }
    };
    let file = file.map(|file| File { provider, run, budget, callback, jobs, ..file });
    (file.map(|file| Decoded { file, complete }), faults)
}

fn section<T: DeserializeOwned + Default>(tree: &mut Node, key: &str, faults: &mut Vec<Fault>) -> T {
    tree.take(key).and_then(|mut entry| decode(&mut entry.value, faults, LIMIT)).unwrap_or_default()
}

fn jobs_of(nodes: Vec<Node>, faults: &mut Vec<Fault>) -> Vec<Job> {
    let mut jobs = vec![];
    for (place, mut node) in nodes.into_iter().enumerate() {
        let before = faults.len();
        if before >= LIMIT {
            break;
        }
        let job: Option<Job> = decode(&mut node, faults, LIMIT);
        if let Some(job) = job.filter(|_| faults.len() == before) {
            jobs.push(Job { place, ..job });
        }
    }
    jobs
}

fn no_jobs(found: Option<&(Span, Tree)>) -> Fault {
    match found {
        None => Fault { message: "the manifest has no `jobs`".into(), help: None, span: None }
            .with_help("add a table [[jobs]] with a `prompt`"),
        Some((span, Tree::List(_) | Tree::Null)) => Fault::new("`jobs` is empty", *span),
        Some((span, _)) => Fault::new("`jobs` must be a list of tables", *span)
            .with_help("in TOML each begins with [[jobs]]"),
    }
}

/// One prompt a line; blank lines are skipped.
fn text_manifest(source: &Source, text: String) -> Loaded {
    let lines: Vec<(usize, String)> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| (index + 1, line.to_owned()))
        .collect();
    let faults = if lines.is_empty() {
        vec![Fault { message: "there is no prompt in the file".into(), help: None, span: None }]
    } else {
        vec![]
    };
    let job = Job { prompts: Some(Prompts::Lines(lines)), ..Job::default() };
    let stem = source.stem().filter(|stem| stem != "-").unwrap_or_else(|| "stdin".into());
    let file = File { name: Some(stem), jobs: vec![job], ..File::default() };
    let decoded = Decoded { file, complete: true };
    finish(source, Document::new(source.name().to_owned(), text, Format::Text), Some(decoded), faults)
}
