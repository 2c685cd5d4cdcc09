//! TLS with the operating system's certificates.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::time::timeout;

use crate::platform::native::joint::Joint;

/// How long the certificate store may take to load. It may be on a network drive that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

static LOADING: Joint<Result<Arc<ClientConfig>, String>> = Joint::new("xsolla-tls");

/// Builds the TLS configuration for the socket and for requests, or returns the reason that there is none. It
/// reads from the disk.
pub(crate) async fn load_tls() -> Result<Arc<ClientConfig>, String> {
    let build = |_: &str| build().map(Arc::new).map_err(|error| error.to_string());
    match timeout(PATIENCE, LOADING.run("certificates", build)).await {
        Ok(config) => config.map_err(|error| error.to_string())?,
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
