//! The provider: its address, its key, and the emulator in its place.

use std::path::{Path, PathBuf};

use anyhow::Context;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::Usage;
use crate::account::{Account, state_folder};
use crate::api::{Client, Config};
use crate::callback::{Addresses, Listener};
use crate::download::{Downloader, Policy};
use crate::emulator::{Emulator, Options};
use crate::manifest::{CallbackAddress, Manifest, Provider as Section};
use crate::runner::{Callbacks, Settings};

/// Stands for the base URL of the emulator in the process, whose port is
/// another one each time.
pub(super) const EMULATOR: &str = "emulator";

/// Where to buy, without the key. Kept in the ledger, so that `collect` needs
/// no manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Provider {
    pub(super) base_url: String,
    pub(super) files_url: Option<String>,
    pub(super) key_env: String,
    pub(super) key_file: Option<PathBuf>,
    pub(super) private_hosts: bool,
    /// It is declared to honour idempotency keys.
    #[serde(default)]
    pub(super) idempotency: bool,
    /// Nothing else submits with the key.
    #[serde(default)]
    pub(super) exclusive_key: bool,
    /// Where it may call.
    #[serde(default)]
    pub(super) callback: Option<CallbackAddress>,
}

/// The open doors to a provider.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) downloader: Downloader,
    pub(super) emulator: Option<Emulator>,
}

impl Provider {
    /// The provider of a manifest; a flag or the environment outranks its
    /// base URL.
    pub(super) fn resolve(
        manifest: &Manifest,
        base_url: Option<&str>,
        emulate: bool,
    ) -> anyhow::Result<Self> {
        let section = &manifest.provider;
        Ok(Self {
            key_file: section.api_key_file.as_ref().map(|path| manifest.resolve(path)),
            // Its fault would have been reported with the manifest's others.
            callback: manifest.callback.address().ok().flatten(),
            ..Self::of(section, base_url, emulate)?
        })
    }

    /// The provider that flags and environment alone name.
    pub(super) fn without_manifest(base_url: Option<&str>) -> anyhow::Result<Self> {
        Self::of(&Section::default(), base_url, false)
    }

    fn of(section: &Section, base_url: Option<&str>, emulate: bool) -> anyhow::Result<Self> {
        let base_url = if emulate {
            EMULATOR.to_owned()
        } else {
            let named = base_url.or(section.base_url.as_deref()).ok_or_else(|| Usage::error(NO_BASE_URL))?;
            parse(named, "base URL", section.allow_private_hosts)?.as_str().trim_end_matches('/').to_owned()
        };
        Ok(Self {
            base_url,
            files_url: section.files_url.clone(),
            key_env: section.api_key_env.clone(),
            key_file: None,
            private_hosts: section.allow_private_hosts,
            idempotency: section.idempotency,
            exclusive_key: section.exclusive_key,
            callback: None,
        })
    }

    /// Starts to listen for callbacks, where they are wanted.
    pub(super) async fn listen(&self) -> anyhow::Result<Option<Callbacks>> {
        let Some(CallbackAddress { listen, public_url }) = &self.callback else { return Ok(None) };
        let addresses = Addresses::new(public_url.clone());
        let (listener, calls) = Listener::start(*listen, addresses.clone()).await.map_err(|error| {
            Usage::error(format!(
                "can't listen for callbacks at {listen}: {error}; name another callback.listen"
            ))
        })?;
        Ok(Some(Callbacks { addresses, calls, listener }))
    }

    /// A submission may be sent again under its key: declared, or proven by
    /// `imgbatch doctor --prove-idempotency`. A proof that is there and can't
    /// be read counts as none.
    pub(super) fn honours_keys(&self) -> bool {
        let proven = || {
            let account = Account::open_existing(&state_folder(|name| std::env::var_os(name))?).ok()??;
            account.proof(&self.base_url).ok()?.map(|proof| proof.honoured)
        };
        self.idempotency || proven().unwrap_or(false)
    }

    /// The settings with what this provider offers to resolve unknowns.
    pub(super) fn resolving(&self, settings: Settings) -> Settings {
        Settings { replays: self.honours_keys(), exclusive_key: self.exclusive_key, ..settings }
    }

    pub(super) fn is_emulator(&self) -> bool {
        self.base_url == EMULATOR
    }

    /// Local references can be handed over.
    pub(super) fn takes_files(&self) -> bool {
        self.files_url.is_some() || self.is_emulator()
    }

