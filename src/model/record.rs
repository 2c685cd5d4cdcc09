//! The ledger's records: what is stored of an order, and how it changes.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::model::fields::{Fields, Mismatch, Value, read_fields};
use crate::model::order::OrderId;
use crate::model::user::UserId;

/// The progress of an order in the game, as the ledger stores it.
///
/// The variants are in ascending order. An entry is only ever raised, unless its order is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LedgerEntry {
    /// The order was made elsewhere, and was over before this ledger was first used; or the game has forgotten it. It is
    /// neither tracked nor granted, unless the game tracks it. An entry whose order id is above 2^63 belongs to no
    /// order: it says that the player's past is known.
    Past,
    /// The order is tracked.
    Open,
    /// The order is tracked, and the game was told to grant it. This does not decide whether it may be granted
    /// again, only that its cancellation would be a refund.
    Granted,
    /// The game has acknowledged the order. Its record is kept to notice a refund, and to never grant it again.
    Acknowledged,
    /// The order was refunded, and the game was told. Its record is kept, because a webhook that says that it is paid
    /// may come again.
    Canceled,
}

impl LedgerEntry {
    const ALL: [Self; 5] = [
        Self::Past,
        Self::Open,
        Self::Granted,
        Self::Acknowledged,
        Self::Canceled,
    ];

    /// The name under which it is stored.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Past => "past",
            Self::Open => "open",
            Self::Granted => "granted",
            Self::Acknowledged => "acknowledged",
            Self::Canceled => "canceled",
        }
    }

    /// Whether the order is tracked and its end is not recorded.
    #[cfg(any(feature = "postgres", feature = "webhook"))]
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Granted)
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entry| entry.name() == name)
    }
}

/// The record of an order.
// This is the stored form: fields may be added, and no field may change its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRecord {
    entry: LedgerEntry,
    /// The time of the entry, in seconds since 1970.
    at: u64,
}

/// The fields of a record that were read.
#[derive(Default)]
struct RecordFields {
    entry: Option<LedgerEntry>,
    at: Option<u64>,
}

impl<'a> Fields<'a> for RecordFields {
    fn take(&mut self, name: &str, value: &mut dyn Value<'a>) -> Result<(), Mismatch> {
        match name {
            "entry" => {
                self.entry = LedgerEntry::of_name(&value.text()?);
            }
            "at" => self.at = value.raw()?.and_then(|at| at.get().parse().ok()),
            _ => {}
        }
        Ok(())
    }
}

impl LedgerRecord {
    /// Creates a record of an entry that was made at this time.
    pub fn new(entry: LedgerEntry, at: SystemTime) -> Self {
        let since = at.duration_since(SystemTime::UNIX_EPOCH);
        Self {
            entry,
            at: since.map_or(0, |since| since.as_secs()),
        }
    }

    /// The order's progress.
    pub fn entry(&self) -> LedgerEntry {
        self.entry
    }

    /// The time of the entry, in seconds since 1970.
    #[cfg(feature = "postgres")]
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The record of an entry that was stored under this name at this time, in seconds since 1970. An unknown name
    /// counts as [in a text](Self::of_stored).
    #[cfg(feature = "postgres")]
    pub(crate) fn of_name(name: &str, at: u64) -> Self {
        match LedgerEntry::of_name(name) {
            Some(entry) => Self { entry, at },
            None => Self::of_stored(""),
        }
    }

    /// The higher of two records of an order.
    #[must_use]
    pub fn raised(self, other: Self) -> Self {
        match self.entry >= other.entry {
            true => self,
            false => other,
        }
    }

    /// The record as text to store: a JSON object.
    pub fn to_json(&self) -> String {
        // Strings and numbers always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the text that [`to_json`](Self::to_json) wrote. Returns `None` if it cannot be read.
    pub fn from_json(json: impl AsRef<[u8]>) -> Option<Self> {
        let mut fields = RecordFields::default();
        read_fields(str::from_utf8(json.as_ref()).ok()?, &mut fields).ok()?;
        Some(Self {
            entry: fields.entry?,
            at: fields.at?,
        })
    }

    /// Reads the text of a record that is there. One that cannot be read comes from a later version of this crate,
    /// which may have granted the order. So it counts as acknowledged, which lets nobody grant it or change the text.
    pub(crate) fn of_stored(json: impl AsRef<[u8]>) -> Self {
        Self::from_json(json).unwrap_or(Self {
            entry: LedgerEntry::Acknowledged,
            at: u64::MAX,
        })
    }

    pub(crate) fn restore(&self, order_id: OrderId, now: SystemTime) -> Restored {
        let now = now.duration_since(SystemTime::UNIX_EPOCH);
        // If the clock was set back, an entry may be in the future. It counts as made now.
        let age = now.map_or(0, |now| now.as_secs().saturating_sub(self.at));
        Restored {
            order_id,
            entry: self.entry,
            age: Duration::from_secs(age),
        }
    }
}

/// The id of the entry that says that a player's past is known: which orders made elsewhere were over before this ledger
/// was first used. Xsolla's own ids are far below. It is the player's, because an id has one entry for all players.
pub(crate) fn past_mark(user: &UserId) -> OrderId {
    OrderId(user.lasting_hash() | 1 << 63)
}

/// A change of an order's record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerChange {
    /// The Xsolla project.
    pub project_id: u64,
    /// The player whose order it is.
    pub user: UserId,
    /// The order.
    pub order_id: OrderId,
    /// Whether the previous record is erased first.
    pub erases: bool,
    /// Whether the order becomes this server's, whoever has followed it until now. Only a store that servers
    /// [share](crate::LedgerStore::is_shared) needs to know: it makes a change that claims nothing only if the order is
    /// this server's.
    pub claims: bool,
    /// The lowest record that the order has after the change.
    pub record: Option<LedgerRecord>,
}

