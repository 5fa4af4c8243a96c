//! From what a manifest says to the canonical request: defaults filled in,
//! spelling normalised, ignored fields dropped, every rule checked.

use std::net::Ipv4Addr;

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
            self.refuse("prompt", message, Some(format!("leave out {}", length - MAX_PROMPT)));
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
        if size == Size::Auto && tier != "1K" {
            self.notices.push(Notice {
                field: "resolution",
                message: format!("resolution `{tier}` has no effect beside the size `auto`"),
                help: Some("choose a ratio for it, such as size = \"1:1\"".into()),
            });
        }
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
            let all = sorted.join("`, `");
            let help = match nearest(wanted, &sorted) {
                Some(near) => format!("the nearest is `{near}`; there are `{all}`"),
                None => format!("write one of `{all}`"),
            };
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
            let help = format!("leave out {}", images.len() - MAX_REFERENCES);
            self.refuse("images", message, Some(help));
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
        let url =
            Url::parse(link).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(url) = url else {
            let help = "write an https link, or the path of a local file".into();
            self.refuse(field, format!("`{link}` is not a link that the provider can download"), Some(help));
            return;
        };
        let taken: &[&str] = if field == "mask" { &["png"] } else { &["png", "jpg", "jpeg", "webp"] };
        if let Some(other) = extension(&url).filter(|found| !taken.contains(&found.as_str())) {
            self.notices.push(Notice {
                field,
                message: format!("`{link}` ends in .{other}; the provider takes .{}", taken.join(", .")),
                help: Some("`imgbatch plan --probe` looks at what is there".into()),
            });
        }
    }

    fn callback(&mut self, callback: Option<String>) -> Option<String> {
        let callback = callback?;
        if let Some((rule, help)) = callback_rule(&callback) {
            let shown: String = callback.chars().take(60).collect();
            let cut = if shown.len() < callback.len() { "..." } else { "" };
            self.refuse("callback_url", format!("callback_url `{shown}{cut}` {rule}"), help);
        }
        Some(callback)
    }
}

/// What people of other APIs write, and what is meant by it here.
const MEANT: [(&str, &[&str]); 3] = [
    ("high", &["hd", "uhd", "ultra", "best", "max", "maximum", "highest"]),
    ("medium", &["standard", "normal", "auto", "default", "mid", "middle"]),
    ("low", &["draft", "fast", "min", "minimum", "lowest"]),
];

/// The choice that `wanted` comes closest to: by its meaning, its number, or
/// its spelling.
fn nearest<'c>(wanted: &str, choices: &[&'c str]) -> Option<&'c str> {
    let wanted = wanted.to_lowercase();
    let meant = MEANT.iter().find(|(_, words)| words.contains(&wanted.as_str()));
    if let Some(known) = meant.and_then(|(meant, _)| choices.iter().find(|choice| *choice == meant)) {
        return Some(known);
    }
    let number = |text: &str| text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().ok();
    if let Some(wanted) = number(&wanted) {
        return choices
            .iter()
            .filter_map(|choice| Some((number(choice)?.abs_diff(wanted), *choice)))
            .min()
            .map(|(_, choice)| choice);
    }
    let far = |choice: &str| strsim::damerau_levenshtein(&wanted, &choice.to_lowercase());
    choices.iter().map(|choice| (far(choice), *choice)).filter(|(far, _)| *far <= 2).min().map(|(_, c)| c)
}

/// What a link's path ends in, where that looks like the extension of a file.
fn extension(url: &Url) -> Option<String> {
    let name = url.path_segments()?.next_back()?;
    let (_, extension) = name.rsplit_once('.')?;
    let plausible =
        (2..=5).contains(&extension.len()) && extension.bytes().all(|b| b.is_ascii_alphanumeric());
    plausible.then(|| extension.to_ascii_lowercase())
}

