//! Identifiers in the shapes that Xsolla's have.

use std::time::{Duration, SystemTime};

use crate::model::order::OrderId;
use crate::model::reconciliation::StoreKey;

/// The project that the emulator speaks for.
pub(crate) const PROJECT_ID: u64 = 77640;

/// The key with which a studio's server searches for orders.
pub(crate) fn store_key() -> StoreKey {
    StoreKey::new(PROJECT_ID, "emulator-api-key")
}

/// The start of 2020 in Unix time.
const YEAR_2020: Duration = Duration::from_secs(1_577_836_800);

/// The id of an emulator's first order.
///
/// It exceeds 32 bits, which finds out clients that cut ids. It counts milliseconds of the clock, so that a
/// ledger which outlives an emulator does not take the orders of the next one for those of the last.
pub(crate) fn first_order_id(started_at: SystemTime) -> OrderId {
    let since = started_at.duration_since(SystemTime::UNIX_EPOCH + YEAR_2020);
    // A clock from before 2020 gives no useful number.
    let millis = since.unwrap_or_default().as_millis();
    OrderId((1 << 32) + u64::try_from(millis).unwrap_or_default())
}

/// The number of an order's payment. It is not the order's id, as at Xsolla, so that a client which mistakes one for
/// the other is found out.
pub(crate) fn invoice(id: OrderId) -> u64 {
    1_000_000_000 + id.0 % 1_000_000_000
}

/// The `sub` claim in the tokens of the player with this name.
///
/// It is made from the name alone (FNV-1a), so that what a game keeps on disk about its player is found
/// again when it is started with another emulator.
pub(crate) fn subject_of(name: &str) -> String {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    uuid(name.bytes().fold(BASIS, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(PRIME)
    }))
}

/// The namespace of all channels, with its colon.
pub(crate) fn random_namespace() -> String {
    let length = fastrand::usize(3..9);
    let name = std::iter::repeat_with(fastrand::alphanumeric).take(length);
    name.chain([':']).collect()
}

/// The name of a channel within the namespace. No documented rule says how Xsolla names them, so this follows none
/// that a client could rely on.
pub(crate) fn random_channel() -> String {
    let length = fastrand::usize(14..26);
    let mut name: String = std::iter::repeat_with(fastrand::alphanumeric)
        .take(length)
        .collect();
    name.insert(
        fastrand::usize(1..length),
        fastrand::choice(['#', '-', '$', '.', '_']).unwrap_or('-'),
    );
    name
}

/// The epoch of a stream, as Centrifuge makes it.
pub(crate) fn random_epoch() -> String {
    std::iter::repeat_with(fastrand::alphabetic)
        .take(4)
        .collect()
}

pub(crate) fn random_uuid() -> String {
    uuid(fastrand::u128(..))
}

fn uuid(bits: u128) -> String {
    let hex = format!("{bits:032x}");
    let mut uuid = String::with_capacity(36);
    for (index, digit) in hex.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            uuid.push('-');
        }
        uuid.push(digit);
    }
    uuid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_same_subject_in_every_run() {
        // The published values of FNV-1a with 128 bits for the empty text and for "a".
        assert_eq!(subject_of(""), "6c62272e-07bb-0142-62b8-21756295c58d");
        assert_eq!(subject_of("a"), "d228cb69-6f1a-8caf-7891-2b704e4a8964");
    }
}
