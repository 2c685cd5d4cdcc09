//! A ledger in a PostgreSQL database that servers share.
//!
//! Each server has a number of its own, and each order has the number of the server that follows it. A server takes an
//! order by writing its number, and a change by a server whose number it does not have is not made. So nothing depends on
//! clocks: a server that was stopped for an hour finds that its orders are others', or that nobody wanted them.
//!
//! Changes are written in batches, so one connection is enough. It is opened when it is needed, and given up at any
//! error.

#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, IsolationLevel, NoTls, Row, Transaction};

use self::tls::Tls;
use crate::ledger::store::{Blocking, Store};
use crate::model::ledger::{DatabaseAddress, LedgerError, LedgerStore, TakenOrder};
use crate::model::maps::HashSet;
use crate::model::order::OrderId;
use crate::model::record::{LedgerChange, LedgerEntry, LedgerRecord};
use crate::model::user::UserId;
use crate::platform::time::Instant;
use crate::platform::tls::load_tls;

/// How long connecting and each piece of work may take. A network may drop what is sent without a word.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the database is asked whether other servers have taken orders. The writer looks every five seconds.
const LOOK: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 4 });
/// What every transaction begins with: the server of a database ends what takes longer than this one waits for it, and
/// what a server that was stopped has begun. Otherwise other servers would wait for its orders.
const LIMITS: &str = "SET LOCAL statement_timeout = '8s'; SET LOCAL lock_timeout = '5s'; \
    SET LOCAL idle_in_transaction_session_timeout = '10s'";
/// The versions of the tables. Each adds to the one before.
const SCHEMA: [&str; 1] = [include_str!("postgres/schema_1.sql")];
/// Names the lock under which the tables are made: the bytes of `b_xsolla`.
const LOCK: i64 = i64::from_be_bytes(*b"b_xsolla");

type Failure = Box<dyn std::error::Error + Send + Sync>;
/// The project and the order.
type Key = (u64, OrderId);
type Found = BTreeMap<Key, Stored>;

/// Prepares a connection to the database. It is opened when it is first needed.
pub(super) fn open(address: &DatabaseAddress) -> Result<Box<dyn Store>, LedgerError> {
    Ok(Box::new(Blocking(Postgres::new(address)?)))
}

struct Postgres {
    config: Config,
    runtime: Runtime,
    client: Option<Client>,
    /// The number of this server. Nobody else has it, also not in a database that was restored from a backup.
    server: i64,
    /// The orders of this server that are not acknowledged.
    open: HashSet<Key>,
    /// Those whose last changes were not made.
    refused: Vec<TakenOrder>,
    next_look: Instant,
}

/// The row of an order.
struct Stored {
    user: String,
    record: LedgerRecord,
    server: i64,
}

/// What a commit has done.
#[derive(Default)]
struct Committed {
    before: Vec<Option<LedgerEntry>>,
    open: Vec<Key>,
    closed: Vec<Key>,
    refused: Vec<TakenOrder>,
}

impl LedgerStore for Postgres {
    /// All of the player's orders become this server's.
    fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError> {
        let name = stored_name(user.as_str());
        let server = self.server;
        let orders = self.work(async |client| {
            let transaction = begin(client).await?;
            let take = "UPDATE bevy_xsolla.orders SET server = $3 WHERE project_id = $1 AND user_id = $2 \
                RETURNING order_id, entry, extract(epoch FROM entered_at)::bigint";
            let parameters = [
                (&number(project_id) as _, Type::INT8),
                (&name as _, Type::TEXT),
                (&server as _, Type::INT8),
            ];
            let rows = transaction.query_typed(take, &parameters).await?;
            transaction.commit().await?;
            let orders = rows.iter().map(|row| {
                let order_id = OrderId(row.try_get::<_, i64>(0)?.cast_unsigned());
                let at = row.try_get::<_, i64>(2)?.cast_unsigned();
                Ok((order_id, LedgerRecord::of_name(row.try_get(1)?, at)))
            });
            orders.collect::<Result<Vec<_>, Failure>>()
        })?;
        let is_open =
            |(_, record): &&(OrderId, LedgerRecord)| record.entry() < LedgerEntry::Acknowledged;
        let open = orders.iter().filter(is_open);
        self.open
            .extend(open.map(|(order_id, _)| (project_id, *order_id)));
        Ok(orders)
    }

    fn commit(
        &mut self,
        changes: &[LedgerChange],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        let server = self.server;
        let committed = self.work(async |client| commit(client, server, changes).await)?;
        for key in committed.closed {
            self.open.remove(&key);
        }
        self.open.extend(committed.open);
        for order in &committed.refused {
            self.open.remove(&(order.project_id, order.order_id));
        }
        self.refused.extend(committed.refused);
        Ok(committed.before)
    }

