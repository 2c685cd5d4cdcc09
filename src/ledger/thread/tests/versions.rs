//! Tests of files that the first version has written or changed, and of records of later versions.

use std::time::SystemTime;

use ::redb::{Database, ReadableDatabase, TableDefinition};

use super::moves::{Kind, commit, entries};
use super::*;
use crate::ledger::tests::{ACKNOWLEDGED, GRANTED, OPEN, players, record};

/// The table of the first version.
const ORDERS: TableDefinition<(u64, &str, u64), &[u8]> = TableDefinition::new("orders.1");

/// Writes texts of records into the file as the first version did, or erases records.
fn write_as_first_version(path: &Path, rows: &[(&UserId, OrderId, Option<&str>)]) {
    let database = Database::create(path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut orders = transaction.open_table(ORDERS).unwrap();
        for (user, order_id, record) in rows {
            let key = (1, user.as_str(), order_id.0);
            match record {
                Some(record) => drop(orders.insert(key, record.as_bytes()).unwrap()),
                None => drop(orders.remove(key).unwrap()),
            }
        }
    }
    transaction.commit().unwrap();
}

fn text(entry: LedgerEntry) -> String {
    LedgerRecord::new(entry, SystemTime::now()).to_json()
}

#[test]
fn an_order_moves_in_a_file_of_the_first_version_which_that_version_can_still_read() {
    let folder = Folder::new("index");
    let path = folder.0.join("ledger.redb");
    fs::write(&path, FIRST_VERSION).unwrap();
    let [guest, alice, ..] = players();
    let mut shelf = Kind::OneFile.open(&folder);
    assert_eq!(commit(&mut shelf, &guest, OPEN), Some(OPEN));
    assert_eq!(entries(&mut shelf, 1, &alice).len(), 2);
    drop(shelf);
    let database = Database::open(&path).unwrap();
    let orders = database.begin_read().unwrap().open_table(ORDERS).unwrap();
    assert!(orders.get((1, guest.as_str(), ORDER.0)).unwrap().is_some());
    assert!(orders.get((1, alice.as_str(), ORDER.0)).unwrap().is_none());
}

#[test]
fn an_order_that_the_first_version_let_two_players_have_stays_with_the_higher_entry() {
    let [guest, linked, ..] = players();
    // The second time, the file has been used by this version before.
    for uses_it_before in [false, true] {
        let folder = Folder::new("twice");
        let path = folder.0.join("ledger.redb");
        if uses_it_before {
            commit(&mut Kind::OneFile.open(&folder), &guest, OPEN);
        } else {
            write_as_first_version(&path, &[(&guest, ORDER, Some(&text(OPEN)))]);
        }
        write_as_first_version(&path, &[(&linked, ORDER, Some(&text(ACKNOWLEDGED)))]);
        let mut shelf = Kind::OneFile.open(&folder);
        assert_eq!(entries(&mut shelf, 1, &guest), []);
        assert_eq!(entries(&mut shelf, 1, &linked), [(ORDER, ACKNOWLEDGED)]);
    }
}

#[test]
fn what_the_first_version_has_changed_in_a_file_in_between_has_its_owners() {
    let [guest, linked, other, _] = players();
    let granted = text(GRANTED);
    // There are as many entries after this as before.
    for (user, order_id) in [(&guest, OrderId(8)), (&other, ORDER)] {
        let folder = Folder::new("between");
        let path = folder.0.join("ledger.redb");
        let mut shelf = Kind::OneFile.open(&folder);
        commit(&mut shelf, &guest, OPEN);
        drop(shelf);
        let rows = [(&guest, ORDER, None), (user, order_id, Some(&*granted))];
        write_as_first_version(&path, &rows);
        let mut shelf = Kind::OneFile.open(&folder);
        record(&mut shelf, 1, &linked, order_id, OPEN);
        let before = block_on(shelf.commit());
        assert_eq!(before.get(&(1, order_id)), Some(&Some(GRANTED)));
        assert_eq!(entries(&mut shelf, 1, user), []);
        assert_eq!(entries(&mut shelf, 1, &linked), [(order_id, GRANTED)]);
    }
}

#[test]
fn a_record_of_a_later_version_is_not_granted_again_and_keeps_its_text() {
    let folder = Folder::new("later");
    let path = folder.0.join("ledger.redb");
    let [guest, linked, ..] = players();
    let later = r#"{"entry":"returned","since":[1]}"#;
    let more = r#"{"entry":"granted","at":1000,"note":"later"}"#;
    let rows = [
        (&guest, ORDER, Some(later)),
        (&guest, OrderId(8), Some(more)),
    ];
    write_as_first_version(&path, &rows);
    let mut shelf = Kind::OneFile.open(&folder);
    assert_eq!(commit(&mut shelf, &guest, GRANTED), Some(ACKNOWLEDGED));
    record(&mut shelf, 1, &guest, OrderId(8), GRANTED);
    block_on(shelf.commit());
    drop(shelf);
    let database = Database::open(&path).unwrap();
    let orders = database.begin_read().unwrap().open_table(ORDERS).unwrap();
    for (user, order_id, text) in rows {
        let row = orders.get((1, user.as_str(), order_id.0)).unwrap().unwrap();
        assert_eq!(row.value(), text.unwrap().as_bytes());
    }
    drop(database);
    let mut shelf = Kind::OneFile.open(&folder);
    assert_eq!(commit(&mut shelf, &linked, OPEN), Some(ACKNOWLEDGED));
}
