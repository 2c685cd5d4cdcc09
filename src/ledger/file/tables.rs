//! What is in a ledger's file: the entries, and an index of the owners of orders.

use std::collections::{BTreeMap, BTreeSet};

use ::redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

use crate::model::order::OrderId;
use crate::model::record::{LedgerChange, LedgerEntry, LedgerRecord};
use crate::model::user::UserId;

/// The entries by project, user and order.
pub(super) const ORDERS: TableDefinition<(u64, &str, u64), &[u8]> =
    TableDefinition::new("orders.1");
/// The user of each order of a project. It follows from the entries, and is made anew where it is missing.
pub(super) const OWNERS: TableDefinition<(u64, u64), &str> = TableDefinition::new("owners.1");
/// The orders that were looked for in a file, with their records.
pub(in crate::ledger) type Found = BTreeMap<OrderId, LedgerRecord>;

/// Entries of all players as they are stored: project, user, order and record.
pub(super) type Rows = Vec<(u64, String, u64, Vec<u8>)>;

/// Makes the tables that are missing. Files of earlier versions have no owners. If an earlier version has let two
/// players have the same order, the higher entry stays.
pub(super) fn complete(database: &Database) -> Result<(), ::redb::Error> {
    if is_complete(database)? {
        return Ok(());
    }
    let transaction = database.begin_write()?;
    transaction.delete_table(OWNERS)?;
    {
        let mut orders = transaction.open_table(ORDERS)?;
        // They are sorted here, because inserting them out of order takes many times as long.
        let mut sorted: BTreeMap<(u64, u64), (String, LedgerEntry)> = BTreeMap::new();
        let mut surplus = Vec::new();
        for row in orders.iter()? {
            let (key, value) = row?;
            let (project, user, order) = key.value();
            let entry = LedgerRecord::of_stored(value.value()).entry();
            let mut new = (user.to_owned(), entry);
            let Some(known) = sorted.get_mut(&(project, order)) else {
                sorted.insert((project, order), new);
                continue;
            };
            if entry > known.1 {
                std::mem::swap(known, &mut new);
            }
            surplus.push((project, new.0, order));
        }
        for (project, user, order) in surplus {
            orders.remove((project, user.as_str(), order))?;
        }
        let mut owners = transaction.open_table(OWNERS)?;
        for (key, (user, _)) in &sorted {
            owners.insert(key, user.as_str())?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Whether each order has one entry, and the index names its player. An earlier version that has used the file in
/// between has changed the entries alone.
fn is_complete(database: &Database) -> Result<bool, ::redb::Error> {
    let read = database.begin_read()?;
    let (Ok(orders), Ok(owners)) = (read.open_table(ORDERS), read.open_table(OWNERS)) else {
        return Ok(false);
    };
    if orders.len()? != owners.len()? {
        return Ok(false);
    }
    for row in orders.iter()? {
        let (key, _) = row?;
        let (project, user, order) = key.value();
        let owner = owners.get((project, order))?;
        if owner.is_none_or(|owner| owner.value() != user) {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn read_all(database: &Database) -> Result<Rows, ::redb::Error> {
    let mut rows = Rows::new();
    for row in database.begin_read()?.open_table(ORDERS)?.iter()? {
        let (key, value) = row?;
        let (project, user, order) = key.value();
        rows.push((project, user.to_owned(), order, value.value().to_owned()));
    }
    Ok(rows)
}

/// Adds entries to what the file has, without lowering any.
pub(super) fn write_all(database: &Database, rows: &Rows) -> Result<(), ::redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut orders = transaction.open_table(ORDERS)?;
        for (project, user, order, record) in rows {
            let key = (*project, user.as_str(), *order);
            let known = read_record(&orders, key)?.map(|known| known.entry());
            if Some(LedgerRecord::of_stored(record).entry()) > known {
                orders.insert(key, record.as_slice())?;
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

fn read_record(
    orders: &impl ReadableTable<(u64, &'static str, u64), &'static [u8]>,
    key: (u64, &str, u64),
) -> Result<Option<LedgerRecord>, ::redb::Error> {
    let row = orders.get(key)?;
    Ok(row.map(|row| LedgerRecord::of_stored(row.value())))
}

/// Makes a change, and returns what the order had before.
pub(super) fn make(
    change: &LedgerChange,
    orders: &mut ::redb::Table<'_, (u64, &'static str, u64), &'static [u8]>,
    owners: &mut ::redb::Table<'_, (u64, u64), &'static str>,
    elsewhere: Option<LedgerRecord>,
) -> Result<Option<LedgerEntry>, ::redb::Error> {
    let (project, order) = (change.project_id, change.order_id.0);
    let owner = owners.get((project, order))?;
    let owner = owner.map(|owner| owner.value().to_owned());
    let record = match &owner {
        Some(owner) => read_record(orders, (project, owner, order))?,
        None => None,
    };
    let stored = match (&owner, record) {
        (Some(owner), Some(record)) => Some((owner.as_str(), record)),
        // Its owner is another player, whoever that is.
        _ => elsewhere.map(|record| ("", record)),
    };
    let after = change.apply(stored);
    // What stays as it is keeps its text, which may have more than this version reads.
    if after != stored {
        if let Some(owner) = &owner {
            orders.remove((project, owner.as_str(), order))?;
        }
        if let Some((to, record)) = after {
            orders.insert((project, to, order), record.to_json().as_bytes())?;
            owners.insert((project, order), to)?;
        } else {
            owners.remove((project, order))?;
        }
    }
    Ok(change.before(stored))
}

/// Looks for orders of players, except for one.
pub(super) fn find(
    database: &impl ReadableDatabase,
    project_id: u64,
    wanted: &BTreeSet<OrderId>,
    not_of: Option<&UserId>,
) -> Result<Found, ::redb::Error> {
    let mut found = Found::new();
    let read = database.begin_read()?;
    let orders = read.open_table(ORDERS)?;
    let is_meant = |user: &str| not_of.is_none_or(|not_of| user != not_of.as_str());
    let mut find = |order_id, record: LedgerRecord| {
        let known = found.get(&order_id).copied();
        found.insert(order_id, known.map_or(record, |known| record.raised(known)));
    };
    match read.open_table(OWNERS) {
        Ok(owners) => {
            for order_id in wanted {
                let owner = owners.get((project_id, order_id.0))?;
                if let Some(owner) = owner.filter(|owner| is_meant(owner.value()))
                    && let Some(record) =
                        read_record(&orders, (project_id, owner.value(), order_id.0))?
                {
                    find(*order_id, record);
                }
            }
        }
        // An earlier version has written the file, and it is only read now.
        Err(_) => {
            for row in orders.iter()? {
                let (key, value) = row?;
                let (project, user, order) = key.value();
                if project == project_id && is_meant(user) && wanted.contains(&OrderId(order)) {
                    find(OrderId(order), LedgerRecord::of_stored(value.value()));
                }
            }
        }
    }
    Ok(found)
}
