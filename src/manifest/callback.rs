//! `[callback]`: where the provider may call when a task ends.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

/// Where the provider may call when a task ends. Both keys belong together.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Callback {
    /// Address and port on this machine, plain HTTP; a proxy of yours leads to it.
    pub listen: Option<String>,
    /// The public address of that proxy, https; a secret is appended for each submission.
    pub public_url: Option<String>,
}

/// A checked [`Callback`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackAddress {
    /// Where to listen.
    pub listen: SocketAddr,
    /// What the provider is told.
    pub public_url: Url,
}

/// The longest address the API takes, and the secret that is appended to it.
const LONGEST_URL: usize = 2_048 - 33;

impl Callback {
    /// Both keys read, or what is wrong with which of them.
    pub fn address(&self) -> Result<Option<CallbackAddress>, (&'static str, String)> {
        let (listen, public_url) = match (&self.listen, &self.public_url) {
            (None, None) => return Ok(None),
            (Some(listen), Some(public_url)) => (listen, public_url),
            (Some(_), None) => return Err(("listen", "`callback.public_url` is missing beside it".into())),
            (None, Some(_)) => return Err(("public_url", "`callback.listen` is missing beside it".into())),
        };
        let listen = listen.parse().map_err(|_| {
            ("listen", format!("{listen:?} is not an address and port, such as `127.0.0.1:8090`"))
        })?;
        let public_url = Url::parse(public_url)
            .ok()
            .filter(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some())
            .filter(|url| {
                url.query().is_none() && url.fragment().is_none() && url.as_str().len() <= LONGEST_URL
            })
            .ok_or_else(|| {
                (
                    "public_url",
                    format!("{public_url:?} is not an address such as `https://me.example/imgbatch`"),
                )
            })?;
        if public_url.scheme() == "http" && !is_loopback(&public_url) {
            return Err(("public_url", "the API calls https addresses only".into()));
        }
        Ok(Some(CallbackAddress { listen, public_url }))
    }
}

/// The emulator on this machine may call without TLS.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_keys_or_neither_and_https_but_for_this_machine() {
        let read = |listen: Option<&str>, public_url: Option<&str>| {
            Callback { listen: listen.map(Into::into), public_url: public_url.map(Into::into) }.address()
        };
        assert_eq!(read(None, None), Ok(None));
        for url in ["https://me.example/hooks", "http://127.0.0.1:9/x", "http://localhost:9"] {
            assert!(read(Some("127.0.0.1:8090"), Some(url)).unwrap().is_some(), "{url}");
        }
        for (listen, url, key) in [
            (Some("127.0.0.1:1"), None, "listen"),
            (None, Some("https://me.example"), "public_url"),
            (Some("8090"), Some("https://me.example"), "listen"),
            (Some("127.0.0.1:1"), Some("me.example"), "public_url"),
            (Some("127.0.0.1:1"), Some("http://me.example"), "public_url"),
            (Some("127.0.0.1:1"), Some("https://me.example/?a=b"), "public_url"),
        ] {
            assert_eq!(read(listen, url).unwrap_err().0, key, "{listen:?} {url:?}");
        }
    }
}
