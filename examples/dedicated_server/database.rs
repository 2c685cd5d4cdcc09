//! The server's database: who ordered what, and what was granted.

use std::path::Path;
use std::time::Duration;

use bevy::platform::cell::SyncCell;
use bevy::prelude::*;
use bevy_xsolla::prelude::*;
use rusqlite::{Connection, OptionalExtension, params};

/// What a player has is not stored but counted, so it cannot disagree with the grants.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS orders (
        order_id INTEGER PRIMARY KEY,
        player   TEXT NOT NULL,
        sku      TEXT NOT NULL,
        quantity INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS grants (
        order_id INTEGER PRIMARY KEY,  -- An order is granted once, whatever happens.
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

/// `Connection` is not `Sync`; whoever has `ResMut<Database>` has it alone.
#[derive(Resource)]
pub struct Database(SyncCell<Connection>);

/// An order as the players made it.
pub struct Ordered {
    pub order_id: OrderId,
    pub player: String,
    pub sku: String,
    pub quantity: u64,
    pub is_granted: bool,
    pub is_refunded: bool,
}

impl Database {
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        // Another program that reads it must not hold up the game for long.
        connection.busy_timeout(Duration::from_millis(100))?;
        // `FULL`: a transaction that is done survives a power cut, too.
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

    /// The oldest first.
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

    /// `None` for an order that is not granted.
    pub fn is_refunded(&mut self, order_id: OrderId) -> rusqlite::Result<Option<bool>> {
        let refunded = "SELECT refunded FROM grants WHERE order_id = ?";
        self.0
            .get()
            .query_row(refunded, [key(order_id)], |row| row.get(0))
            .optional()
    }

    /// All of the order or nothing of it, and only once; a line about which it was.
    pub fn grant(&mut self, order: &OrderDone) -> rusqlite::Result<String> {
        let id = key(order.order_id);
        let transaction = self.0.get().transaction()?;
        let player = transaction
            .query_row(
                "SELECT player FROM orders WHERE order_id = ?",
                [id],
                |row| row.get(0),
            )
            .optional()?
            // From the ledger, and not in this database: it was paid all the same.
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
        let items = order.items.iter();
        let items: Vec<_> = items
            .map(|item| format!("{} {}", item.quantity, item.sku))
            .collect();
        Ok(format!(
            "order {}: granted to {player}: {}",
            order.order_id,
            items.join(", ")
        ))
    }

    /// The player has their money back, so what the order brought is theirs no more.
    pub fn take_back(&mut self, order_id: OrderId) -> rusqlite::Result<String> {
        let changed = self.0.get().execute(
            "UPDATE grants SET refunded = 1 WHERE order_id = ? AND NOT refunded",
            [key(order_id)],
        )?;
        Ok(match changed {
            0 => format!("order {order_id}: refunded, and there is nothing to take back"),
            _ => format!("order {order_id}: refunded, its items are taken back"),
        })
    }

    pub fn summary(&mut self) -> rusqlite::Result<String> {
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

/// SQLite's integers have a sign. The same 64 bits, so no id is lost.
fn key(order_id: OrderId) -> i64 {
    order_id.0.cast_signed()
}
