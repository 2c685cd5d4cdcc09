//! TLS with the operating system's certificates.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::time::timeout;

use crate::platform::native::thread::run_on_thread;

/// How long the certificate store may take to load. It may be on a network drive that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Builds the TLS configuration for the socket and for requests, or returns the reason that there is none. It
/// reads from the disk.
pub(crate) async fn load_tls() -> Result<ClientConfig, String> {
    let config = timeout(PATIENCE, run_on_thread("xsolla-tls", build));
    match config.await {
        Ok(Ok(config)) => config.map_err(|error| error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the certificates take too long to load".to_owned()),
    }
}

fn build() -> Result<ClientConfig, rustls::Error> {
    // The crypto provider is named, because the process-wide default is for the game to choose.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth())
}
