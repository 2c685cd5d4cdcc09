//! The TLS configuration.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::time::timeout;

use crate::platform::certificates;
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
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(certificates::check_servers(builder)?.with_no_client_auth())
}
