//! What a create asks for, checked by the API's rules (section 2).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::Options;
use super::answer::Refusal;
use super::hosts;
use super::price::{self, Quality, Tokens};
use super::size::Size;

const MOST_CODE_POINTS: usize = 32_000;
const MOST_REFERENCES: usize = 16;
const MOST_PICTURES: u64 = 10;
const MOST_CALLBACK_CHARS: usize = 2048;

/// A valid create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) model: String,
    pub(super) prompt: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) image_urls: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mask_url: Option<String>,
    pub(super) size: Size,
    pub(super) quality: Quality,
    pub(super) n: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) callback_url: Option<String>,
    #[serde(default)]
    pub(super) transparent: bool,
}

impl Order {
    /// Reads a body. The options say which callbacks are permitted.
    pub(super) fn read(body: &[u8], options: &Options) -> Result<Self, Refusal> {
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| Refusal::request(format!("The body is not valid JSON: {error}")))?;
        if !body.is_object() {
            return Err(Refusal::request("The body must be a JSON object"));
        }
        let image_urls = references(&body)?;
        Ok(Self {
            model: model(&body)?,
            prompt: prompt(&body)?,
            mask_url: mask(&body)?.filter(|_| !image_urls.is_empty()),
            image_urls,
            size: size(&body)?,
            quality: quality(&body)?,
            n: count(&body)?,
            callback_url: callback(&body, options)?,
            transparent: background(&body)?,
        })
    }

    /// What the provider reserves.
    pub(super) fn reserved(&self) -> Tokens {
        let (width, height) = self.size.reserved();
        Tokens {
            image_output: self.n * price::picture_tokens(width, height, self.quality),
            image_input: self.n * self.image_urls.len() as u64 * price::REFERENCE_TOKENS,
            text_input: self.n * price::prompt_tokens(&self.prompt),
        }
    }
}

/// A string property; `null` counts as absent.
fn text<'a>(body: &'a Value, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::parameter(name, format!("{name} must be a string"))),
    }
}

fn required<'a>(body: &'a Value, name: &'static str) -> Result<&'a str, Refusal> {
    text(body, name)?
        .ok_or_else(|| Refusal { param: Some(name), ..Refusal::request(format!("{name} is required")) })
}

fn model(body: &Value) -> Result<String, Refusal> {
    match required(body, "model")? {
        model @ "gpt-image-2" => Ok(model.to_owned()),
        other => Err(Refusal::parameter(
            "model",
            format!("model {other:?} does not exist; this emulates gpt-image-2"),
        )),
    }
}

fn prompt(body: &Value) -> Result<String, Refusal> {
    let prompt = required(body, "prompt")?;
    let length = prompt.chars().count();
    if (1..=MOST_CODE_POINTS).contains(&length) {
        return Ok(prompt.to_owned());
    }
    Err(Refusal::parameter(
        "prompt",
        format!("prompt must have 1 to {MOST_CODE_POINTS} characters, not {length}"),
    ))
}

fn references(body: &Value) -> Result<Vec<String>, Refusal> {
    const NAME: &str = "image_urls";
    let urls = match body.get(NAME) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(urls)) => urls,
        Some(_) => return Err(Refusal::parameter(NAME, "image_urls must be an array of URLs")),
    };
    if !(1..=MOST_REFERENCES).contains(&urls.len()) {
        return Err(Refusal::parameter(NAME, format!("image_urls must have 1 to {MOST_REFERENCES} entries")));
    }
    let check = |url: &Value| {
        let url = url.as_str().filter(|url| is_web(url));
        url.map(str::to_owned)
            .ok_or_else(|| Refusal::parameter(NAME, "image_urls must be http or https URLs"))
    };
    urls.iter().map(check).collect()
}

fn is_web(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

fn mask(body: &Value) -> Result<Option<String>, Refusal> {
    match text(body, "mask_url")? {
        Some(url) if !is_web(url) => {
            Err(Refusal::parameter("mask_url", "mask_url must be an http or https URL"))
        }
        url => Ok(url.map(str::to_owned)),
    }
}

fn size(body: &Value) -> Result<Size, Refusal> {
    let size = text(body, "size")?.unwrap_or("auto");
    let resolution = text(body, "resolution")?;
    Size::parse(size, resolution).map_err(|message| {
        let param = if message.starts_with("resolution") { "resolution" } else { "size" };
        Refusal::parameter(param, message)
    })
}

fn quality(body: &Value) -> Result<Quality, Refusal> {
    let Some(name) = text(body, "quality")? else { return Ok(Quality::default()) };
    Quality::parse(name).ok_or_else(|| Refusal::parameter("quality", "quality must be low, medium or high"))
}

fn count(body: &Value) -> Result<u64, Refusal> {
    let n = match body.get("n") {
        None | Some(Value::Null) => return Ok(1),
        Some(n) => whole(n).filter(|n| (1..=MOST_PICTURES).contains(n)),
    };
    n.ok_or_else(|| Refusal::parameter("n", "n must be a whole number from 1 to 10"))
}

/// A whole number, which JSON may also write as `2.0`.
fn whole(n: &Value) -> Option<u64> {
    n.as_u64().or_else(|| n.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0).map(|n| n as u64))
}

