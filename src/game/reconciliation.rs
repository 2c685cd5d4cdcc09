//! The command that compares Xsolla's orders with the ledger's.

use std::sync::Arc;

use bevy::prelude::{Commands, World};

use crate::game::commands::with_tracking;
use crate::machine::input::Input;
use crate::model::config::XsollaConfig;
use crate::model::error::RequestError;
use crate::model::reconciliation::{Reconciled, Reconciliation, ReconciliationError};
use crate::platform::runtime;
use crate::tracker::source::reconciliation;

/// The command that compares orders, which extends [`Commands`].
pub trait ReconciliationCommands {
    /// Asks Xsolla for all orders of the project that were made in a time, and compares them with the ledger. The answer
    /// is one [`Reconciled`].
    ///
    /// Use it after an outage, or each day for the day before: a webhook is not sent for ever, and whoever was away for
    /// longer finds here what they missed. The ledger has to be one that can look orders up:
    /// [`Ledger::at`](crate::Ledger::at), [`Ledger::postgres`](crate::Ledger), or a [store](crate::LedgerStore) with
    /// [`find`](crate::LedgerStore::find).
    fn reconcile(&mut self, what: Reconciliation);
}

impl ReconciliationCommands for Commands<'_, '_> {
    fn reconcile(&mut self, what: Reconciliation) {
        self.queue(move |world: &mut World| {
            let config = world.get_resource::<XsollaConfig>().cloned();
            with_tracking(world, move |_, tracking| match config {
                Some(config) => tracking.handle.start(|services| {
                    let config = Arc::new(config);
                    runtime::spawn(reconciliation::run(what, config, services));
                }),
                None => {
                    let error = ReconciliationError::Search(RequestError::NotConfigured);
                    tracking.handle.send(Input::Reconciled(Box::new(Reconciled {
                        created: what.created,
                        compared: 0,
                        findings: Vec::new(),
                        error: Some(error),
                    })));
                }
            });
        });
    }
}