    fn find(
        &mut self,
        project_id: u64,
        orders: &[OrderId],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        let numbers: Vec<i64> = orders.iter().map(|order_id| number(order_id.0)).collect();
        let found = self.work(async |client| {
            let find = "SELECT order_id, entry FROM bevy_xsolla.orders \
                WHERE project_id = $1 AND order_id = ANY($2)";
            let parameters = [
                (&number(project_id) as _, Type::INT8),
                (&numbers as _, Type::INT8_ARRAY),
            ];
            let rows = client.query_typed(find, &parameters).await?;
            let found = rows.iter().map(|row| {
                let record = LedgerRecord::of_name(row.try_get(1)?, 0);
                Ok((row.try_get::<_, i64>(0)?, record.entry()))
            });
            found.collect::<Result<BTreeMap<i64, LedgerEntry>, Failure>>()
        })?;
        let entry = |order_id: &i64| found.get(order_id).copied();
        Ok(numbers.iter().map(entry).collect())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn taken(&mut self) -> Result<Vec<TakenOrder>, LedgerError> {
        // What was refused has to be said whether or not the database is there now.
        if !self.refused.is_empty() || Instant::now() < self.next_look {
            return Ok(std::mem::take(&mut self.refused));
        }
        let keys: Vec<Key> = self.open.iter().copied().collect();
        let server = self.server;
        // This also shows that the database is there while nothing is written.
        let taken = self.work(async |client| look(client, server, &keys).await)?;
        self.next_look = Instant::now() + LOOK;
        for order in &taken {
            self.open.remove(&(order.project_id, order.order_id));
        }
        Ok(taken)
    }
}

impl Postgres {
    fn new(address: &DatabaseAddress) -> Result<Self, LedgerError> {
        // The error may have a part of the password in it.
        let unreadable = "its address is not as in `postgres://user:password@host/database`";
        let config = address.0.parse::<Config>();
        let config = config.map_err(|_| LedgerError::Database(unreadable.to_owned()))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| LedgerError::Database(error.to_string()))?;
        Ok(Self {
            config,
            runtime,
            client: None,
            server: fastrand::i64(1..),
            open: HashSet::default(),
            refused: Vec::new(),
            next_look: Instant::now() + LOOK,
        })
    }

    /// Does something with a connection, which is opened if there is none.
    fn work<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, Failure>,
    ) -> Result<T, LedgerError> {
        let known = self.client.take().filter(|client| !client.is_closed());
        let config = &self.config;
        let result: Result<(Client, T), Failure> = self.runtime.block_on(async {
            let mut client = match known {
                Some(client) => client,
                None => timeout(PATIENCE, connect(config)).await??,
            };
            let done = timeout(PATIENCE, work(&mut client)).await??;
            Ok((client, done))
        });
        let (client, done) = result.map_err(|error| LedgerError::Database(text(&*error)))?;
        self.client = Some(client);
        Ok(done)
    }
}

/// Connects, and makes the tables that are missing.
async fn connect(config: &Config) -> Result<Client, Failure> {
    let mut config = config.clone();
    if config.get_connect_timeout().is_none() {
        // One that does not answer leaves the others their time.
        let hosts = config.get_hosts().len().max(config.get_hostaddrs().len());
        let hosts = u32::try_from(hosts).unwrap_or(u32::MAX).max(1);
        config.connect_timeout(PATIENCE / (hosts + 1));
    }
    let mut client = match config.get_ssl_mode() {
        SslMode::Disable => start(&config, None).await?,
        _ => start(&config, Some(load_tls().await?)).await?,
    };
    let read_only = client
        .query_typed_one("SHOW transaction_read_only", &[])
        .await?;
    if read_only.try_get::<_, &str>(0)? != "off" {
        // What it has may be old.
        return Err("it can only be read, as a standby server can".into());
    }
    make_tables(&mut client).await?;
    Ok(client)
}

async fn begin(client: &mut Client) -> Result<Transaction<'_>, Failure> {
    let transaction = client.build_transaction();
    // Whatever the default of the database is, a transaction sees what others have committed while it waited for them.
    let transaction = transaction.isolation_level(IsolationLevel::ReadCommitted);
    let transaction = transaction.start().await?;
    transaction.batch_execute(LIMITS).await?;
    Ok(transaction)
}

async fn start(config: &Config, tls: Option<Arc<ClientConfig>>) -> Result<Client, Failure> {
    // The task of a connection ends with it, and its errors are those of what is asked.
    Ok(match tls {
        Some(tls) => {
            let (client, connection) = config.connect(Tls(tls)).await?;
            tokio::spawn(async { drop(connection.await) });
            client
        }
        None => {
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(async { drop(connection.await) });
            client
        }
    })
}

async fn make_tables(client: &mut Client) -> Result<(), Failure> {
    let encoding = client.query_typed_one("SHOW server_encoding", &[]).await?;
    if encoding.try_get::<_, &str>(0)? != "UTF8" {
        return Err("its encoding is not UTF8".into());
    }
    if version(client).await? >= SCHEMA.len() {
        return Ok(());
    }
    let transaction = begin(client).await?;
    // Another server may be making them.
    let lock = [(&LOCK as _, Type::INT8)];
    let take = "SELECT pg_advisory_xact_lock($1)";
    transaction.query_typed(take, &lock).await?;
    let version = version(transaction.client()).await?;
    for schema in SCHEMA.iter().skip(version) {
        transaction.batch_execute(schema).await?;
    }
    Ok(transaction.commit().await?)
}

