//! The certificates that servers are checked with: Mozilla's list, which is a part of the game.
//!
//! The system's own verifier is a class of Java. It would have to be called through JNI, and helped by a class that each
//! game adds to its Gradle build; without that, each connection would end in a panic.

use rustls::client::WantsClientCert;
use rustls::{ClientConfig, ConfigBuilder, Error, RootCertStore, WantsVerifier};

/// Has servers checked with the list.
pub(crate) fn check_servers(
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    Ok(builder.with_root_certificates(roots))
}
