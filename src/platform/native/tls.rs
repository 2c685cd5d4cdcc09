//! TLS with the operating system's certificates.

use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::time::timeout;

use crate::platform::native::thread::run_on_thread;

/// How long a certificate store may take; a network drive may hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// One TLS configuration, for the socket and for requests; or why there is none. Takes the disk's time.
pub(crate) async fn load_tls() -> Result<ClientConfig, String> {
    let config = timeout(PATIENCE, run_on_thread("xsolla-tls", build));
    match config.await {
        Ok(Ok(config)) => config.map_err(|error| error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the certificates take too long to load".to_owned()),
    }
}

/// For connections that are not encrypted.
pub(crate) fn no_roots() -> Result<ClientConfig, rustls::Error> {
    Ok(builder()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn build() -> Result<ClientConfig, rustls::Error> {
    Ok(builder()?.with_platform_verifier()?.with_no_client_auth())
}

/// With the crypto provider named: the process-wide default is the game's to choose.
fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
}
