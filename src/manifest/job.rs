//! One entry of `jobs`, as written.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::axis::{Assignment, Axes};

/// One picture, or many by `rows`, `matrix`, `zip`, `prompts` and `repeat`.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Job {
    /// The job's stable name. A template.
    pub id: Option<String>,
    /// The words. A template.
    pub prompt: Option<String>,
    /// A file whose content is the template of the words.
    pub prompt_file: Option<String>,
    /// Many prompts: a list, or a file with one a line.
    pub prompts: Option<Prompts>,
    /// A table (csv, tsv, jsonl); one picture a row, columns become variables.
    pub rows: Option<String>,
    /// Every combination of these values.
    pub matrix: Axes,
    /// These values side by side.
    pub zip: Axes,
    /// So many takes of each picture.
    #[schemars(range(min = 1))]
    pub repeat: Option<u32>,
    /// Combinations that are left out.
    pub exclude: Vec<Assignment>,
    /// Combinations that are added.
    pub include: Vec<Assignment>,
    /// True, or a template that yields `true`: listed, but never submitted.
    pub skip: Option<Flag>,
    /// Only so many of them, chosen by `seed` and id.
    #[schemars(range(min = 1))]
    pub sample: Option<u64>,
    /// Makes another choice for `sample`.
    pub seed: Option<i64>,
    /// The model's name.
    pub model: Option<String>,
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
    /// Which entry of `jobs` this is, from 0.
    #[serde(skip)]
    pub place: usize,
}

/// Many prompts.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(untagged)]
pub enum Prompts {
    /// A file with one prompt a line, taken as it stands.
    File(String),
    /// Templates.
    List(Vec<String>),
    /// Lines of a text manifest with their numbers, taken as they stand.
    #[schemars(skip)]
    Lines(Vec<(usize, String)>),
}

/// A whole number, or a template that yields one.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(untagged)]
pub enum Count {
    /// As written.
    Number(i64),
    /// Rendered for each job.
    Template(String),
}

/// True or false, or a template that yields one of them.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(untagged)]
pub enum Flag {
    /// As written.
    Bool(bool),
    /// Rendered for each job.
    Template(String),
}

impl<'de> Deserialize<'de> for Prompts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Prompts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the path of a file, or a list of prompts")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<Prompts, E> {
                Ok(Prompts::File(path.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Prompts, A::Error> {
                let mut prompts = vec![];
                while let Some(prompt) = list.next_element()? {
                    prompts.push(prompt);
                }
                Ok(Prompts::List(prompts))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or a template that yields one")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Count, E> {
                Ok(Count::Number(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Count, E> {
                Ok(Count::Template(text.to_owned()))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, or a template that yields one of them")
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Flag, E> {
                Ok(Flag::Bool(flag))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Flag, E> {
                Ok(Flag::Template(text.to_owned()))
            }
        }

        deserializer.deserialize_any(Either)
    }
}
