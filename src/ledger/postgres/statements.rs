//! The statements that are made of changes. Each is one for all of the orders that it is about.

use std::collections::BTreeMap;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, Transaction};

use crate::ledger::postgres::connection::Failure;
use crate::ledger::postgres::names::{name_of_stored, stored_name};
use crate::model::ledger::TakenOrder;
use crate::model::maps::HashSet;
use crate::model::order::OrderId;
use crate::model::record::{LedgerChange, LedgerRecord};

/// The project and the order.
pub(super) type Key = (u64, OrderId);
pub(super) type Found = BTreeMap<Key, Stored>;

/// The last second of the year 9999. A clock may say anything, and dates end somewhere.
const LAST_SECOND: u64 = 253_402_300_799;

/// The row of an order.
pub(super) struct Stored {
    pub(super) user: String,
    pub(super) record: LedgerRecord,
    pub(super) server: i64,
}

/// Adds the orders that are claimed and that nobody has, and returns them. Another server that adds one of them waits
/// until this is done.
pub(super) async fn insert(
    transaction: &Transaction<'_>,
    server: i64,
    changes: &[&LedgerChange],
) -> Result<HashSet<Key>, Failure> {
    let mut rows = Rows::default();
    for change in changes.iter().filter(|change| change.claims) {
        if let Some(record) = change.record {
            rows.push(key(change), change.user.as_str(), Some(record));
        }
    }
    if rows.projects.is_empty() {
        return Ok(HashSet::default());
    }
    let insert = "INSERT INTO bevy_xsolla.orders \
        (project_id, order_id, user_id, entry, entered_at, server, is_granted) \
        SELECT project_id, order_id, user_id, entry, to_timestamp(entered_at), $6, entry = 'acknowledged' \
        FROM unnest($1, $2, $3, $4, $5) AS c (project_id, order_id, user_id, entry, entered_at) \
        ON CONFLICT DO NOTHING RETURNING project_id, order_id";
    let rows = transaction.query_typed(insert, &rows.with(&server)).await?;
    rows.iter().map(read_key).collect()
}

/// Reads the orders of changes, and keeps other servers from changing them meanwhile.
pub(super) async fn lock(
    transaction: &Transaction<'_>,
    changes: &[&LedgerChange],
) -> Result<Found, Failure> {
    let keys = changes.iter().map(|change| key(change));
    let (projects, orders) = numbers(keys);
    let select = "SELECT project_id, order_id, user_id, entry, extract(epoch FROM entered_at)::bigint, server \
        FROM bevy_xsolla.orders \
        WHERE (project_id, order_id) IN (SELECT * FROM unnest($1, $2)) \
        ORDER BY project_id, order_id FOR UPDATE";
    let keys = [
        (&projects as _, Type::INT8_ARRAY),
        (&orders as _, Type::INT8_ARRAY),
    ];
    let mut stored = Found::new();
    for row in transaction.query_typed(select, &keys).await? {
        let at = row.try_get::<_, i64>(4)?.cast_unsigned();
        let order = Stored {
            user: name_of_stored(row.try_get(2)?),
            record: LedgerRecord::of_name(row.try_get(3)?, at),
            server: row.try_get(5)?,
        };
        stored.insert(read_key(&row)?, order);
    }
    Ok(stored)
}

pub(super) async fn update(
    transaction: &Transaction<'_>,
    server: i64,
    orders: &[(Key, String, Option<LedgerRecord>)],
) -> Result<(), Failure> {
    if orders.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::default();
    for (key, user, record) in orders {
        rows.push(*key, user, *record);
    }
    let update = "UPDATE bevy_xsolla.orders o SET user_id = c.user_id, server = $6, \
        entry = COALESCE(c.entry, o.entry), \
        entered_at = COALESCE(to_timestamp(c.entered_at), o.entered_at), \
        is_granted = o.is_granted OR COALESCE(c.entry, '') = 'acknowledged' \
        FROM unnest($1, $2, $3, $4, $5) AS c (project_id, order_id, user_id, entry, entered_at) \
        WHERE (o.project_id, o.order_id) = (c.project_id, c.order_id)";
    let count = transaction
        .execute_typed(update, &rows.with(&server))
        .await?;
    match usize::try_from(count)? == orders.len() {
        true => Ok(()),
        false => Err("orders were erased meanwhile".into()),
    }
}