/// The version of the tables; 0 if there are none.
async fn version(client: &Client) -> Result<usize, Failure> {
    // Not `to_regclass`, which may know in a transaction what was there when it began.
    let exists = "SELECT EXISTS (SELECT FROM pg_catalog.pg_tables \
        WHERE schemaname = 'bevy_xsolla' AND tablename = 'versions')";
    if !client
        .query_typed_one(exists, &[])
        .await?
        .try_get::<_, bool>(0)?
    {
        return Ok(0);
    }
    let version = "SELECT max(version) FROM bevy_xsolla.versions";
    let version: i32 = client.query_typed_one(version, &[]).await?.try_get(0)?;
    Ok(usize::try_from(version)?)
}

async fn commit(
    client: &mut Client,
    server: i64,
    changes: &[LedgerChange],
) -> Result<Committed, Failure> {
    let transaction = begin(client).await?;
    // In one sequence for all servers, so that none waits for another that waits for it.
    let mut sorted: Vec<&LedgerChange> = changes.iter().collect();
    sorted.sort_unstable_by_key(|change| key(change));
    let new = insert(&transaction, server, &sorted).await?;
    let mut stored = lock(&transaction, &sorted).await?;
    stored.retain(|key, _| !new.contains(key));
    let mut committed = Committed::default();
    let (mut updated, mut erased) = (Vec::new(), Vec::new());
    for change in changes {
        let key = key(change);
        let before = stored.get(&key);
        let is_own = before.is_some_and(|stored| stored.server == server);
        let record_before = before.map(|stored| (stored.user.as_str(), stored.record));
        if !(change.claims || is_own) {
            // What nobody has need not be erased.
            if before.is_some() || change.record.is_some() {
                committed.refused.push(TakenOrder {
                    project_id: change.project_id,
                    order_id: change.order_id,
                    entry: before.map(|stored| stored.record.entry()),
                });
            }
            committed.before.push(None);
            continue;
        }
        // What another server has is not erased, also where it is claimed after that.
        let change = LedgerChange {
            erases: change.erases && is_own,
            ..change.clone()
        };
        committed.before.push(change.before(record_before));
        match change.apply(record_before) {
            Some((user, record)) => {
                match record.entry() < LedgerEntry::Acknowledged {
                    true => committed.open.push(key),
                    false => committed.closed.push(key),
                }
                if !new.contains(&key) {
                    // What a later version has written keeps its name.
                    let is_changed = record_before.is_none_or(|(_, before)| before != record);
                    updated.push((key, user.to_owned(), is_changed.then_some(record)));
                }
            }
            None => {
                committed.closed.push(key);
                erased.push(key);
            }
        }
    }
    update(&transaction, server, &updated).await?;
    erase(&transaction, &erased).await?;
    transaction.commit().await?;
    Ok(committed)
}

/// Adds the orders that are claimed and that nobody has, and returns them. Another server that adds one of them waits
/// until this is done.
async fn insert(
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
async fn lock(transaction: &Transaction<'_>, changes: &[&LedgerChange]) -> Result<Found, Failure> {
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

async fn update(
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

async fn erase(transaction: &Transaction<'_>, orders: &[Key]) -> Result<(), Failure> {
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
async fn look(client: &Client, server: i64, orders: &[Key]) -> Result<Vec<TakenOrder>, Failure> {
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

/// The last second of the year 9999. A clock may say anything, and dates end somewhere.
const LAST_SECOND: u64 = 253_402_300_799;

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

fn key(change: &LedgerChange) -> Key {
    (change.project_id, change.order_id)
}

/// PostgreSQL's integers are signed. The 64 bits stay the same, so every id has its own number.
fn number(id: u64) -> i64 {
    id.cast_signed()
}

fn numbers(keys: impl Iterator<Item = Key>) -> (Vec<i64>, Vec<i64>) {
    keys.map(|(project_id, order_id)| (number(project_id), number(order_id.0)))
        .unzip()
}

fn read_key(row: &Row) -> Result<Key, Failure> {
    let project_id: i64 = row.try_get(0)?;
    let order_id: i64 = row.try_get(1)?;
    Ok((
        project_id.cast_unsigned(),
        OrderId(order_id.cast_unsigned()),
    ))
}

/// A text in PostgreSQL has no zero bytes, and the id of a player comes from outside.
fn stored_name(user: &str) -> String {
    user.replace('\\', "\\\\").replace('\0', "\\0")
}

fn name_of_stored(name: &str) -> String {
    let mut user = String::new();
    let mut letters = name.chars();
    while let Some(letter) = letters.next() {
        user.push(match letter {
            '\\' => match letters.next() {
                Some('0') => '\0',
                _ => '\\',
            },
            letter => letter,
        });
    }
    user
}

/// The text of an error and of its causes, which has neither the address nor the password.
fn text(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