    /// Finds the key before anything is made or locked.
    pub(super) fn key(&self) -> anyhow::Result<SecretString> {
        if self.is_emulator() {
            return Ok(SecretString::from("emulated"));
        }
        if let Some(key) = std::env::var_os(&self.key_env).filter(|key| !key.is_empty()) {
            let key = key.into_string().ok();
            return check(key.as_deref(), &format!("the environment variable {}", self.key_env));
        }
        let Some(path) = &self.key_file else {
            return Err(Usage::error(format!(
                "no API key: put it into the environment variable {}, or name a file with provider.api_key_file; to try without a key, add --emulate",
                self.key_env
            )));
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| Usage::error(format!("can't read the key file {}: {error}", path.display())))?;
        check(Some(&text), &format!("the key file {}", path.display()))
    }

    /// The door to the API alone.
    pub(super) fn client(&self, key: SecretString) -> anyhow::Result<Client> {
        let base_url = parse(&self.base_url, "base URL", self.private_hosts)?;
        Ok(Client::new(Config::new(base_url, key))?)
    }

    /// Opens the doors; starts the emulator where it stands in, its tasks
    /// kept in `folder`.
    pub(super) async fn connect(
        &self,
        key: SecretString,
        folder: &Path,
        emulator: Options,
    ) -> anyhow::Result<Connection> {
        let emulator = if self.is_emulator() {
            let state = Some(folder.join("emulator"));
            Some(Emulator::start(Options { state, ..emulator }).await?)
        } else {
            None
        };
        let base_url = emulator.as_ref().map_or_else(|| self.base_url.clone(), Emulator::base_url);
        let base_url = parse(&base_url, "base URL", self.private_hosts)?;
        let files_url = match (&emulator, &self.files_url) {
            (Some(_), _) => Some(base_url.clone()),
            (None, Some(url)) => Some(parse(url, "files_url", self.private_hosts)?),
            (None, None) => None,
        };
        let policy = Policy {
            loopback_http: is_loopback(&base_url),
            private_hosts: self.private_hosts,
            ..Policy::default()
        };
        let client = Client::new(Config { files_url, ..Config::new(base_url, key) })?;
        let downloader = Downloader::new(policy).context("can't prepare downloads")?;
        Ok(Connection { client, downloader, emulator })
    }
}

const NO_BASE_URL: &str = "no base URL: name the API's host with --base-url, IMGBATCH_BASE_URL or provider.base_url (there is no default, so that your key goes only to a host that you named); to try without a key, add --emulate";

/// An address that a key may be sent to.
fn parse(text: &str, what: &str, private_hosts: bool) -> anyhow::Result<Url> {
    let url = Url::parse(text).map_err(|error| {
        Usage::error(format!(
            "the {what} {:?} is not a URL ({error}); write it like https://api.example.com",
            shown(text)
        ))
    })?;
    let fault = match url.scheme() {
        "https" | "http" if !url.username().is_empty() || url.password().is_some() => {
            Some("must not carry a user or a password")
        }
        "https" | "http" if url.query().is_some() || url.fragment().is_some() => {
            Some("must not carry a query")
        }
        "https" | "http" if url.path().trim_end_matches('/').ends_with("/v1") => {
            Some("ends with /v1, which is added to it; leave it out")
        }
        "https" => None,
        "http" if is_loopback(&url) || private_hosts => None,
        "http" => Some("is plain http, which would show the key to the network; use https"),
        _ => Some("must begin with https://"),
    };
    match fault {
        Some(fault) => Err(Usage::error(format!("the {what} {:?} {fault}", shown(text)))),
        None => Ok(url),
    }
}

/// An address without the parts in which people put keys.
fn shown(text: &str) -> &str {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    text.rsplit('@').next().unwrap_or_default()
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A key that can stand in a header, without the line end of its file.
fn check(key: Option<&str>, place: &str) -> anyhow::Result<SecretString> {
    let key = key.map(str::trim).unwrap_or_default();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Usage::error(format!("{place} does not hold a key of printable ASCII characters")));
    }
    Ok(SecretString::from(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_only_where_nobody_reads_along() {
        for good in ["https://api.example.com", "http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9"]
        {
            assert!(parse(good, "base URL", false).is_ok(), "{good}");
        }
        for bad in [
            "api.example.com",
            "http://api.example.com",
            "ftp://x",
            "https://k@x.com",
            "https://x.com/v1",
            "https://x.com/?a=b",
        ] {
            assert!(parse(bad, "base URL", false).is_err(), "{bad}");
        }
        assert!(parse("http://10.0.0.7:8080", "base URL", true).is_ok());
    }

    #[test]
    fn keys_are_trimmed_and_checked() {
        assert!(check(Some("abc\n"), "x").is_ok());
        for bad in [None, Some(""), Some(" \n"), Some("a b"), Some("ключ")] {
            assert!(check(bad, "x").is_err(), "{bad:?}");
        }
    }
}
