//! Links that mean harm: refused before anything is connected, on every hop.

use super::*;
use crate::download::{hosts, stream};

/// The port of a live server stands in for `PORT`: it must see nothing.
const HOSTILE: [&str; 48] = [
    "http://127.0.0.1:PORT/",
    "https://127.0.0.1:PORT/",
    "https://localhost:PORT/",
    "https://LOCALHOST:PORT/",
    "https://localhost.:PORT/",
    "https://a.localhost:PORT/",
    "https://2130706433:PORT/",
    "https://0x7f000001:PORT/",
    "https://0x7f.1:PORT/",
    "https://0177.0.0.1:PORT/",
    "https://127.1:PORT/",
    "https://127.0.1:PORT/",
    "https://127.0.0.1.:PORT/",
    "https://127.255.255.254:PORT/",
    "https://0:PORT/",
    "https://0.0.0.0:PORT/",
    "https://[::1]:PORT/",
    "https://[::]:PORT/",
    "https://[::ffff:127.0.0.1]:PORT/",
    "https://[::ffff:7f00:1]:PORT/",
    "https://[::127.0.0.1]:PORT/",
    "https://[64:ff9b::7f00:1]:PORT/",
    "https://[::ffff:10.0.0.1]:PORT/",
    "https://[0:0:0:0:0:0:0:1]:PORT/",
    "https://①②⑦.⓪.⓪.①:PORT/",
    "https://127。0。0。1:PORT/",
    "https://%31%32%37.0.0.1:PORT/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.0.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fe80::1]/",
    "https://[fd00::1]/",
    "https://[fd00:ec2::254]/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://198.51.100.7/",
    "https://me:secret@files.example/",
    "https://key@files.example/",
    "http://files.example/",
    "ftp://files.example/",
    "file:///etc/passwd",
    "data:image/png;base64,AAAA",
    "//127.0.0.1:PORT/",
    "javascript:alert(1)",
    "",
    "https://",
];

fn hostile(port: u16) -> Vec<String> {
    let mut links: Vec<String> = HOSTILE.iter().map(|link| link.replace("PORT", &port.to_string())).collect();
    links.push(format!("https://files.example/{}", "x".repeat(8192)));
    links
}

#[tokio::test]
async fn hostile_links_connect_nothing() {
    let stub = Stub::start([("/", ok(&picture(ImageFormat::Png)))]).await;
    let port = stub.url.rsplit(':').next().unwrap().parse().unwrap();
    let (out, strict) = (TempDir::new().unwrap(), downloader(Policy::default()));
    for link in hostile(port) {
        let result = strict.fetch(&link, out.path(), &OutPath::new("x").unwrap(), None).await;
        let Err(FetchError::Forbidden { why }) = &result else { panic!("{link}: {result:?}") };
        assert!(!why.contains("secret"), "{why}");
    }
    assert_eq!(stub.requests(), [] as [String; 0]);
}

#[tokio::test]
async fn hostile_redirects_connect_nothing_further() {
    let other = Stub::start([("/", ok(&picture(ImageFormat::Png)))]).await;
    let port: u16 = other.url.rsplit(':').next().unwrap().parse().unwrap();
    for link in hostile(port) {
        // A loopback base URL allows these, and a relative link is the first host again.
        let loopback = link.contains(":PORT") || link.contains(&port.to_string()) || link.is_empty();
        if loopback {
            continue;
        }
        let answer = head(302, &format!("location: {link}\r\n"));
        let room = Room::with(policy(), [("/a", answer)]).await;
        let error = room.fetch("/a", "fox").await.unwrap_err();
        assert!(matches!(error, FetchError::Forbidden { .. }), "{link}: {error:?}");
        assert_eq!(room.stub.requests().len(), 1, "{link}");
    }
    assert_eq!(other.requests(), [] as [String; 0]);
}

#[tokio::test]
async fn a_name_that_resolves_to_this_machine_is_refused_by_the_resolver() {
    let stub = Stub::start([("/", head(404, ""))]).await;
    let port: u16 = stub.url.rsplit(':').next().unwrap().parse().unwrap();
    // Past the check of the link: the guard alone must hold.
    let rules = hosts::Rules { loopback: false, private: false };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client =
        reqwest::Client::builder().no_proxy().dns_resolver(hosts::Guard::new(rules)).build().unwrap();
    let loose = hosts::Rules { loopback: true, private: true };
    let error = stream::open(&client, &format!("http://localhost:{port}/"), loose).await.unwrap_err();
    assert!(matches!(error, FetchError::Forbidden { .. }), "{error:?}");
    assert_eq!(stub.requests(), [] as [String; 0]);
}
