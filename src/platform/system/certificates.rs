//! The certificates that servers are checked with: the system's.

use rustls::client::WantsClientCert;
use rustls::{ClientConfig, ConfigBuilder, Error, WantsVerifier};
use rustls_platform_verifier::BuilderVerifierExt;

/// Has the system's verifier check servers. It may read from the disk.
pub(crate) fn check_servers(
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    builder.with_platform_verifier()
}