pub(super) async fn erase(transaction: &Transaction<'_>, orders: &[Key]) -> Result<(), Failure> {
    if orders.is_empty() {
        return Ok(());
    }
    let (projects, orders) = numbers(orders.iter().copied());
    // What was granted or taken back stays, or it could be granted again.
    let erase = "DELETE FROM bevy_xsolla.orders \
        WHERE (project_id, order_id) IN (SELECT * FROM unnest($1, $2)) \
        AND NOT is_granted AND NOT is_taken_back";
    let keys = [
        (&projects as _, Type::INT8_ARRAY),
        (&orders as _, Type::INT8_ARRAY),
    ];
    transaction.execute_typed(erase, &keys).await?;
    Ok(())
}

/// Looks which of these orders are not this server's any more.
pub(super) async fn look(
    client: &Client,
    server: i64,
    orders: &[Key],
) -> Result<Vec<TakenOrder>, Failure> {
    let (projects, orders) = numbers(orders.iter().copied());
    let look = "SELECT h.project_id, h.order_id, o.entry \
        FROM unnest($1, $2) AS h (project_id, order_id) \
        LEFT JOIN bevy_xsolla.orders o USING (project_id, order_id) \
        WHERE o.server IS DISTINCT FROM $3";
    let parameters = [
        (&projects as _, Type::INT8_ARRAY),
        (&orders as _, Type::INT8_ARRAY),
        (&server as _, Type::INT8),
    ];
    let rows = client.query_typed(look, &parameters).await?;
    let taken = rows.iter().map(|row| {
        let (project_id, order_id) = read_key(row)?;
        let entry = row.try_get::<_, Option<&str>>(2)?;
        Ok(TakenOrder {
            project_id,
            order_id,
            entry: entry.map(|entry| LedgerRecord::of_name(entry, 0).entry()),
        })
    });
    taken.collect()
}

/// The columns of orders that are written.
#[derive(Default)]
struct Rows {
    projects: Vec<i64>,
    orders: Vec<i64>,
    users: Vec<String>,
    entries: Vec<Option<&'static str>>,
    times: Vec<Option<i64>>,
}

impl Rows {
    fn push(&mut self, (project_id, order_id): Key, user: &str, record: Option<LedgerRecord>) {
        self.projects.push(number(project_id));
        self.orders.push(number(order_id.0));
        self.users.push(stored_name(user));
        self.entries
            .push(record.map(|record| record.entry().name()));
        self.times
            .push(record.map(|record| number(record.at().min(LAST_SECOND))));
    }

    fn with<'a>(&'a self, server: &'a i64) -> [(&'a (dyn ToSql + Sync), Type); 6] {
        [
            (&self.projects, Type::INT8_ARRAY),
            (&self.orders, Type::INT8_ARRAY),
            (&self.users, Type::TEXT_ARRAY),
            (&self.entries, Type::TEXT_ARRAY),
            (&self.times, Type::INT8_ARRAY),
            (server, Type::INT8),
        ]
    }
}

pub(super) fn key(change: &LedgerChange) -> Key {
    (change.project_id, change.order_id)
}

/// PostgreSQL's integers are signed. The 64 bits stay the same, so every id has its own number.
pub(super) fn number(id: u64) -> i64 {
    id.cast_signed()
}

pub(super) fn numbers(keys: impl Iterator<Item = Key>) -> (Vec<i64>, Vec<i64>) {
    keys.map(|(project_id, order_id)| (number(project_id), number(order_id.0)))
        .unzip()
}

pub(super) fn read_key(row: &Row) -> Result<Key, Failure> {
    let project_id: i64 = row.try_get(0)?;
    let order_id: i64 = row.try_get(1)?;
    Ok((
        project_id.cast_unsigned(),
        OrderId(order_id.cast_unsigned()),
    ))
}
