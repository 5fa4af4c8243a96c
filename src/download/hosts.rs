//! Which addresses may be connected. Judged on the literal in a link and on
//! every address that a name resolves to: either alone can be bypassed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

use super::policy::Policy;

/// What the policy says about addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) loopback: bool,
    pub(super) private: bool,
}

impl Rules {
    pub(super) fn of(policy: &Policy) -> Self {
        Self { loopback: policy.loopback_http, private: policy.private_hosts }
    }

    /// `Err` names the kind of address that is not allowed.
    pub(super) fn judge(self, address: IpAddr) -> Result<(), &'static str> {
        match kind(address) {
            Kind::Public => Ok(()),
            Kind::Loopback if self.loopback || self.private => Ok(()),
            Kind::Loopback => Err("its host is this machine"),
            Kind::Private(_) if self.private => Ok(()),
            Kind::Private(why) | Kind::Never(why) => Err(why),
        }
    }
}

/// The host's name is `localhost` or ends in it (RFC 6761).
pub(super) fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Public,
    Loopback,
    /// Allowed where the manifest allows private hosts.
    Private(&'static str),
    /// Nothing good is ever there; cloud metadata is.
    Never(&'static str),
}

fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        [0, ..] => Kind::Never("its host is the unspecified address"),
        [127, ..] => Kind::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Kind::Private("its host has a private address"),
        [100, 64..=127, ..] => Kind::Private("its host has a carrier's shared address"),
        [169, 254, ..] => Kind::Never("its host has a link-local address"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Kind::Never("its host has a documentation address")
        }
        [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] => {
            Kind::Never("its host has a reserved address")
        }
        [224..=239, ..] => Kind::Never("its host is a multicast address"),
        [240..=255, ..] => Kind::Never("its host has a reserved address"),
        _ => Kind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    if let Some(inner) = address.to_ipv4_mapped().or_else(|| behind_nat64(address)) {
        return match kind_v4(inner) {
            Kind::Never(why) => Kind::Never(why),
            _ => Kind::Private("its host is an IPv4 address in the clothes of IPv6"),
        };
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Kind::Never("its host is the unspecified address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Loopback,
        [0xfc00..=0xfdff, ..] => Kind::Private("its host has a private address"),
        [0xfe80..=0xfebf, ..] => Kind::Never("its host has a link-local address"),
        [0xff00..=0xffff, ..] => Kind::Never("its host is a multicast address"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Kind::Never("its host has a documentation address"),
        // Teredo and the rest of 2001::/23, and 6to4, carry other addresses.
        [0x2001, 0..=0x1ff, ..] | [0x2002, ..] => Kind::Never("its host has a reserved address"),
        [0x2000..=0x3fff, ..] => Kind::Public,
        _ => Kind::Never("its host has a reserved address"),
    }
}

/// The address behind the well-known prefix `64:ff9b::/96`.
fn behind_nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

/// Resolves names and keeps the addresses that the rules allow.
///
/// Behind a proxy from the environment the proxy resolves the links' names:
/// then the literals alone are judged here and the rest is the proxy's duty.
#[derive(Debug)]
pub(super) struct Guard {
    rules: Rules,
    /// Host names of proxies; the user named them, private or not.
    proxies: Vec<String>,
}

impl Guard {
    pub(super) fn new(rules: Rules) -> Self {
        let variables = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
        let proxies = variables.iter().filter_map(|name| proxy_host(&std::env::var(name).ok()?)).collect();
        Self { rules, proxies }
    }
}

/// The host in a proxy's address, which may lack its scheme.
fn proxy_host(address: &str) -> Option<String> {
    let parsed =
        if address.contains("://") { Url::parse(address) } else { Url::parse(&format!("http://{address}")) };
    parsed.ok()?.host_str().map(str::to_owned)
}

/// A name that leads only to refused addresses; found again in the chain of
/// causes of an HTTP error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) &'static str);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = self.rules;
        let trusted = self.proxies.iter().any(|proxy| proxy.eq_ignore_ascii_case(name.as_str()));
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            if trusted {
                return Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs);
            }
            let allowed = filter(rules, name.as_str(), found)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn filter(
    rules: Rules,
    name: &str,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
    // Only localhost itself may be this machine: a stranger's name may not.
    let rules = Rules { loopback: rules.loopback && is_localhost(name), ..rules };
    let (mut allowed, mut refused) = (Vec::new(), None);
    for address in found {
        // On networks without IPv4 the resolver itself puts the public ones behind NAT64.
        let judged = match address.ip() {
            IpAddr::V6(inner) => behind_nat64(inner).map_or(address.ip(), IpAddr::V4),
            IpAddr::V4(_) => address.ip(),
        };
        match rules.judge(judged) {
            Ok(()) => allowed.push(address),
            Err(why) => refused = Some(why),
        }
    }
    match refused {
        _ if !allowed.is_empty() => Ok(allowed),
        Some(why) => Err(Box::new(Refused(why))),
        None => Err(Box::new(io::Error::new(io::ErrorKind::NotFound, "the host has no address"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Rules = Rules { loopback: false, private: false };

    #[test]
    fn public_addresses_pass_and_all_others_do_not() {
        for good in ["8.8.8.8", "100.63.0.1", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "2001:4860::8888"]
        {
            assert_eq!(STRICT.judge(good.parse().unwrap()), Ok(()), "{good}");
        }
        for bad in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::ffff:10.0.0.1",
            "::8.8.8.8",
            "64:ff9b::8.8.8.8",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:a00:1::",
            "100::1",
            "3fff::1",
            "5f00::1",
        ] {
            assert!(STRICT.judge(bad.parse().unwrap()).is_err(), "{bad}");
        }
    }

    #[test]
    fn private_hosts_never_include_metadata() {
        let rules = Rules { loopback: false, private: true };
        for good in ["10.0.0.1", "127.0.0.1", "100.64.0.1", "fd12::1", "::1", "::ffff:10.0.0.1"] {
            assert_eq!(rules.judge(good.parse().unwrap()), Ok(()), "{good}");
        }
        for bad in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "0.0.0.0",
            "224.0.0.1",
            "fe80::1",
        ] {
            assert!(rules.judge(bad.parse().unwrap()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_proxy_is_known_by_its_host() {
        for (address, host) in [
            ("http://proxy.corp:3128", Some("proxy.corp")),
            ("proxy.corp:3128", Some("proxy.corp")),
            ("http://me:secret@proxy.corp/", Some("proxy.corp")),
            ("", None),
        ] {
            assert_eq!(proxy_host(address).as_deref(), host, "{address}");
        }
    }

    #[test]
    fn a_name_keeps_its_allowed_addresses() {
        let resolve = |rules, name, found: &[&str]| {
            let found = found.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0));
            filter(rules, name, found)
                .map(|all| all.iter().map(|one| one.ip().to_string()).collect::<Vec<_>>())
        };
        assert_eq!(resolve(STRICT, "a.example", &["10.0.0.1", "8.8.8.8"]).unwrap(), ["8.8.8.8"]);
        assert_eq!(resolve(STRICT, "a.example", &["64:ff9b::808:808"]).unwrap(), ["64:ff9b::808:808"]);
        let refused = resolve(STRICT, "a.example", &["64:ff9b::a00:1"]).unwrap_err();
        assert!(refused.is::<Refused>());
        assert!(!resolve(STRICT, "a.example", &[]).unwrap_err().is::<Refused>());
        let loopback = Rules { loopback: true, private: false };
        assert!(resolve(loopback, "localhost", &["127.0.0.1"]).is_ok());
        assert!(resolve(loopback, "evil.example", &["127.0.0.1"]).is_err());
    }
}
