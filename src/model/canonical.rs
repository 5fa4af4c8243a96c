//! From what a manifest says to the canonical request: defaults filled in,
//! spelling normalised, ignored fields dropped, every rule checked.

use url::{Host, Url};

use crate::job::{Reference, Request};

use super::size::Size;

/// The model that is meant when none is named.
pub const MODEL: &str = "gpt-image-2";
/// The most reference pictures of one request.
pub const MAX_REFERENCES: usize = 16;
const MAX_PROMPT: usize = 32_000;
const MAX_CALLBACK: usize = 2_048;

/// A request as written: rendered, but not yet checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// Name of the model; [`MODEL`] when absent.
    pub model: Option<String>,
    /// The words.
    pub prompt: String,
    /// Any spelling of a size; `auto` when absent.
    pub size: Option<String>,
    /// `1K`, `2K` or `4K` in any case.
    pub resolution: Option<String>,
    /// `low`, `medium` or `high` in any case; `medium` when absent.
    pub quality: Option<String>,
    /// How many pictures; 1 when absent.
    pub n: Option<i64>,
    /// `opaque` or `transparent` in any case.
    pub background: Option<String>,
    /// Reference pictures.
    pub images: Vec<Reference>,
    /// The mask.
    pub mask: Option<Reference>,
    /// Where the provider reports completion.
    pub callback_url: Option<String>,
}

/// A parameter of the API by its name in a manifest.
pub type Field = &'static str;

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The parameter that breaks it.
    pub field: Field,
    /// The value and the rule.
    pub message: String,
    /// The nearest valid value, or all of them.
    pub help: Option<String>,
}

/// Something that is allowed but has no effect.
pub type Notice = Violation;

/// Checks a draft and brings it into canonical form. Either all violations,
/// or the request and what was dropped from it.
pub fn canonical(draft: Draft) -> Result<(Request, Vec<Notice>), Vec<Violation>> {
    let mut checks = Checks::default();
    let size = checks.size(draft.size.as_deref());
    let request = Request {
        model: checks.model(draft.model),
        resolution: checks.resolution(draft.resolution.as_deref(), size),
        size: size.to_string(),
        quality: checks.choice("quality", draft.quality.as_deref(), &["medium", "low", "high"]),
        n: checks.n(draft.n),
        background: checks.background(draft.background.as_deref()),
        mask: checks.mask(draft.mask, &draft.images),
        images: checks.images(draft.images),
        callback_url: checks.callback(draft.callback_url),
        prompt: checks.prompt(draft.prompt),
    };
    if checks.violations.is_empty() { Ok((request, checks.notices)) } else { Err(checks.violations) }
}

#[derive(Default)]
struct Checks {
    violations: Vec<Violation>,
    notices: Vec<Notice>,
}

impl Checks {
    fn refuse(&mut self, field: Field, message: String, help: Option<String>) {
        self.violations.push(Violation { field, message, help });
    }

    fn model(&mut self, model: Option<String>) -> String {
        let model = model.unwrap_or_else(|| MODEL.into());
        if model.trim().is_empty() {
            self.refuse("model", "the model is empty".into(), Some(format!("leave it out for `{MODEL}`")));
        }
        model.trim().to_owned()
    }

    fn prompt(&mut self, prompt: String) -> String {
        let length = prompt.chars().count();
        if prompt.trim().is_empty() {
            self.refuse("prompt", "the prompt is empty".into(), None);
        } else if length > MAX_PROMPT {
            let message = format!("the prompt has {length} characters; at most {MAX_PROMPT} are allowed");
            self.refuse("prompt", message, None);
        }
        prompt
    }

    fn size(&mut self, size: Option<&str>) -> Size {
        Size::parse(size.unwrap_or("auto")).unwrap_or_else(|error| {
            self.refuse("size", error.message, Some(error.help));
            Size::Auto
        })
    }

