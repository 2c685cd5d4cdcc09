//! TLS with the operating system's certificates.

use std::sync::Arc;

use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_platform_verifier::BuilderVerifierExt;

use super::on_own_thread;

/// One TLS configuration, for the socket and for requests; or why there is none.
#[derive(Clone, Debug)]
pub(crate) struct Tls(Result<Arc<ClientConfig>, Arc<str>>);

impl Tls {
    /// Loads the certificates, which takes the disk's time.
    pub(crate) async fn load() -> Self {
        let config = match on_own_thread("xsolla-tls", build).await {
            Ok(Ok(config)) => Ok(Arc::new(config)),
            Ok(Err(error)) => Err(error.to_string().into()),
            Err(error) => Err(error.to_string().into()),
        };
        if let Err(problem) = &config {
            log::warn!("no encrypted connection is possible: {problem}");
        }
        Self(config)
    }

    /// The configuration for the socket, or why there can be no encrypted connection.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, String> {
        self.0.clone().map_err(|problem| problem.to_string())
    }

    /// The configuration for reqwest, which wants one even if all it ever reaches is loopback.
    /// Without certificates it is one that trusts nobody.
    pub(crate) fn config_for_requests(&self) -> Result<ClientConfig, rustls::Error> {
        match &self.0 {
            Ok(config) => Ok((**config).clone()),
            Err(_) => Ok(builder()?
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth()),
        }
    }
}

fn build() -> Result<ClientConfig, rustls::Error> {
    Ok(builder()?.with_platform_verifier()?.with_no_client_auth())
}

/// With the crypto provider named: the process-wide default is the game's to choose.
fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
}
