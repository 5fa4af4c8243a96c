//! From a source to a checked manifest, with all faults at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::check;
use super::decode::decode;
use super::diagnostics::{Diagnostic, Diagnostics};
use super::document::Document;
use super::file::{Defaults, File, Provider, Run};
use super::job::{Job, Prompts};
use super::node::{Fault, Node, Step, Tree};
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

    /// The output folder: `run.out`, relative to the manifest's folder like
    /// every path in it; without one `out/<name>` in the current folder.
    #[must_use]
    pub fn out_dir(&self) -> PathBuf {
        match &self.run.out {
            Some(out) => self.resolve(out),
            None => Path::new("out").join(self.title()),
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
        Err(diagnostic) => return Loaded { manifest: None, problems: diagnostic.into() },
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

fn finish(source: &Source, document: Document, file: Option<File>, faults: Vec<Fault>) -> Loaded {
    let mut problems = Diagnostics::default();
    faults.into_iter().for_each(|fault| problems.push(document.fault(fault)));
    let manifest = file.map(|file| {
        check::file(&file, &document, &mut problems);
        Manifest {
            name: file.name,
            provider: file.provider,
            run: file.run,
            defaults: file.defaults,
            vars: file.vars,
            jobs: file.jobs,
            folder: source.folder().to_owned(),
            document: Arc::new(document),
        }
    });
    Loaded { manifest, problems }
}

/// Sections first, then each job by itself, so that a fault in one costs the
/// others nothing. A fault in the sections leaves no manifest: variables or
/// defaults may be missing, and what follows from that is noise.
fn file_of(mut tree: Node) -> (Option<File>, Vec<Fault>) {
    let mut faults = vec![];
    if !matches!(tree.value, Tree::Map(_)) {
        return (None, vec![Fault::new("a manifest is a table with `name` and `jobs`", tree.span)]);
    }
    let jobs = tree.take("jobs");
    let mut file: Option<File> = decode(&mut tree, &mut faults, LIMIT);
    let sections_hold = faults.is_empty();
    match jobs.map(|entry| (entry.key_span, entry.value.value)) {
        None => faults.push(no_jobs(&tree)),
        Some((_, Tree::List(nodes))) if !nodes.is_empty() => {
            let decoded = jobs_of(nodes, &mut faults);
            if let Some(file) = &mut file {
                file.jobs = decoded;
            }
        }
        Some((span, Tree::List(_) | Tree::Null)) => faults.push(Fault::new("`jobs` is empty", span)),
        Some((span, _)) => faults.push(
            Fault::new("`jobs` must be a list of tables", span)
                .with_help("in TOML each begins with [[jobs]]"),
        ),
    }
    (file.filter(|_| sections_hold), faults)
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

fn no_jobs(tree: &Node) -> Fault {
    Fault { span: None, ..Fault::new("the manifest has no `jobs`", tree.span) }
        .with_help("add a table [[jobs]] with a `prompt`")
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
    finish(source, Document::new(source.name().to_owned(), text, Format::Text), Some(file), faults)
}
