//! What a user may write, and reading it: TOML, YAML, JSON or one prompt a
//! line, with the place of every value and all mistakes reported at once.
//!
//! A source becomes a tree of nodes with spans, the tree becomes plain
//! structs, and the structs are checked. Nothing is expanded or rendered here.

pub mod units;

mod axis;
mod callback;
mod check;
mod data;
mod decode;
mod diagnostics;
mod document;
mod file;
mod job;
mod json;
mod load;
mod node;
mod redact;
mod schema;
mod source;
mod toml;
mod yaml;

pub use axis::{Assignment, Axes, Axis, AxisValue};
pub use callback::{Callback, CallbackAddress};
pub use diagnostics::{Diagnostic, Diagnostics, Location, Severity};
pub use file::{Defaults, Provider, Run, Spending};
pub use job::{Count, Flag, Job, Prompts};
pub use load::{Manifest, load};
pub use node::Step;
pub use schema::json_schema;
pub use source::{Format, Source};

pub(crate) use check::is_plain_name;
pub(crate) use data::read_data;
pub(crate) use decode::nearest;
pub(crate) use load::{Loaded, load_partly};
