//! What the ledger knows of an order.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::model::ledger::{Entry, Restored};
use crate::model::order::OrderId;

/// An entry as it is stored. Fields may be added; none may change its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    entry: Entry,
    /// Seconds since 1970.
    at: u64,
}

impl Record {
    pub(crate) fn new(entry: Entry, at: SystemTime) -> Self {
        let since = at.duration_since(SystemTime::UNIX_EPOCH);
        Self {
            entry,
            at: since.map_or(0, |since| since.as_secs()),
        }
    }

    /// The further of two entries of an order.
    pub(crate) fn raised(self, other: Self) -> Self {
        match self.entry >= other.entry {
            true => self,
            false => other,
        }
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        // Strings and numbers always serialize.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub(crate) fn restore(&self, order_id: OrderId, now: SystemTime) -> Restored {
        let now = now.duration_since(SystemTime::UNIX_EPOCH);
        // A clock that was set back makes entries of the future; they count as made now.
        let age = now.map_or(0, |now| now.as_secs().saturating_sub(self.at));
        Restored {
            order_id,
            entry: self.entry,
            age: Duration::from_secs(age),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_as_it_was_written_and_newer_fields_are_skipped() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let record = Record::new(Entry::Acknowledged, at);
        assert_eq!(Record::read(&record.write()).unwrap(), record);
        let newer = br#"{"entry":"acknowledged","at":1000,"note":[1]}"#;
        assert_eq!(Record::read(newer).unwrap(), record);
        for bytes in [&b""[..], b"{}", b"\xff", br#"{"entry":"?","at":1}"#] {
            assert_eq!(Record::read(bytes), None);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_negative_age() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let record = Record::new(Entry::Open, at);
        for (now, age) in [(0, 0), (999, 0), (1_060, 60)] {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
            let restored = record.restore(OrderId(1), now);
            assert_eq!(restored.age, Duration::from_secs(age));
        }
    }
}
