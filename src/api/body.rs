//! The exact bytes of a submission.

use serde::Serialize;

use crate::job::{Reference, Request};

/// Fields in the order of section 2 of the API facts. The bytes are hashed
/// and replayed: the order and the presence of fields must not change.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    prompt: &'a str,
    size: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<&'a str>,
    quality: &'a str,
    /// Always sent: a gateway with another default would change the bill.
    n: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    background: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mask_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_url: Option<&'a str>,
}

/// The JSON to send for `request`; `urls` names the link under which each
/// reference can be fetched by the provider.
///
/// # Panics
/// Never: strings and numbers always serialise.
#[must_use]
pub fn body(request: &Request, urls: impl Fn(&Reference) -> String) -> Vec<u8> {
    let body = Body {
        model: &request.model,
        prompt: &request.prompt,
        size: &request.size,
        resolution: request.resolution.as_deref(),
        quality: &request.quality,
        n: request.n,
        background: request.background.as_deref(),
        image_urls: request.images.iter().map(&urls).collect(),
        mask_url: request.mask.as_ref().map(&urls),
        callback_url: request.callback_url.as_deref(),
    };
    serde_json::to_vec(&body).expect("strings and numbers serialise")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Request {
        Request {
            model: "gpt-image-2".into(),
            prompt: "a \"fox\"\n🦊".into(),
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

    fn text(request: &Request) -> String {
        let urls = |reference: &Reference| match reference {
            Reference::Url(url) => url.clone(),
            Reference::File { .. } => "https://files.example/up".into(),
        };
        String::from_utf8(body(request, urls)).unwrap()
    }

    #[test]
    fn the_bytes_are_frozen() {
        assert_eq!(
            text(&plain()),
            r#"{"model":"gpt-image-2","prompt":"a \"fox\"\n🦊","size":"auto","quality":"medium","n":1}"#
        );
        let full = Request {
            size: "16:9".into(),
            resolution: Some("2K".into()),
            n: 3,
            background: Some("transparent".into()),
            images: vec![Reference::Url("https://a/x.png".into())],
            mask: Some(Reference::File {
                path: "m.png".into(),
                sha256: crate::job::ContentHash::of(b""),
                scaled_to: None,
            }),
            callback_url: Some("https://cb/".into()),
            ..plain()
        };
        assert_eq!(
            text(&full),
            r#"{"model":"gpt-image-2","prompt":"a \"fox\"\n🦊","size":"16:9","resolution":"2K","quality":"medium","n":3,"background":"transparent","image_urls":["https://a/x.png"],"mask_url":"https://files.example/up","callback_url":"https://cb/"}"#
        );
    }
}
