//! What the provider is asked for, in canonical form.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{ContentHash, Fingerprint};

/// The effective request of one job: defaults filled in, case and `×`
/// normalised, fields that the provider would ignore dropped.
///
/// It is stored with the job, so that a later version which hashes requests
/// in another way still recognises what was paid for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The provider's name of the model.
    pub model: String,
    /// 1 to 32,000 Unicode code points.
    pub prompt: String,
    /// `auto`, a ratio such as `16:9`, or pixels such as `1024x768`.
    pub size: String,
    /// `1K`, `2K` or `4K`; only beside a ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// `low`, `medium` or `high`.
    pub quality: String,
    /// Pictures wanted from this submission, 1 to 10.
    pub n: u32,
    /// `transparent`; absent stands for the default, `opaque`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<String>,
    /// Reference pictures in order, 0 to 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Reference>,
    /// The mask; only beside references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Reference>,
    /// Where the provider reports completion; never part of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
}

/// A picture that is handed to the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reference {
    /// A link that the provider downloads itself.
    Url(String),
    /// A local file, known by its content and uploaded before the submission.
    File {
        /// Where the file lies, as the manifest's folder and path give it.
        path: PathBuf,
        /// Hash of its content at planning time.
        sha256: ContentHash,
    },
}

/// One field in which two requests differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The field's name in a manifest.
    pub field: String,
    /// Its value before; `null` where it was absent.
    pub from: Value,
    /// Its value now; `null` where it is absent.
    pub to: Value,
}

/// Names the rules that turn a request into its canonical bytes.
const CANONICAL_VERSION: &str = "imgbatch-request-1";

impl Request {
    /// The identity of what is asked for. Paths of local files, the callback
    /// and everything about how a run is executed stay outside.
    ///
    /// # Panics
    /// Never: a tree of strings and numbers always serialises.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let canonical =
            serde_json::to_vec(&(CANONICAL_VERSION, self.canonical())).expect("a JSON value serialises");
        Fingerprint::of(&canonical)
    }

    /// The fields in which `self` differs from `before`, in canonical order.
    #[must_use]
    pub fn differences(&self, before: &Self) -> Vec<Difference> {
        let (old, new) = (before.canonical(), self.canonical());
        let mut fields: Vec<&String> = old.keys().chain(new.keys()).collect();
        fields.sort();
        fields.dedup();
        let value = |side: &Map<String, Value>, field: &String| side.get(field).cloned().unwrap_or_default();
        fields
            .into_iter()
            .map(|field| Difference {
                field: field.clone(),
                from: value(&old, field),
                to: value(&new, field),
            })
            .filter(|difference| difference.from != difference.to)
            .collect()
    }

    /// Fields in alphabetical order; absent ones left out.
    fn canonical(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        if let Some(background) = &self.background {
            fields.insert("background".into(), json!(background));
        }
        if !self.images.is_empty() {
            let images: Vec<Value> = self.images.iter().map(Reference::canonical).collect();
            fields.insert("images".into(), Value::Array(images));
        }
        if let Some(mask) = &self.mask {
            fields.insert("mask".into(), mask.canonical());
        }
        fields.insert("model".into(), json!(self.model));
        fields.insert("n".into(), json!(self.n));
        fields.insert("prompt".into(), json!(self.prompt));
        fields.insert("quality".into(), json!(self.quality));
        if let Some(resolution) = &self.resolution {
            fields.insert("resolution".into(), json!(resolution));
        }
        fields.insert("size".into(), json!(self.size));
        fields
    }
}

impl Reference {
    fn canonical(&self) -> Value {
        match self {
            Self::Url(url) => json!(url),
            Self::File { sha256, .. } => json!(format!("sha256:{sha256}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            model: "gpt-image-2".into(),
            prompt: "a fox".into(),
            size: "auto".into(),
            resolution: None,
            quality: "medium".into(),
            n: 1,
            background: None,
            images: vec![],
            mask: None,
            callback_url: None,
        }
    }

    /// A change here orders every picture of every user again.
    #[test]
    fn the_fingerprint_is_frozen() {
        assert_eq!(
            request().fingerprint().to_string(),
            "79bfc6a42600146e226447330e55f2fcfe5fbed393c70c75cea0d634e0eccc12"
        );
    }

    #[test]
    fn where_a_file_lies_and_who_is_called_back_is_no_part_of_it() {
        let with = |path: &str, callback: Option<&str>| Request {
            images: vec![Reference::File { path: path.into(), sha256: ContentHash::of(b"x") }],
            callback_url: callback.map(Into::into),
            ..request()
        };
        assert_eq!(
            with("a.png", None).fingerprint(),
            with("b/c.png", Some("https://example.com/")).fingerprint()
        );
        assert_ne!(with("a.png", None).fingerprint(), request().fingerprint());
    }

    #[test]
    fn differences_name_the_field_and_both_values() {
        let after = Request { quality: "high".into(), background: Some("transparent".into()), ..request() };
        let found: Vec<_> =
            after.differences(&request()).into_iter().map(|d| (d.field, d.from, d.to)).collect();
        assert_eq!(
            found,
            [
                ("background".to_owned(), Value::Null, json!("transparent")),
                ("quality".to_owned(), json!("medium"), json!("high")),
            ]
        );
        assert_eq!(after.differences(&after), []);
    }
}
