//! The ways to misbehave: their names, where they strike, what they mean.

use serde::{Deserialize, Serialize};

/// Where a fault strikes, which is also what its rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::emulator) enum Site {
    /// Creates, counted as they arrive.
    Create,
    /// Tasks, counted as they are created.
    Task,
    /// Reads of one task or of many, counted as they arrive.
    Read,
    /// Pictures, counted when each is first downloaded.
    Download,
    /// Uploads, counted as they arrive.
    Upload,
}

impl Site {
    /// What a rule's positions count, for a help text.
    const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Task => "task",
            Self::Read => "read",
            Self::Download => "download",
            Self::Upload => "upload",
        }
    }
}

/// A fault, described for a help text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultMeaning {
    /// As rules and prompts write it.
    pub name: &'static str,
    /// Where it strikes, and so what its positions count: `create`, `task`,
    /// `read`, `download` or `upload`.
    pub site: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal at $site:ident,)+) => {
        /// One way to misbehave.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub(in crate::emulator) enum Kind {
            $($(#[doc = $doc])* #[serde(rename = $name)] $variant,)+
        }

        /// Every fault's name, in the order create, task, read, download, upload.
        pub const FAULT_NAMES: &[&str] = &[$($name),+];

        /// Every fault with what it does, in the same order.
        pub const FAULT_MEANINGS: &[FaultMeaning] = &[$(FaultMeaning {
            name: $name,
            site: Site::$site.name(),
            meaning: concat!($($doc),*).trim_ascii(),
        }),+];

        impl Kind {
            pub(super) fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }

            pub(in crate::emulator) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            pub(in crate::emulator) fn site(self) -> Site {
                match self {
                    $(Self::$variant => Site::$site,)+
                }
            }
        }
    };
}

kinds! {
    /// 429; argument: `Retry-After` in seconds, `date`, `none`, `negative`, `huge`.
    Throttle = "429" at Create,
    /// 500 with a JSON body; with the argument `billed` the task exists.
    Internal = "500" at Create,
    /// 502 with an HTML page; with the argument `billed` the task exists.
    BadGateway = "502" at Create,
    /// 504 with an HTML page; with the argument `billed` the task exists.
    GatewayTimeout = "504" at Create,
    /// 503 `service_unavailable` in JSON, not billed.
    Unavailable = "503" at Create,
    /// 401 `unauthorized`.
    Unauthorized = "401" at Create,
    /// 402 `insufficient_quota`.
    NoQuota = "402" at Create,
    /// 403 `model_access_denied`.
    Forbidden = "403" at Create,
    /// 400 with the argument as code.
    Refuse = "refuse" at Create,
    /// 409 `paid_outcome_unknown` although the task exists.
    OutcomeUnknown = "outcome-unknown" at Create,
    /// The connection is closed before anything is billed.
    DropBefore = "drop-before" at Create,
    /// Billed, then the connection is closed without an answer.
    DropAfter = "drop-after" at Create,
    /// Never answered, not billed.
    HangBefore = "hang-before" at Create,
    /// Billed, never answered.
    HangAfter = "hang-after" at Create,
    /// 200, billed, half a JSON document.
    Truncated = "truncated" at Create,
    /// 200, billed, an HTML page.
    Html = "html" at Create,
    /// Billed, but the answer carries the id of the task before.
    DuplicateId = "duplicate-id" at Create,
    /// The task is completed in the answer to the create.
    CompletedAtOnce = "completed-at-once" at Create,

    /// The task takes far longer than estimated; the argument is seconds.
    Slow = "slow" at Task,
    /// The task never ends.
    Stuck = "stuck" at Task,
    /// The task fails; the argument is the code.
    Fail = "fail" at Task,
    /// The task ends as `cancelled`.
    Cancelled = "cancelled" at Task,
    /// Completed without links in the first two reads (argument: how many).
    NoLinks = "no-links" at Task,
    /// Fewer pictures than `n`; the argument says how many, default one less.
    Fewer = "fewer" at Task,
    /// The first read after the end says `processing` again, once.
    Backwards = "backwards" at Task,
    /// A status that nobody documented until the task is half way.
    WeirdStatus = "weird-status" at Task,
    /// Results are objects with `url`.
    ObjectResults = "object-results" at Task,
    /// Results link to `file:///etc/passwd`.
    FileLink = "file-link" at Task,
    /// Results link to `http://10.0.0.1/`.
    PrivateLink = "private-link" at Task,
    /// Results link to this server under another host name.
    OtherHost = "other-host" at Task,
    /// Not in the task list; with an argument only for so many seconds.
    Unlisted = "unlisted" at Task,
    /// The callback is never posted.
    CallbackLost = "callback-lost" at Task,
    /// The callback comes again once taken; argument: how often, default 2.
    CallbackTwice = "callback-twice" at Task,
    /// The callback comes late; argument: seconds after the end, default 30.
    CallbackLate = "callback-late" at Task,
    /// Half way a made-up callback comes: `completed`, or the argument `failed`.
    CallbackForged = "callback-forged" at Task,
    /// Half way a callback comes that names the task before.
    CallbackForeign = "callback-foreign" at Task,

    /// A read is answered 500.
    ReadInternal = "read-500" at Read,
    /// A read is answered 429.
    ReadThrottle = "read-429" at Read,
    /// A read is answered 200 with an HTML page.
    ReadHtml = "read-html" at Read,
    /// A read is answered 404 `task_not_found`.
    ReadMissing = "read-404" at Read,
    /// A read of one task is answered with another id.
    ForeignId = "foreign-id" at Read,

    /// Flipped bytes in the middle of the picture.
    Damaged = "damaged" at Download,
    /// The body ends early; with the argument `clean` the length agrees.
    Short = "short" at Download,
    /// 200 without a body.
    Empty = "empty" at Download,
    /// 404.
    Missing = "missing" at Download,
    /// 403.
    ForbiddenLink = "forbidden" at Download,
    /// 410.
    GoneLink = "gone" at Download,
    /// 200 with an HTML page.
    HtmlPicture = "html-picture" at Download,
    /// 302 to the real link.
    Redirect = "redirect" at Download,
    /// 302 to another host.
    RedirectAway = "redirect-away" at Download,
    /// The body trickles; the argument is seconds.
    SlowBytes = "slow-bytes" at Download,
    /// A PNG that claims 60000x60000 pixels.
    Bomb = "bomb" at Download,
    /// A JPEG behind a `.png` link.
    Jpeg = "jpeg" at Download,
    /// A good PNG of another size.
    WrongSize = "wrong-size" at Download,

    /// Refused; argument: 40001 to 40004 or 50001, the default.
    RefuseUpload = "upload-refused" at Upload,
}

/// A fault that was drawn: its kind, and what the rule said about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::emulator) struct Fault {
    pub(in crate::emulator) kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::emulator) argument: Option<String>,
    /// Download faults only: the second try is served well.
    #[serde(default)]
    pub(in crate::emulator) once: bool,
}

impl Fault {
    pub(in crate::emulator) fn argument(&self) -> Option<&str> {
        self.argument.as_deref()
    }

    /// The argument as a number, else the given default.
    pub(in crate::emulator) fn number(&self, default: u64) -> u64 {
        self.argument().and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    /// The name that the statistics count it under.
    pub(in crate::emulator) fn label(&self) -> String {
        let once = if self.once { "-once" } else { "" };
        format!("{}{once}", self.kind.name())
    }
}
