//! What leads to the server: its address, TLS, and the two ways of talking to it.

use crate::failure::Failure;
use reqwest::Url;
use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt;
use std::sync::Arc;

/// Cheap to clone.
#[derive(Clone)]
pub struct Network {
    pub server: Url,
    pub tls: Arc<ClientConfig>,
    pub http: reqwest::Client,
}

impl Network {
    pub fn new(server: Url) -> Result<Self, Failure> {
        let failed = |what: String| Failure::new(format!("TLS could not be set up: {what}"));
        // The roots that the system trusts, so that a company's own authority works.
        let tls = ClientConfig::with_platform_verifier().map_err(|error| failed(error.to_string()))?;
        let http = super::http::client(tls.clone()).map_err(|error| failed(error.to_string()))?;
        Ok(Self { server, tls: Arc::new(tls), http })
    }

    /// The address of a path of the API; a server may live below a path of its own.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_live_below_a_path() {
        for (server, url) in [
            ("http://localhost:3000", "http://localhost:3000/v1/me?x=1"),
            ("https://example.org/chat/", "https://example.org/chat/v1/me?x=1"),
        ] {
            let _ = rustls::crypto::ring::default_provider().install_default();
            assert_eq!(Network::new(Url::parse(server).unwrap()).unwrap().url("/v1/me?x=1"), url);
        }
    }
}
