//! What every kind of store has to do. The tests of each kind run this on their stores.

use std::collections::BTreeMap;

use crate::ledger::shelf::Shelf;
use crate::model::order::OrderId;
use crate::model::record::{LedgerEntry, LedgerRecord};
use crate::model::user::UserId;
use crate::platform::time::calendar;

pub(super) const ORDER: OrderId = OrderId(7);
pub(super) const OPEN: LedgerEntry = LedgerEntry::Open;
pub(super) const GRANTED: LedgerEntry = LedgerEntry::Granted;
pub(super) const ACKNOWLEDGED: LedgerEntry = LedgerEntry::Acknowledged;

pub(super) fn alice() -> UserId {
    UserId::new('s', "alice")
}

/// The last two have ids that are cut off to the same name of a file.
pub(super) fn players() -> [UserId; 4] {
    let long = "x".repeat(80);
    [
        UserId::new('o', "guest"),
        alice(),
        UserId::new('s', &format!("{long}1")),
        UserId::new('s', &format!("{long}2")),
    ]
}

pub(super) async fn entries(
    shelf: &mut Shelf,
    project: u64,
    user: &UserId,
) -> Vec<(OrderId, LedgerEntry)> {
    let orders = shelf.load(project, user).await.unwrap();
    orders.into_iter().map(|o| (o.order_id, o.entry)).collect()
}

pub(super) fn record(
    shelf: &mut Shelf,
    project: u64,
    user: &UserId,
    order_id: OrderId,
    entry: LedgerEntry,
) {
    let record = LedgerRecord::new(entry, calendar());
    shelf.record(project, user.clone(), order_id, record, true);
}

/// Records an entry, and returns what the order had before.
pub(super) async fn commit(
    shelf: &mut Shelf,
    user: &UserId,
    entry: LedgerEntry,
) -> Option<LedgerEntry> {
    record(shelf, 1, user, ORDER, entry);
    let before = shelf.commit().await;
    assert!(!shelf.has_changes(), "{:?}", shelf.trouble());
    before.get(&(1, ORDER)).copied().flatten()
}

/// Checks that an order of a guest which the linked account acknowledges is not open for the guest again.
pub(super) async fn check_order_of_guest(mut shelf: Shelf) {
    let [guest, linked, ..] = players();
    assert_eq!(commit(&mut shelf, &guest, GRANTED).await, None);
    assert_eq!(commit(&mut shelf, &linked, OPEN).await, Some(GRANTED));
    assert_eq!(entries(&mut shelf, 1, &guest).await, []);
    let before = commit(&mut shelf, &linked, ACKNOWLEDGED).await;
    assert_eq!(before, Some(GRANTED));
    // And back: the guest learns that it is acknowledged.
    assert_eq!(commit(&mut shelf, &guest, OPEN).await, Some(ACKNOWLEDGED));
    assert_eq!(entries(&mut shelf, 1, &linked).await, []);
}

/// Checks that each order has one owner and one entry, whatever happens to it in a random run. `open` opens the store,
/// again and again if what it has is kept. A store that keeps what was granted does not erase it.
pub(super) async fn check_owners(
    seed: u64,
    is_kept: bool,
    keeps_granted: bool,
    open: impl AsyncFn() -> Shelf,
) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut shelf = open().await;
    let mut model: BTreeMap<(u64, OrderId), (UserId, LedgerEntry)> = BTreeMap::new();
    let players = players();
    for step in 0..60 {
        let context = format!("seed {seed}, step {step}");
        let user = random.choice(&players).unwrap().clone();
        let project = random.u64(1..3);
        let order_id = OrderId(random.u64(0..5));
        let key = (project, order_id);
        match random.u32(0..10) {
            0..5 => {
                let entry = *random.choice([OPEN, GRANTED, ACKNOWLEDGED].iter()).unwrap();
                record(&mut shelf, project, &user, order_id, entry);
                let known = model.remove(&key).map_or(entry, |(_, known)| known);
                model.insert(key, (user, known.max(entry)));
            }
            5 => {
                let is_own = |(owner, _): &(UserId, _)| *owner == user;
                if model.get(&key).is_some_and(is_own) {
                    // What is erased before it was ever written has taken nothing over.
                    shelf.commit().await;
                    let stays = keeps_granted && model[&key].1 == ACKNOWLEDGED;
                    if !stays {
                        model.remove(&key);
                    }
                }
                shelf.erase(project, user, order_id);
            }
            6 => {
                shelf.commit().await;
                shelf.release(project, &user);
            }
            7 if is_kept => {
                shelf.commit().await;
                drop(shelf);
                shelf = open().await;
                // Where servers share the store, only that of an order's player changes it.
                for project in 1..3 {
                    for user in &players {
                        entries(&mut shelf, project, user).await;
                    }
                }
            }
            _ => {
                shelf.commit().await;
                assert!(!shelf.has_changes(), "{context}: {:?}", shelf.trouble());
                for project in 1..3 {
                    for user in &players {
                        let theirs = model
                            .iter()
                            .filter(|((of, _), (owner, _))| *of == project && owner == user);
                        let expected: Vec<_> = theirs
                            .map(|((_, order_id), (_, entry))| (*order_id, *entry))
                            .collect();
                        let entries = entries(&mut shelf, project, user).await;
                        assert_eq!(entries, expected, "{context}, {user}");
                    }
                }
            }
        }
    }
    assert_eq!(shelf.trouble(), None);
}