/// The rule for callbacks that `link` breaks, and what to write instead.
fn callback_rule(link: &str) -> Option<(String, Option<String>)> {
    let length = link.chars().count();
    let help = |text: &str| Some(text.to_owned());
    match Url::parse(link) {
        _ if length > MAX_CALLBACK => {
            let rule = format!("has {length} characters; at most {MAX_CALLBACK} are allowed");
            Some((rule, Some(format!("leave out {}", length - MAX_CALLBACK))))
        }
        Err(_) => Some(("is not a link".into(), help("write it like https://example.com/done"))),
        Ok(mut url) if url.scheme() != "https" => {
            let secure = url.set_scheme("https").is_ok().then(|| format!("the nearest is `{url}`"));
            Some(("must begin with https://".into(), secure))
        }
        Ok(url) if internal(url.host().as_ref()) => Some((
            "must not name an internal address".into(),
            help("name a host that the provider can reach"),
        )),
        Ok(_) => None,
    }
}

/// Loopback, private, link-local and other hosts that only this network
/// knows; the provider refuses them.
fn internal(host: Option<&Host<&str>>) -> bool {
    match host {
        None => true,
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            let last = name.rsplit('.').next().unwrap_or_default();
            matches!(last, "localhost" | "local" | "internal" | "localdomain") || !name.contains('.')
        }
        Some(Host::Ipv4(ip)) => internal_v4(*ip),
        Some(Host::Ipv6(ip)) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.is_multicast()
                || ip.to_ipv4_mapped().is_some_and(internal_v4)
        }
    }
}

fn internal_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_multicast()
        || a == 0
        // Shared by the customers of a carrier.
        || (a == 100 && (64..128).contains(&b))
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
            (Draft { callback_url: text("https://100.64.0.1/"), ..draft() }, "callback_url"),
            (Draft { callback_url: text("https://LOCALHOST./"), ..draft() }, "callback_url"),
            (Draft { callback_url: text("https://hooks.internal/"), ..draft() }, "callback_url"),
            (Draft { callback_url: text("https://intranet/"), ..draft() }, "callback_url"),
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

    #[test]
    fn the_nearest_value_is_named() {
        for (wrong, help) in [
            (
                Draft { quality: text("HD"), ..draft() },
                "the nearest is `high`; there are `low`, `medium`, `high`",
            ),
            (Draft { quality: text("hihg"), ..draft() }, "the nearest is `high`;"),
            (Draft { quality: text("sepia"), ..draft() }, "write one of `low`, `medium`, `high`"),
            (Draft { resolution: text("8K"), ..draft() }, "the nearest is `4K`; there are `1K`, `2K`, `4K`"),
            (Draft { resolution: text("0.5k"), ..draft() }, "write one of `1K`, `2K`, `4K`"),
            (Draft { n: Some(11), ..draft() }, "the nearest is 10;"),
            (Draft { prompt: "x".repeat(32_007), ..draft() }, "leave out 7"),
            (
                Draft { callback_url: text("http://example.com/x?a=b"), ..draft() },
                "the nearest is `https://example.com/x?a=b`",
            ),
        ] {
            let found = canonical(wrong).unwrap_err()[0].help.clone().unwrap();
            assert!(found.starts_with(help), "{found}");
        }
    }

    #[test]
    fn what_has_no_effect_or_looks_wrong_is_noticed() {
        let url = |link: &str| Reference::Url(link.into());
        for (draft, fields) in [
            (Draft { resolution: text("4K"), ..draft() }, &["resolution"][..]),
            (Draft { resolution: text("4K"), size: text("1024x1024"), ..draft() }, &[]),
            (Draft { mask: Some(url("https://example.com/m.png")), ..draft() }, &["mask"]),
            (Draft { images: vec![url("https://example.com/a.gif?x=.png")], ..draft() }, &["images"]),
            (
                Draft {
                    images: vec![url("https://example.com/a.JPG"), url("https://example.com/v1.2/a")],
                    ..draft()
                },
                &[],
            ),
            (
                Draft {
                    images: vec![url("https://example.com/a")],
                    mask: Some(url("https://example.com/m.jpg")),
                    ..draft()
                },
                &["mask"],
            ),
        ] {
            let (_, notices) = canonical(draft).unwrap();
            assert_eq!(notices.iter().map(|notice| notice.field).collect::<Vec<_>>(), fields);
        }
    }
}
