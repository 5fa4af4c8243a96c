//! What the provider is asked for, in canonical form.

use std::borrow::Cow;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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
        /// Width and height to which a copy is scaled before it is uploaded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scaled_to: Option<(u32, u32)>,
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

    /// Whether it hands over at least one local file.
    #[must_use]
    pub fn uses_files(&self) -> bool {
        self.images.iter().chain(&self.mask).any(|reference| matches!(reference, Reference::File { .. }))
    }

    /// The fields in which `self` differs from `before`, in canonical order.
    #[must_use]
    pub fn differences(&self, before: &Self) -> Vec<Difference> {
        let (old, new) = (before.fields(), self.fields());
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

    fn canonical(&self) -> Canonical<'_> {
        Canonical {
            background: self.background.as_deref(),
            images: self.images.iter().map(Reference::canonical).collect(),
            mask: self.mask.as_ref().map(Reference::canonical),
            model: &self.model,
            n: self.n,
            prompt: &self.prompt,
            quality: &self.quality,
            resolution: self.resolution.as_deref(),
            size: &self.size,
        }
    }

    fn fields(&self) -> Map<String, Value> {
        match serde_json::to_value(self.canonical()) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        }
    }
}

/// What a fingerprint hashes: fields in alphabetical order, absent ones left
/// out.
#[derive(Serialize)]
struct Canonical<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    background: Option<&'r str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mask: Option<Cow<'r, str>>,
    model: &'r str,
    n: u32,
    prompt: &'r str,
    quality: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<&'r str>,
    size: &'r str,
}

impl Reference {
    /// What the upload of a local file is known by: its content, or its content
    /// and the size of its copy.
    #[must_use]
    pub fn uploaded_as(&self) -> Option<ContentHash> {
        match self {
            Self::Url(_) => None,
            Self::File { sha256, scaled_to: None, .. } => Some(*sha256),
            Self::File { .. } => Some(ContentHash::of(self.canonical().as_bytes())),
        }
    }

    fn canonical(&self) -> Cow<'_, str> {
        match self {
            Self::Url(url) => url.into(),
            Self::File { sha256, scaled_to: None, .. } => format!("sha256:{sha256}").into(),
            Self::File { sha256, scaled_to: Some((w, h)), .. } => {
                format!("sha256:{sha256} at {w}x{h}").into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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

    fn file(path: &str, scaled_to: Option<(u32, u32)>) -> Reference {
        Reference::File { path: path.into(), sha256: ContentHash::of(b"x"), scaled_to }
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
            images: vec![file(path, None)],
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
    fn a_scaled_file_is_another_file() {
        let with = |scaled_to| Request { mask: Some(file("m.png", scaled_to)), ..request() };
        let (plain, scaled) = (with(None), with(Some((64, 48))));
        assert_ne!(plain.fingerprint(), scaled.fingerprint());
        assert!(scaled.differences(&plain)[0].to.as_str().unwrap().ends_with(" at 64x48"));
        let stored = serde_json::to_string(&plain).unwrap();
        assert!(!stored.contains("scaled_to"), "what earlier versions stored reads the same: {stored}");
        let again: Request = serde_json::from_str(&serde_json::to_string(&scaled).unwrap()).unwrap();
        assert_eq!(again, scaled);
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
