//! The emulator itself: its start, its end, and its addresses.

use std::fmt;
use std::io;
use std::sync::Arc;

use bevy::prelude::Resource;

use crate::emulator::http::paths;
use crate::emulator::http::server::Server;
use crate::emulator::world::ids::PROJECT_ID;
use crate::emulator::world::shared::Shared;
use crate::model::config::XsollaConfig;
use crate::model::ledger::Ledger;

/// A local stand-in for Xsolla's servers. The [module](crate::emulator) tells what it does, with a worked
/// example.
///
/// Every method can be called from any thread, takes effect before it returns unless it says
/// otherwise, and does not wait for the network. A clone is a handle to the same emulator. Dropping the
/// last one closes every connection and frees the port; a resource lives as long as its app.
#[derive(Clone, Resource)]
pub struct XsollaEmulator {
    pub(super) shared: Shared,
    server: Arc<Server>,
}

impl XsollaEmulator {
    /// Starts the server.
    ///
    /// # Panics
    ///
    /// [`try_start`](Self::try_start) fails.
    #[track_caller]
    #[expect(
        clippy::panic,
        reason = "without a loopback no test can run, and each would say the same"
    )]
    pub fn start() -> Self {
        match Self::try_start() {
            Ok(emulator) => emulator,
            Err(error) => panic!("the emulator cannot start: {error}"),
        }
    }

    /// Starts the server.
    ///
    /// # Errors
    ///
    /// The system has no port on the loopback, or no thread, to give.
    pub fn try_start() -> io::Result<Self> {
        let shared = Shared::default();
        let server = Server::start(shared.clone())?;
        Ok(Self {
            shared,
            server: Arc::new(server),
        })
    }

    /// The configuration of a game that is to use the emulator. It has the emulator's project and addresses, the
    /// usual timings, and no ledger, because the emulator's orders are gone with it.
    pub fn config(&self) -> XsollaConfig {
        let mut config = XsollaConfig::new(self.project_id());
        config.store_url = self.store_url();
        config.socket_url = self.socket_url();
        config.events_url = self.events_url();
        config.ledger = Ledger::disabled();
        config.open_payment_page = false;
        config.payment_url = self.url("http", paths::PAYMENT_PAGE);
        config.sandbox_payment_url = self.url("http", paths::SANDBOX_PAYMENT_PAGE);
        config
    }

    /// The address for [`XsollaConfig::store_url`].
    pub fn store_url(&self) -> String {
        self.url("http", paths::STORE)
    }

    /// The address for [`XsollaConfig::socket_url`].
    pub fn socket_url(&self) -> String {
        self.url("ws", paths::SOCKET)
    }

    /// The address for [`XsollaConfig::events_url`].
    pub fn events_url(&self) -> String {
        self.url("http", paths::EVENTS)
    }

    /// The id of the one project that the emulator knows.
    pub fn project_id(&self) -> u64 {
        PROJECT_ID
    }

    pub(super) fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://{}{path}", self.server.address())
    }
}

impl fmt::Debug for XsollaEmulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("XsollaEmulator")
            .field("address", &self.server.address())
            .field("orders", &state.orders.len())
            .field("open_sockets", &state.sockets.count_open())
            .finish_non_exhaustive()
    }
}
