//! TLS as the connections to the provider and to its pictures use it.

use std::sync::OnceLock;
use std::thread;

use reqwest::ClientBuilder;
use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt;

/// Makes a client check certificates as this machine does. The machine's
/// certificates are read once and not by each client, which would take it some
/// milliseconds.
pub(crate) fn shared(builder: ClientBuilder) -> ClientBuilder {
    match known() {
        Some(config) => builder.tls_backend_preconfigured(config.clone()),
        // Built by itself, it fails for the same reason and can say which.
        None => builder,
    }
}

/// Begins to read the machine's certificates, for which the first client would
/// wait.
pub(crate) fn begin() {
    // Where no thread can be had, the first client waits.
    let _ = thread::Builder::new().spawn(known);
}

fn known() -> Option<&'static ClientConfig> {
    static CONFIG: OnceLock<Option<ClientConfig>> = OnceLock::new();
    CONFIG.get_or_init(|| config().ok()).as_ref()
}

fn config() -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::with_platform_verifier()?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
