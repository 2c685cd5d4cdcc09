//! A ledger in a PostgreSQL database that servers share.
//!
//! Each server has a number of its own, and each order has the number of the server that follows it. A server takes an
//! order by writing its number, and a change by a server whose number it does not have is not made. So nothing depends on
//! clocks: a server that was stopped for an hour finds that its orders are others', or that nobody wanted them.
//!
//! Changes are written in batches, so one connection is enough. It is opened when it is needed, and given up at any
//! error.

mod connection;
mod names;
mod statements;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config};

use self::connection::{Failure, PATIENCE, begin, connect};
use self::names::stored_name;
use self::statements::{Key, erase, insert, key, lock, look, number, update};
use crate::ledger::store::{Blocking, Store};
use crate::model::ledger::{DatabaseAddress, LedgerError, LedgerStore, TakenOrder};
use crate::model::maps::HashSet;
use crate::model::order::OrderId;
use crate::model::record::{LedgerChange, LedgerEntry, LedgerRecord};
use crate::model::user::UserId;
use crate::platform::errors::text;
use crate::platform::time::Instant;

/// How often the database is asked whether other servers have taken orders. The writer looks every five seconds.
const LOOK: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 4 });
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
        let is_open = |(_, record): &&(OrderId, LedgerRecord)| record.entry().is_open();
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
                match record.entry().is_open() {
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
