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
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

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

    /// Somewhere in a network that must not be reached.
    fn inner() -> impl Strategy<Value = Ipv4Addr> {
        let networks = vec![
            (0x0000_0000, 8),
            (0x0a00_0000, 8),
            (0x6440_0000, 10),
            (0x7f00_0000, 8),
            (0xa9fe_0000, 16),
            (0xac10_0000, 12),
            (0xc0a8_0000, 16),
            (0xc612_0000, 15),
            (0xe000_0000, 3),
        ];
        (prop::sample::select(networks), any::<u32>())
            .prop_map(|((network, bits), host)| Ipv4Addr::from_bits(network | host & (u32::MAX >> bits)))
    }

    /// Every way to write an address that some parser takes.
    fn spellings(address: Ipv4Addr) -> Vec<String> {
        let ([a, b, c, d], bits) = (address.octets(), address.to_bits());
        let (high, low) = (bits >> 16, bits & 0xffff);
        let wide = |text: &str| -> String {
            text.chars().map(|c| char::from_u32(u32::from(c) - 0x30 + 0xff10).unwrap_or(c)).collect()
        };
        let plain = address.to_string();
        vec![
            plain.clone(),
            format!("{plain}."),
            format!("{bits}"),
            format!("0x{bits:x}"),
            format!("0X{bits:08X}"),
            format!("0{bits:o}"),
            format!("{a}.{}", bits & 0xff_ffff),
            format!("{a}.{b}.{low}"),
            format!("0x{a:x}.0{b:o}.{c}.0x{d:x}"),
            format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
            plain.replace('.', "。"),
            plain.split('.').map(wide).collect::<Vec<_>>().join("．"),
            plain.bytes().flat_map(|byte| format!("%{byte:02x}").into_bytes()).map(char::from).collect(),
            format!("[::ffff:{plain}]"),
            format!("[::ffff:{high:x}:{low:x}]"),
            format!("[::{plain}]"),
            format!("[64:ff9b::{plain}]"),
            format!("[2002:{high:x}:{low:x}::]"),
            format!("[0:0:0:0:0:ffff:{high:x}:{low:x}]"),
        ]
    }

    /// Pieces of links that mean harm, and of good ones.
    fn link() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            prop::sample::select(vec![
                "https://",
                "http://",
                "HTTPS:",
                "https:\\\\",
                "file://",
                "//",
                "/",
                "\\",
                "@",
                ":",
                "?",
                "#",
                "%00",
                "[::1]",
                "127.1",
                "localhost",
                "LOCALHOST.",
                "a.localhost",
                "files.example",
                "8.8.8.8",
                ":443",
                " ",
                "\t",
                "\n",
                "me:secret@",
                "xn--",
                "①",
                "。",
            ])
            .prop_map(str::to_owned),
            any::<char>().prop_map(String::from),
            any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).to_string()),
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_spelling_of_an_inner_address_passes(address in inner(), port in 1..=u16::MAX) {
            for host in spellings(address) {
                for link in [format!("https://{host}/"), format!("https://{host}:{port}/a.png")] {
                    prop_assert!(check(&link, STRICT).is_err(), "{} passed", link);
                }
            }
        }

        #[test]
        fn what_passes_is_https_to_a_public_host(link in prop_oneof![link(), link().prop_map(|end| format!("https://{end}"))]) {
            if let Ok(url) = check(&link, STRICT) {
                prop_assert_eq!((url.scheme(), url.username(), url.password()), ("https", "", None));
                match url.host().unwrap() {
                    Host::Ipv4(address) => prop_assert!(
                        !(address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast()
                            || address.is_broadcast() || address.is_documentation() || address.is_unspecified()),
                        "{}", link
                    ),
                    Host::Ipv6(address) => prop_assert_eq!(address.segments()[0] >> 13, 1, "{}", link),
                    Host::Domain(name) => prop_assert!(name.trim_end_matches('.').rsplit('.').next() != Some("localhost"), "{}", link),
                }
            }
        }

        #[test]
        fn a_loopback_base_url_opens_nothing_but_this_machine(link in prop_oneof![link().prop_map(|end| format!("http://{end}")), link().prop_map(|end| format!("https://{end}"))]) {
            if let (Ok(url), Err(_)) = (check(&link, LOCAL), check(&link, STRICT)) {
                prop_assert!(is_this_machine(&url.host().unwrap()), "{}", link);
            }
        }
    }
}
