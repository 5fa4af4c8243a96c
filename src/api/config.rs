//! What the client must be told: hosts, key, patience.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// How to reach the API.
#[derive(Debug)]
pub struct Config {
    /// The API; a path in it is kept as a prefix. The key is sent here.
    pub base_url: Url,
    /// The host that takes uploads; the key is sent here too.
    pub files_url: Option<Url>,
    /// The key; never printed.
    pub key: SecretString,
    /// Patience for one submission. Values below 60 s are raised to 60 s: a
    /// short timeout manufactures submissions of unknown outcome.
    pub post_timeout: Duration,
    /// Patience for one read.
    pub read_timeout: Duration,
    /// Names the product; result hosts refuse default user agents.
    pub user_agent: String,
}

impl Config {
    /// The least patience with a submission.
    pub const MIN_POST_TIMEOUT: Duration = Duration::from_mins(1);

    /// The usual patience: 120 s for a submission, 30 s for a read.
    #[must_use]
    pub fn new(base_url: Url, key: SecretString) -> Self {
        Self {
            base_url,
            files_url: None,
            key,
            post_timeout: Duration::from_mins(2),
            read_timeout: Duration::from_secs(30),
            user_agent: concat!("imgbatch/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The URL can't carry the API.
    #[error("{what} {url}: {why}")]
    BadUrl {
        /// `base_url` or `files_url`.
        what: &'static str,
        /// The URL without its user, query and fragment.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The key can't be a header's value.
    #[error(
        "the API key holds a line break or another character that a header can't carry; set it again without it"
    )]
    BadKey,
    /// The HTTP machinery did not start.
    #[error("can't set up HTTP")]
    Http(#[source] reqwest::Error),
}

/// Refuses URLs that would leak the key or can't be extended by a path.
pub(super) fn check_url(what: &'static str, url: &Url) -> Result<(), ApiError> {
    let why = if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        "must begin with https:// and name a host"
    } else if !url.username().is_empty() || url.password().is_some() {
        "must not carry a user or password"
    } else if url.query().is_some() || url.fragment().is_some() {
        "must not carry a query or fragment"
    } else {
        return Ok(());
    };
    Err(ApiError::BadUrl { what, url: bare(url), why })
}

fn bare(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// `base` extended by `path`; each part is escaped as one segment.
pub(super) fn endpoint(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_keep_a_prefix_and_escape_ids() {
        let at = |base: &str| endpoint(&base.parse().unwrap(), &["v1", "tasks", "a/../b?c"]).to_string();
        assert_eq!(at("https://h"), "https://h/v1/tasks/a%2F..%2Fb%3Fc");
        assert_eq!(at("https://h/gate/"), "https://h/gate/v1/tasks/a%2F..%2Fb%3Fc");
    }

    #[test]
    fn urls_that_carry_secrets_or_no_host_are_refused_without_printing_them() {
        for url in ["ftp://h/", "data:x", "https://me:secret@h/", "https://h/?k=secret", "https://h/#secret"]
        {
            let error = check_url("base_url", &url.parse().unwrap()).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(check_url("base_url", &"http://127.0.0.1:1/v".parse().unwrap()).is_ok());
    }
}
