//! The tables of a game with one server: who ordered what, and what was granted. They are in a file.

use std::path::Path;
use std::time::Duration;

use bevy::platform::cell::SyncCell;
use bevy::prelude::*;
use bevy::time::common_conditions::on_timer;
use bevy_xsolla::prelude::*;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{News, Unwritten, granted, say};

/// The inventory is a view that counts the grants, so it cannot disagree with them.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS orders (
        order_id INTEGER PRIMARY KEY,
        player   TEXT NOT NULL,
        sku      TEXT NOT NULL,
        quantity INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS grants (
        order_id INTEGER PRIMARY KEY,  -- It is unique, so no order is granted twice.
        player   TEXT NOT NULL,
        refunded INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE IF NOT EXISTS granted_items (
        order_id INTEGER NOT NULL REFERENCES grants,
        sku      TEXT NOT NULL,
        quantity INTEGER NOT NULL
    );
    CREATE VIEW IF NOT EXISTS inventory AS
        SELECT player, sku, SUM(quantity) AS quantity
        FROM grants JOIN granted_items USING (order_id)
        WHERE NOT refunded GROUP BY player, sku;";

/// `Connection` is not `Sync`, so it is in a `SyncCell`: a system with `ResMut<Database>` is its only user.
#[derive(Resource)]
pub struct Database(SyncCell<Connection>);

/// An order as a player made it, and whether it was granted.
pub struct Ordered {
    pub order_id: OrderId,
    pub player: String,
    pub sku: String,
    pub quantity: u64,
    pub is_granted: bool,
    pub is_refunded: bool,
}

/// Has the app write its news to the database in this file.
pub fn add(path: &Path, app: &mut App) -> rusqlite::Result<()> {
    app.insert_resource(Database::open(path)?)
        .add_systems(
            Update,
            // A write that failed, because the disk is full, is tried again each second.
            write_news
                .after(crate::take_news)
                .run_if(has_news.or_else(on_timer(Duration::from_secs(1)))),
        )
        .add_systems(Last, say_goodbye);
    Ok(())
}

fn has_news(news: Res<Unwritten>) -> bool {
    news.is_changed() && !news.0.is_empty()
}

/// This blocks the frame for the few milliseconds that SQLite takes. `postgres.rs` gives the work to a thread.
fn write_news(mut news: ResMut<Unwritten>, mut database: ResMut<Database>, mut commands: Commands) {
    // Otherwise these changes would make `has_news` true in the next frame.
    let news = &mut news.bypass_change_detection().0;
    while let Some(next) = news.front() {
        let result = match next {
            News::Done(order) => database.grant(order).inspect(|_| {
                // The transaction is on the disk by now.
                commands.acknowledge_order(order.order_id);
            }),
            News::Refunded { order_id, .. } => database.take_back(*order_id),
        };
        match result {
            Ok(line) => say(line),
            Err(error) => {
                error!("the database cannot be written, trying again: {error}");
                return;
            }
        }
        news.pop_front();
    }
}

fn say_goodbye(mut exits: MessageReader<AppExit>, database: ResMut<Database>) {
    if exits.read().next().is_some() {
        match database.into_inner().summary() {
            Ok(summary) => say(format_args!("stopped: {summary}")),
            Err(error) => error!("the database cannot be read: {error}"),
        }
    }
}

impl Database {
    fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        // Another program that reads the database must not hold up the game for long.
        connection.busy_timeout(Duration::from_millis(100))?;
        // With `FULL` a transaction that is done survives a power cut, too.
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(SyncCell::new(connection)))
    }

    pub fn note_order(&mut self, order: &Ordered) -> rusqlite::Result<()> {
        self.0.get().execute(
            "INSERT INTO orders (order_id, player, sku, quantity) VALUES (?, ?, ?, ?)",
            params![
                key(order.order_id),
                order.player,
                order.sku,
                order.quantity.cast_signed()
            ],
        )?;
        Ok(())
    }

    /// All orders, the oldest first.
    pub fn orders(&mut self) -> rusqlite::Result<Vec<Ordered>> {
        self.0
            .get()
            .prepare(
                "SELECT o.order_id, o.player, o.sku, o.quantity, g.refunded
                 FROM orders o LEFT JOIN grants g USING (order_id) ORDER BY o.order_id",
            )?
            .query_map([], |row| {
                let refunded: Option<bool> = row.get(4)?;
                Ok(Ordered {
                    order_id: OrderId(row.get::<_, i64>(0)?.cast_unsigned()),
                    player: row.get(1)?,
                    sku: row.get(2)?,
                    quantity: row.get::<_, i64>(3)?.cast_unsigned(),
                    is_granted: refunded.is_some(),
                    is_refunded: refunded == Some(true),
                })
            })?
            .collect()
    }

    /// Whether the order was refunded; `None` if it was never granted.
    pub fn is_refunded(&mut self, order_id: OrderId) -> rusqlite::Result<Option<bool>> {
        let refunded = "SELECT refunded FROM grants WHERE order_id = ?";
        self.0
            .get()
            .query_row(refunded, [key(order_id)], |row| row.get(0))
            .optional()
    }

    /// Grants the whole order, unless it was granted before. It returns a line that says which it was.
    fn grant(&mut self, order: &OrderDone) -> rusqlite::Result<String> {
        let id = key(order.order_id);
        let transaction = self.0.get().transaction()?;
        let player = transaction
            .query_row(
                "SELECT player FROM orders WHERE order_id = ?",
                [id],
                |row| row.get(0),
            )
            .optional()?
            // The ledger knows the order and this database does not. It was paid, so it is granted.
            .unwrap_or_else(|| order.user.to_string());
        let is_new = transaction.execute(
            "INSERT INTO grants (order_id, player) VALUES (?, ?) ON CONFLICT DO NOTHING",
            params![id, player],
        )? > 0;
        if !is_new {
            return Ok(format!("order {}: was granted before", order.order_id));
        }
        for item in &order.items {
            transaction.execute(
                "INSERT INTO granted_items (order_id, sku, quantity) VALUES (?, ?, ?)",
                params![id, item.sku, item.quantity.cast_signed()],
            )?;
        }
        transaction.commit()?;
        Ok(granted(order, &player))
    }

    /// Takes back what the order brought, because the player has their money back.
    fn take_back(&mut self, order_id: OrderId) -> rusqlite::Result<String> {
        let changed = self.0.get().execute(
            "UPDATE grants SET refunded = 1 WHERE order_id = ? AND NOT refunded",
            [key(order_id)],
        )?;
        Ok(match changed {
            0 => format!("order {order_id}: refunded, and there is nothing to take back"),
            _ => format!("order {order_id}: refunded, its items are taken back"),
        })
    }

    fn summary(&mut self) -> rusqlite::Result<String> {
        let count =
            "SELECT (SELECT COUNT(*) FROM orders), COUNT(*), IFNULL(SUM(refunded), 0) FROM grants";
        self.0.get().query_row(count, [], |row| {
            let (orders, granted, refunded): (i64, i64, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(format!(
                "{granted} of {orders} orders granted, {refunded} refunded"
            ))
        })
    }
}

/// SQLite's integers are signed. The 64 bits stay the same, so every id has its own key.
fn key(order_id: OrderId) -> i64 {
    order_id.0.cast_signed()
}
