//! What is behind a link, as far as the first bytes tell; nothing is kept.

use std::io::Cursor;

use image::ImageReader;
use reqwest::Response;
use tokio::time::timeout;

use super::decode::{broken, check_pixels, no_format};
use super::error::FetchError;
use super::fetch::Downloader;
use super::hosts::Rules;
use super::stream::{lost, open};
use super::verify::{Damage, Format};

/// A picture says its size within this many bytes, or is not one to wait for.
const HEAD: usize = 1 << 20;
/// The magic bytes of every format fit into this.
const MAGIC: usize = 16;

/// A picture that somebody else keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// By its magic bytes.
    pub format: Format,
    /// By its header.
    pub width: u32,
    /// By its header.
    pub height: u32,
    /// It is a PNG with an alpha channel.
    pub alpha: bool,
}

impl Downloader {
    /// Asks for the picture behind `link` by the rules of downloads: every
    /// host is judged, no key is sent, and no more than the policy allows is
    /// read. What has no declared length is read to its end.
    pub async fn look(&self, link: &str) -> Result<Remote, FetchError> {
        let looking = async {
            let response = open(&self.client, link, Rules::of(&self.policy)).await?;
            self.head(response).await
        };
        timeout(self.policy.total_timeout, looking)
            .await
            .map_err(|_| FetchError::transient("it took too long in all"))?
    }

    async fn head(&self, mut response: Response) -> Result<Remote, FetchError> {
        let limit = self.policy.max_bytes;
        let declared = response.content_length();
        if declared.is_some_and(|length| length > limit) {
            return Err(Damage::TooLong { limit }.into());
        }
        let (mut head, mut bytes, mut remote) = (Vec::new(), 0, None);
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            bytes += chunk.len() as u64;
            if bytes > limit {
                return Err(Damage::TooLong { limit }.into());
            }
            if remote.is_none() {
                head.extend_from_slice(&chunk);
                remote = header(&head, head.len() >= HEAD)?;
            }
            if remote.is_some() && declared.is_some() {
                break;
            }
        }
        let remote = remote.map_or_else(|| header(&head, true), |remote| Ok(Some(remote)))?;
        let remote = remote.ok_or_else(|| FetchError::from(no_format(&head)))?;
        check_pixels(remote.width, remote.height, self.policy.max_pixels)?;
        Ok(remote)
    }
}

/// Reads the beginning of a picture; `None` where more of it is needed, which
/// never comes when it is `last`.
fn header(head: &[u8], last: bool) -> Result<Option<Remote>, Damage> {
    let Some(format) = Format::of(head) else {
        return if last || head.len() >= MAGIC { Err(no_format(head)) } else { Ok(None) };
    };
    let size = ImageReader::new(Cursor::new(head))
        .with_guessed_format()
        .map_err(|error| error.to_string())
        .and_then(|reader| reader.into_dimensions().map_err(|error| error.to_string()));
    match size {
        Ok((width, height)) => Ok(Some(Remote { format, width, height, alpha: has_alpha(head) })),
        Err(why) if last => Err(broken(format, &why)),
        Err(_) => Ok(None),
    }
}

fn has_alpha(head: &[u8]) -> bool {
    let reader = png::Decoder::new(Cursor::new(head)).read_info();
    reader.is_ok_and(|reader| {
        matches!(reader.info().color_type, png::ColorType::Rgba | png::ColorType::GrayscaleAlpha)
    })
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, RgbaImage};

    use super::super::Policy;
    use super::super::stub::{Stub, declared, head, ok};
    use super::super::tests::picture;
    use super::*;

    async fn look(policy: Policy, answer: Vec<u8>) -> Result<Remote, String> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let stub = Stub::start([("/a", answer)]).await;
        let downloader = Downloader::new(Policy { loopback_http: true, ..policy }).unwrap();
        let remote = downloader.look(&format!("{}/a", stub.url)).await;
        let asked = stub.requests().join("\n").to_lowercase();
        assert!(!asked.contains("authorization"), "{asked}");
        remote.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn formats_sizes_and_alpha_are_seen() {
        for (kind, format) in [
            (ImageFormat::Png, Format::Png),
            (ImageFormat::Jpeg, Format::Jpeg),
            (ImageFormat::WebP, Format::WebP),
        ] {
            let found = look(Policy::default(), ok(&picture(kind))).await;
            assert_eq!(found, Ok(Remote { format, width: 64, height: 48, alpha: false }));
        }
        let mut mask = Cursor::new(vec![]);
        RgbaImage::new(8, 8).write_to(&mut mask, ImageFormat::Png).unwrap();
        assert!(look(Policy::default(), ok(&mask.into_inner())).await.unwrap().alpha);
    }

    #[tokio::test]
    async fn only_the_beginning_is_read_where_the_length_is_known() {
        let cut = &picture(ImageFormat::Png)[..60];
        let found = look(Policy::default(), declared(cut, 50_000_000)).await;
        assert_eq!(found.map(|remote| remote.width), Ok(64));
    }

    #[tokio::test]
    async fn what_the_api_would_refuse_is_named() {
        let png = picture(ImageFormat::Png);
        let small = Policy { max_bytes: 100, ..Policy::default() };
        let flat = Policy { max_pixels: 64 * 47, ..Policy::default() };
        let unknown_length = [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".as_slice(), &png].concat();
        for (policy, answer, why) in [
            (Policy::default(), head(404, ""), "the link is dead (HTTP 404)"),
            (Policy::default(), head(503, ""), "HTTP 503"),
            (Policy::default(), ok(b"<!DOCTYPE html><html>no</html>"), "it is an HTML page"),
            (Policy::default(), ok(b"GIF89a and so on and so on"), "neither PNG, JPEG nor WebP"),
            (Policy::default(), ok(b""), "it is empty"),
            (Policy::default(), ok(&png[..20]), "does not decode"),
            (Policy::default(), head(302, "location: http://10.0.0.1/x\r\n"), "is refused"),
            (small.clone(), ok(&png), "more than 100 bytes"),
            (small, unknown_length, "more than 100 bytes"),
            (flat, ok(&png), "claims 64x48 pixels"),
        ] {
            let found = look(policy, answer).await.unwrap_err();
            assert!(found.contains(why), "{why}: {found}");
        }
    }
}