/// The API's rule, waived for hosts that only this emulator can call.
fn callback(body: &Value, options: &Options) -> Result<Option<String>, Refusal> {
    const NAME: &str = "callback_url";
    let Some(text) = text(body, NAME)? else { return Ok(None) };
    if text.chars().count() > MOST_CALLBACK_CHARS {
        return Err(Refusal::parameter(NAME, "callback_url may have at most 2048 characters"));
    }
    let url = Url::parse(text).map_err(|_| Refusal::parameter(NAME, "callback_url must be a URL"))?;
    let near = hosts::is_loopback(&url) || (options.allow_remote_hosts && hosts::is_internal(&url));
    if near && options.allow_local_callbacks && matches!(url.scheme(), "http" | "https") {
        return Ok(Some(text.to_owned()));
    }
    if url.scheme() != "https" {
        return Err(Refusal::parameter(NAME, "callback_url must be HTTPS"));
    }
    if hosts::is_internal(&url) {
        return Err(Refusal::parameter(NAME, "callback_url must not name an internal address"));
    }
    Ok(Some(text.to_owned()))
}

fn background(body: &Value) -> Result<bool, Refusal> {
    match text(body, "background")? {
        None | Some("opaque" | "auto") => Ok(false),
        Some("transparent") => Ok(true),
        Some(_) => Err(Refusal::parameter("background", "background must be opaque or transparent")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Callbacks as the API takes them.
    fn strict() -> Options {
        Options { allow_local_callbacks: false, ..Options::default() }
    }

    /// A valid body with one property replaced.
    fn with(name: &str, value: Value) -> Result<Order, Refusal> {
        let mut body = json!({ "model": "gpt-image-2", "prompt": "a fox" });
        body[name] = value;
        Order::read(body.to_string().as_bytes(), &strict())
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let order = with("n", Value::Null).unwrap();
        assert_eq!((order.size, order.quality, order.n), (Size::Auto, Quality::Medium, 1));
        assert!(!order.transparent && order.image_urls.is_empty());
    }

    #[test]
    fn each_rule_refuses_by_its_property() {
        let many: Vec<_> = (0..17).map(|i| format!("https://x.test/{i}.png")).collect();
        let table = [
            ("model", json!("gpt-image-1")),
            ("model", json!(7)),
            ("prompt", json!("")),
            ("prompt", json!("é".repeat(32_001))),
            ("image_urls", json!([])),
            ("image_urls", json!(many)),
            ("image_urls", json!("https://x.test/a.png")),
            ("image_urls", json!(["file:///etc/passwd"])),
            ("mask_url", json!("mask.png")),
            ("size", json!("7:5")),
            ("size", json!("1000x1000")),
            ("quality", json!("ultra")),
            ("n", json!(0)),
            ("n", json!(11)),
            ("n", json!(1.5)),
            ("n", json!("2")),
            ("callback_url", json!("http://example.com/hook")),
            ("callback_url", json!("https://10.0.0.1/hook")),
            ("callback_url", json!("http://127.0.0.1:9/hook")),
            ("callback_url", json!("https://localhost/hook")),
            ("callback_url", json!("hook")),
            ("callback_url", json!(format!("https://example.com/{}", "a".repeat(2048)))),
            ("background", json!("blue")),
        ];
        for (name, value) in table {
            let refusal = with(name, value.clone()).expect_err(name);
            assert_eq!((refusal.status, refusal.param), (400, Some(name)), "{name}={value}");
            assert_eq!(refusal.code, "invalid_parameters");
        }
        assert_eq!(with("resolution", json!("8K")).unwrap().size, Size::Auto);
    }

    #[test]
    fn limits_are_inclusive() {
        with("prompt", json!("é".repeat(32_000))).unwrap();
        with("n", json!(10)).unwrap();
        with("callback_url", json!("https://example.com/hook")).unwrap();
        with("background", json!("transparent")).unwrap();
    }

    #[test]
    fn a_test_may_be_called_on_this_machine_or_near_it() {
        let read = |url: &str, options: &Options| {
            let body = json!({ "model": "gpt-image-2", "prompt": "a fox", "callback_url": url });
            Order::read(body.to_string().as_bytes(), options).is_ok()
        };
        let near = Options { allow_remote_hosts: true, ..Options::default() };
        for (url, usual, nearby) in [
            ("http://127.0.0.1:9/hook", true, true),
            ("https://localhost/hook", true, true),
            ("http://client:9/hook", false, true),
            ("http://10.0.0.1/hook", false, true),
            ("http://example.com/hook", false, false),
            ("ftp://127.0.0.1/hook", false, false),
        ] {
            assert_eq!((read(url, &Options::default()), read(url, &near)), (usual, nearby), "{url}");
        }
    }

    #[test]
    fn broken_bodies_are_invalid_requests() {
        for body in ["", "{", "[]", "{\"prompt\":\"a\"}", "{\"model\":\"gpt-image-2\"}"] {
            assert_eq!(
                Order::read(body.as_bytes(), &strict()).unwrap_err().code,
                "invalid_request",
                "{body}"
            );
        }
    }
}
