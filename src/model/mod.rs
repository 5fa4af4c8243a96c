//! The rules of gpt-image-2: which sizes exist, what a request looks like in
//! canonical form, how large its picture will be, what it may cost and how long
//! it usually takes. Pure.
//!
//! Sections 2, 9 and 10 of the API facts are the source of every number here.

mod canonical;
mod dimensions;
mod price;
mod size;
mod usual;

pub use canonical::{Draft, Field, MAX_REFERENCES, MODEL, Notice, Violation, canonical};
pub use dimensions::dimensions;
pub use price::{AUTO, PriceFault, Prices};
pub use size::{RATIOS, Size};
pub use usual::{TaskTime, Usual};
