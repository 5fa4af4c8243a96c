//! What a provider offers to resolve a submission of unknown outcome: the four
//! columns of the matrix and of the kill loop.

use imgbatch::emulator::{Idempotency, Options};

use crate::support::callbacks;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Nothing: a person decides.
    None,
    /// Idempotency keys are honoured.
    Keys,
    /// The task list, by a key that nobody else uses.
    List,
    /// Callbacks at secret addresses.
    Callback,
}

impl Policy {
    pub(crate) const ALL: [Self; 4] = [Self::None, Self::Keys, Self::List, Self::Callback];

    pub(crate) fn options(self, options: Options) -> Options {
        match self {
            Self::Keys => Options { idempotency: Idempotency::Honoured, ..options },
            Self::None | Self::List | Self::Callback => options,
        }
    }

    /// The lines of a manifest that tell the runner so.
    pub(crate) fn manifest(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Keys => "[provider]\nidempotency = true\n".into(),
            Self::List => "[provider]\nexclusive_key = true\n".into(),
            Self::Callback => callbacks().0,
        }
    }
}