    /// Checked also where it is dropped: a wrong value is a mistake anyway.
    fn resolution(&mut self, resolution: Option<&str>, size: Size) -> Option<String> {
        let tier = self.choice("resolution", resolution, &["1K", "2K", "4K"]);
        matches!(size, Size::Ratio(..)).then_some(tier)
    }

    fn background(&mut self, background: Option<&str>) -> Option<String> {
        let background = self.choice("background", background, &["opaque", "transparent"]);
        (background == "transparent").then_some(background)
    }

    /// One of `choices` in any case; the first when absent or wrong.
    fn choice(&mut self, field: Field, value: Option<&str>, choices: &[&str]) -> String {
        let wanted = value.unwrap_or(choices[0]).trim();
        let found = choices.iter().find(|choice| choice.eq_ignore_ascii_case(wanted));
        if found.is_none() {
            let mut sorted = choices.to_vec();
            sorted.sort_by_key(|choice| ["low", "medium", "high"].iter().position(|q| q == choice));
            let help = format!("write one of `{}`", sorted.join("`, `"));
            self.refuse(field, format!("{field} `{wanted}` does not exist"), Some(help));
        }
        (*found.unwrap_or(&choices[0])).to_owned()
    }

    fn n(&mut self, n: Option<i64>) -> u32 {
        let n = n.unwrap_or(1);
        if !(1..=10).contains(&n) {
            let help = format!("the nearest is {}; `repeat` makes more takes", n.clamp(1, 10));
            self.refuse("n", format!("n is {n}; 1 to 10 are allowed"), Some(help));
        }
        n.clamp(1, 10) as u32
    }

    fn images(&mut self, images: Vec<Reference>) -> Vec<Reference> {
        if images.len() > MAX_REFERENCES {
            let message = format!("{} images are given; at most {MAX_REFERENCES} are allowed", images.len());
            self.refuse("images", message, None);
        }
        for image in &images {
            self.reference("images", image);
        }
        images
    }

    fn mask(&mut self, mask: Option<Reference>, images: &[Reference]) -> Option<Reference> {
        let mask = mask?;
        self.reference("mask", &mask);
        if images.is_empty() {
            self.notices.push(Notice {
                field: "mask",
                message: "a mask without `images` has no effect and was dropped".into(),
                help: Some("name the picture to edit in `images`".into()),
            });
            return None;
        }
        Some(mask)
    }

    fn reference(&mut self, field: Field, reference: &Reference) {
        let Reference::Url(link) = reference else { return };
        let valid =
            Url::parse(link).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !valid {
            let help = "write an https link, or the path of a local file".into();
            self.refuse(field, format!("`{link}` is not a link that the provider can download"), Some(help));
        }
    }

    fn callback(&mut self, callback: Option<String>) -> Option<String> {
        let callback = callback?;
        if let Some(rule) = callback_rule(&callback) {
            self.refuse("callback_url", format!("callback_url {rule}"), None);
        }
        Some(callback)
    }
}

/// The rule for callbacks that `link` breaks.
fn callback_rule(link: &str) -> Option<&'static str> {
    let url = Url::parse(link).ok();
    match url {
        _ if link.len() > MAX_CALLBACK => Some("is longer than 2048 characters"),
        None => Some("is not a link"),
        Some(url) if url.scheme() != "https" => Some("must begin with https://"),
        Some(url) if internal(url.host().as_ref()) => Some("must not name an internal address"),
        Some(_) => None,
    }
}

