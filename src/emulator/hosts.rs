//! Which hosts are this machine, and which are inside some network.

use std::net::{IpAddr, Ipv4Addr};

use url::{Host, Url};

/// Whether the URL names this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Whether the URL names an address that the public can't reach. Names are
/// judged by their ends, not resolved; one without a dot is a neighbour's.
pub(super) fn is_internal(url: &Url) -> bool {
    let ip = match url.host() {
        None => return true,
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            let inside = [".localhost", ".local", ".internal"].iter().any(|end| name.ends_with(end));
            return inside || !name.contains('.');
        }
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => ip.to_canonical(),
    };
    match ip {
        IpAddr::V4(ip) => is_internal_v4(ip),
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
    }
}

fn is_internal_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    a == 0
        || a >= 224
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || (a == 100 && (64..128).contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_addresses_are_told_apart() {
        let internal = |text: &str| is_internal(&Url::parse(text).unwrap());
        for inside in [
            "http://127.0.0.1/",
            "http://10.1.2.3/",
            "http://172.16.0.1/",
            "http://192.168.1.1/",
            "http://169.254.169.254/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://localhost/",
            "http://localhost./",
            "http://2130706433/",
            "http://0/",
            "http://neighbour:8080/",
            "http://printer.local/",
            "http://255.255.255.255/",
        ] {
            assert!(internal(inside), "{inside}");
        }
        for outside in ["https://example.com/", "http://172.32.0.1/", "http://8.8.8.8/"] {
            assert!(!internal(outside), "{outside}");
        }
    }
}
