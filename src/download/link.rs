//! Whether a link may be followed at all; no network is touched.

use std::net::IpAddr;

use url::{Host, Url};

use super::error::FetchError;
use super::hosts::{Rules, is_localhost};

/// Signed links have some hundred characters.
const LONGEST: usize = 8192;

/// The parsed link, or the rule that it breaks. Odd spellings of addresses
/// (`2130706433`, `0x7f.1`) are plain ones after parsing.
pub(super) fn check(link: &str, rules: Rules) -> Result<Url, FetchError> {
    let forbidden = |why: &str| FetchError::Forbidden { why: why.to_owned() };
    if link.len() > LONGEST {
        return Err(forbidden("it has more than 8,192 characters"));
    }
    let url = Url::parse(link).map_err(|error| forbidden(&format!("it is no URL ({error})")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(forbidden("it carries a user or password"));
    }
    let host = url.host().ok_or_else(|| forbidden("it names no host"))?;
    match url.scheme() {
        "https" => {}
        "http" if rules.loopback && (rules.private || is_this_machine(&host)) => {}
        "http" => return Err(forbidden("it is not encrypted (http)")),
        _ => return Err(forbidden("it is not https")),
    }
    let verdict = match host {
        Host::Ipv4(address) => rules.judge(IpAddr::V4(address)),
        Host::Ipv6(address) => rules.judge(IpAddr::V6(address)),
        Host::Domain(name) if is_localhost(name) && !rules.loopback && !rules.private => {
            Err("its host is this machine")
        }
        Host::Domain(_) => Ok(()),
    };
    verdict.map_err(forbidden)?;
    Ok(url)
}

fn is_this_machine(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(name) => is_localhost(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Rules = Rules { loopback: false, private: false };
    const LOCAL: Rules = Rules { loopback: true, private: false };

    #[test]
    fn https_on_public_hosts_passes() {
        for link in [
            "https://files.example/a.png?X-Sig=%2F",
            "https://files.example:8443/a",
            "HTTPS://FILES.example/a",
            "https://8.8.8.8/a",
            "https://[2606:4700::1111]/a",
        ] {
            assert!(check(link, STRICT).is_ok(), "{link}");
        }
    }

    #[test]
    fn a_loopback_base_url_allows_http_to_this_machine_only() {
        for link in
            ["http://127.0.0.1:8080/a", "http://localhost:1/a", "http://[::1]:1/a", "https://127.0.0.1/a"]
        {
            assert!(check(link, LOCAL).is_ok(), "{link}");
            assert!(check(link, STRICT).is_err(), "{link}");
        }
        for link in ["http://8.8.8.8/a", "http://files.example/a", "http://10.0.0.1/a", "https://10.0.0.1/a"]
        {
            assert!(check(link, LOCAL).is_err(), "{link}");
        }
    }
}