impl LedgerChange {
    /// Returns the owner and the record that an order has after the change, or `None` if none is to be stored.
    /// `stored` is what it had before: the [text](UserId::as_str) of its player's id, and its record.
    pub fn apply<'a>(
        &'a self,
        stored: Option<(&'a str, LedgerRecord)>,
    ) -> Option<(&'a str, LedgerRecord)> {
        let is_own = stored.is_some_and(|(owner, _)| owner == self.user.as_str());
        let stays = stored.filter(|_| !(is_own && self.erases));
        let Some(record) = self.record else {
            return stays;
        };
        let record = stays.map_or(record, |(_, before)| before.raised(record));
        Some((self.user.as_str(), record))
    }

    /// Returns the entry that the order had before, whoever's it was; `None` if the change erases it.
    pub fn before(&self, stored: Option<(&str, LedgerRecord)>) -> Option<LedgerEntry> {
        let (owner, record) = stored?;
        let is_erased = self.erases && owner == self.user.as_str();
        (!is_erased).then_some(record.entry())
    }
}

/// An order as the ledger returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Restored {
    pub(crate) order_id: OrderId,
    pub(crate) entry: LedgerEntry,
    /// The time since the entry was made.
    pub(crate) age: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_record_reads_as_it_was_written_and_newer_fields_are_skipped() {
        let record = LedgerRecord::new(LedgerEntry::Acknowledged, at(1_000));
        assert_eq!(LedgerRecord::from_json(record.to_json()).unwrap(), record);
        let newer = br#"{"entry":"acknowledged","at":1000,"note":[1]}"#;
        assert_eq!(LedgerRecord::from_json(newer).unwrap(), record);
        for json in [
            &b""[..],
            b"{}",
            b"\xff",
            b"[\"open\",1]",
            br#"{"entry":"?","at":1}"#,
            br#"{"entry":"open","at":null}"#,
            br#"{"entry":"open","at":"1"}"#,
            br#"{"entry":1,"at":1}"#,
            br#"{"entry":"open","at":1} x"#,
        ] {
            assert_eq!(LedgerRecord::from_json(json), None);
        }
    }

    #[test]
    fn a_record_reads_as_what_its_serde_implementation_writes() {
        for entry in LedgerEntry::ALL {
            let record = LedgerRecord::new(entry, at(7));
            let json = serde_json::to_string(&record).unwrap();
            assert_eq!(LedgerRecord::from_json(&json), Some(record));
            assert_eq!(serde_json::from_str(&json).ok(), Some(record));
        }
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_negative_age() {
        let record = LedgerRecord::new(LedgerEntry::Open, at(1_000));
        for (now, age) in [(0, 0), (999, 0), (1_060, 60)] {
            let restored = record.restore(OrderId(1), at(now));
            assert_eq!(restored.age, Duration::from_secs(age));
        }
    }

    #[test]
    fn a_record_is_raised_and_never_lowered_until_it_is_erased_and_moves_to_who_tracks_its_order() {
        let [open, granted] =
            [LedgerEntry::Open, LedgerEntry::Granted].map(|entry| LedgerRecord::new(entry, at(1)));
        let alice = UserId::new('s', "alice");
        let (hers, his) = (alice.as_str(), "s:bob");
        for (erases, record, stored, before, after) in [
            (false, Some(open), None, None, Some((hers, open))),
            (
                false,
                Some(open),
                Some((hers, granted)),
                Some(granted),
                Some((hers, granted)),
            ),
            (
                false,
                Some(granted),
                Some((hers, open)),
                Some(open),
                Some((hers, granted)),
            ),
            (
                true,
                Some(open),
                Some((hers, granted)),
                None,
                Some((hers, open)),
            ),
            (true, None, Some((hers, granted)), None, None),
            // Another player's entry moves, and is not erased by one who does not have it.
            (
                false,
                Some(open),
                Some((his, granted)),
                Some(granted),
                Some((hers, granted)),
            ),
            (
                true,
                Some(open),
                Some((his, granted)),
                Some(granted),
                Some((hers, granted)),
            ),
            (
                true,
                None,
                Some((his, granted)),
                Some(granted),
                Some((his, granted)),
            ),
        ] {
            let change = LedgerChange {
                project_id: 1,
                user: alice.clone(),
                order_id: OrderId(1),
                erases,
                claims: false,
                record,
            };
            assert_eq!(change.apply(stored), after, "{change:?}");
            assert_eq!(change.before(stored), before.map(|record| record.entry()));
        }
    }
}