/// Loopback, private and link-local hosts, which the provider refuses.
fn internal(host: Option<&Host<&str>>) -> bool {
    let v4 = |ip: std::net::Ipv4Addr| {
        ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || ip.is_broadcast()
    };
    match host {
        None => true,
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost") || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => v4(*ip),
        Some(Host::Ipv6(ip)) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.to_ipv4_mapped().is_some_and(v4)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft { prompt: "a fox".into(), ..Draft::default() }
    }

    fn fields(draft: Draft) -> Vec<Field> {
        canonical(draft).map_or_else(|violations| violations.iter().map(|v| v.field).collect(), |_| vec![])
    }

    #[expect(clippy::unnecessary_wraps, reason = "every field that it fills is optional")]
    fn text(value: &str) -> Option<String> {
        Some(value.to_owned())
    }

    #[test]
    fn defaults_are_filled_in() {
        let (request, notices) = canonical(draft()).unwrap();
        assert_eq!(
            serde_json::to_value(request).unwrap(),
            serde_json::json!({"model": "gpt-image-2", "prompt": "a fox", "size": "auto", "quality": "medium", "n": 1})
        );
        assert_eq!(notices, []);
    }

    #[test]
    fn two_spellings_of_one_request_have_one_fingerprint() {
        let print = |draft| canonical(draft).unwrap().0.fingerprint();
        for (one, other) in [
            (
                Draft { size: text("16:9"), ..draft() },
                Draft { size: text("16:9"), resolution: text("1k"), ..draft() },
            ),
            (
                Draft { size: text("1024×768"), ..draft() },
                Draft { size: text("1024x768"), resolution: text("4K"), ..draft() },
            ),
            (
                draft(),
                Draft {
                    quality: text("Medium"),
                    background: text("OPAQUE"),
                    n: Some(1),
                    model: text(MODEL),
                    ..draft()
                },
            ),
            (draft(), Draft { mask: Some(Reference::Url("https://example.com/m.png".into())), ..draft() }),
            (draft(), Draft { resolution: text("2K"), ..draft() }),
        ] {
            assert_eq!(print(one.clone()), print(other.clone()), "{one:?}\n{other:?}");
        }
        assert_ne!(
            print(Draft { size: text("16:9"), ..draft() }),
            print(Draft { size: text("16:9"), resolution: text("2K"), ..draft() })
        );
    }

    #[test]
    fn every_rule_names_its_field() {
        let url = |link: &str| Reference::Url(link.into());
        for (wrong, field) in [
            (Draft { prompt: " \n".into(), ..draft() }, "prompt"),
            (Draft { prompt: "é".repeat(32_001), ..draft() }, "prompt"),
            (Draft { size: text("1000x1000"), ..draft() }, "size"),
            (Draft { resolution: text("8K"), ..draft() }, "resolution"),
            (Draft { quality: text("ultra"), ..draft() }, "quality"),
            (Draft { n: Some(11), ..draft() }, "n"),
            (Draft { n: Some(0), ..draft() }, "n"),
            (Draft { background: text("green"), ..draft() }, "background"),
            (Draft { images: vec![url("https://example.com/a.png"); 17], ..draft() }, "images"),
            (Draft { images: vec![url("ftp://example.com/a.png")], ..draft() }, "images"),
            (Draft { callback_url: text("http://example.com/"), ..draft() }, "callback_url"),
            (Draft { callback_url: text("https://10.0.0.1/"), ..draft() }, "callback_url"),
            (Draft { callback_url: text("https://[::ffff:127.0.0.1]/"), ..draft() }, "callback_url"),
            (Draft { callback_url: text("https://2130706433/"), ..draft() }, "callback_url"),
            (
                Draft { callback_url: Some(format!("https://example.com/{}", "x".repeat(2_048))), ..draft() },
                "callback_url",
            ),
        ] {
            assert_eq!(fields(wrong), [field]);
        }
        assert_eq!(
            fields(Draft {
                prompt: "é".repeat(32_000),
                callback_url: text("https://example.com/x"),
                n: Some(10),
                ..draft()
            }),
            [""; 0]
        );
    }

    #[test]
    fn all_violations_come_at_once() {
        let wrong = Draft { size: text("1x1"), quality: text("best"), n: Some(99), ..draft() };
        assert_eq!(fields(wrong), ["size", "quality", "n"]);
    }
}
