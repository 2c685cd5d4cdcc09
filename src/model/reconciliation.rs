//! The comparison of the orders that Xsolla knows with those that the ledger has.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bevy::prelude::{Event, Message};
use thiserror::Error;

use crate::model::error::RequestError;
use crate::model::ledger::LedgerError;
use crate::model::order::{OrderId, OrderStatus};
use crate::model::record::LedgerEntry;
use crate::model::user::UserId;

/// The key of a project or a merchant, with which a server asks Xsolla for the orders of all players. It is made in
/// Publisher Account, and belongs to the server alone. It is not shown in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreKey {
    id: u64,
    api_key: Arc<str>,
}

impl StoreKey {
    /// Creates the key of the project or the merchant with this id.
    pub fn new(id: u64, api_key: impl AsRef<str>) -> Self {
        Self {
            id,
            api_key: api_key.as_ref().trim().into(),
        }
    }

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> String {
        let encoded = STANDARD.encode(format!("{}:{}", self.id, self.api_key));
        format!("Basic {encoded}")
    }

    /// Removes the key from a text that comes from outside.
    pub(crate) fn redact(&self, text: String) -> String {
        let header = self.header();
        let encoded = header.trim_start_matches("Basic ");
        let mut text = text.replace(encoded, "[hidden]");
        if !self.api_key.is_empty() {
            text = text.replace(&*self.api_key, "[hidden]");
        }
        text
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreKey({}, [hidden])", self.id)
    }
}

/// What [`reconcile`](crate::reconciliation::ReconciliationCommands::reconcile) compares: the orders that were made in
/// this time.
///
/// Let the time end some minutes ago. Orders that are being paid are on their way, and are listed as missing until their
/// news is here.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reconciliation {
    /// The time in which the orders were made.
    pub created: Range<SystemTime>,
    /// The key to ask with.
    pub key: StoreKey,
    /// Whether what is missing is granted, as [`OrderDone`](crate::OrderDone), and what was refunded is told, as
    /// [`OrderCanceled`](crate::OrderCanceled). The default is `false`: it is only listed.
    pub grants: bool,
    /// Makes the id of a player from the text that Xsolla has. The default is [`UserId::from_subject`]. It has to be
    /// that of the webhooks.
    pub user_id: fn(&str) -> UserId,
}

impl Reconciliation {
    /// Compares the orders that were made in this time, and lists what differs.
    pub fn new(created: Range<SystemTime>, key: StoreKey) -> Self {
        Self {
            created,
            key,
            grants: false,
            user_id: UserId::from_subject,
        }
    }

    /// Grants what is missing, and tells what was refunded.
    #[must_use]
    pub fn granting(mut self) -> Self {
        self.grants = true;
        self
    }
}

/// A comparison has ended. It is sent once for each.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct Reconciled {
    /// The time in which the orders were made.
    pub created: Range<SystemTime>,
    /// The number of orders that were compared.
    pub compared: usize,
    /// What differs.
    pub findings: Vec<Finding>,
    /// The reason that it ended early. What was compared before that counts.
    pub error: Option<ReconciliationError>,
}

/// An order of which Xsolla and the ledger say different things.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The order.
    pub order_id: OrderId,
    /// The player whose order it is, if Xsolla names one.
    pub user: Option<UserId>,
    /// What Xsolla says.
    pub status: OrderStatus,
    /// What the ledger has; `None` if it does not know the order.
    pub entry: Option<LedgerEntry>,
    /// What differs.
    pub difference: Difference,
    /// Whether it was granted or told for that. Where the comparison was to do so and this is `false`, Xsolla names no
    /// player or no items of it.
    pub is_mended: bool,
}

/// What differs between Xsolla and the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Difference {
    /// It is paid, and the ledger does not know it.
    Unknown,
    /// It is paid, and the game has not acknowledged that it was granted.
    Missing,
    /// It was refunded, and was granted.
    Refunded,
    /// It was granted, and is not paid.
    Unpaid,
}

impl Difference {
    /// Compares what Xsolla says of an order with what the ledger has.
    pub(crate) fn between(status: &OrderStatus, entry: Option<LedgerEntry>) -> Option<Self> {
        // The ledger knows no more of it than that it is not to be discovered.
        let entry = entry.filter(|entry| *entry != LedgerEntry::Past);
        let was_granted = matches!(
            entry,
            Some(LedgerEntry::Granted | LedgerEntry::Acknowledged)
        );
        match (status, entry) {
            (OrderStatus::Paid | OrderStatus::Done, None) => Some(Self::Unknown),
            (OrderStatus::Paid | OrderStatus::Done, Some(entry)) => {
                entry.is_open().then_some(Self::Missing)
            }
            (OrderStatus::Canceled, _) => was_granted.then_some(Self::Refunded),
            (OrderStatus::New | OrderStatus::Expired, _) => was_granted.then_some(Self::Unpaid),
            // Its meaning is not known.
            (OrderStatus::Other(_), _) => None,
        }
    }
}

/// The reason that a comparison ended early.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReconciliationError {
    /// Xsolla's order search could not be asked.
    #[error("the orders cannot be searched: {0}")]
    Search(RequestError),
    /// The ledger could not be asked.
    #[error("{0}")]
    Ledger(LedgerError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_nowhere_and_taken_out_of_what_servers_repeat() {
        let key = StoreKey::new(77640, " geheim ");
        assert_eq!(key.header(), "Basic Nzc2NDA6Z2VoZWlt");
        assert_eq!(format!("{key:?}"), "StoreKey(77640, [hidden])");
        let text = key.redact("no key geheim, no Nzc2NDA6Z2VoZWlt".to_owned());
        assert_eq!(text, "no key [hidden], no [hidden]");
        assert_eq!(StoreKey::new(1, "").redact("text".to_owned()), "text");
    }

    #[test]
    fn what_differs_is_what_was_paid_and_not_granted_or_granted_and_not_paid() {
        use LedgerEntry::{Acknowledged, Canceled, Granted, Open, Past};

        let entries = [
            None,
            Some(Open),
            Some(Granted),
            Some(Acknowledged),
            Some(Canceled),
            Some(Past),
        ];
        let (unknown, missing) = (Some(Difference::Unknown), Some(Difference::Missing));
        let (refunded, unpaid) = (Some(Difference::Refunded), Some(Difference::Unpaid));
        for (status, expected) in [
            ("paid", [unknown, missing, missing, None, None, unknown]),
            ("done", [unknown, missing, missing, None, None, unknown]),
            ("canceled", [None, None, refunded, refunded, None, None]),
            ("new", [None, None, unpaid, unpaid, None, None]),
            ("expired", [None, None, unpaid, unpaid, None, None]),
            ("held", [None; 6]),
        ] {
            let status = OrderStatus::parse(status);
            let found = entries.map(|entry| Difference::between(&status, entry));
            assert_eq!(found, expected, "{status}");
        }
    }
}
