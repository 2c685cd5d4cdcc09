//! Work that runs beside the machine, which does not know of it.

use std::sync::Arc;

#[cfg(feature = "webhook")]
use tokio::sync::mpsc;

#[cfg(feature = "webhook")]
use crate::ledger::Writer;
#[cfg(feature = "webhook")]
use crate::machine::input::Input;
use crate::platform::http::Network;
#[cfg(feature = "webhook")]
use crate::tracker::receipts::Receipts;

/// What the task has to give to other work.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) network: Arc<Network>,
    #[cfg(feature = "webhook")]
    pub(in crate::tracker) inbox: mpsc::Sender<Input>,
    #[cfg(feature = "webhook")]
    pub(in crate::tracker) ledger: Option<Writer>,
    #[cfg(feature = "webhook")]
    pub(in crate::tracker) receipts: Arc<Receipts>,
}

/// Starts other work. It is a value, so that a game which never makes one has nothing of what it does in its program.
pub(crate) type Start = Box<dyn FnOnce(Services) + Send>;
