//! The game's tables in a PostgreSQL database that servers share.
//!
//! A thread of its own writes to the database, so that a slow one holds up no frame. What it cannot write it tries
//! again until it can, or until the server ends: then the ledger tells another server of it.

use std::collections::VecDeque;
use std::time::Duration;

use bevy::prelude::*;
use bevy_xsolla::prelude::*;
use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::error::{Error, SqlState};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls};

use crate::{News, Unwritten, background, granted, say};

/// The inventory is a view that counts the grants, so it cannot disagree with them. The number is that of a lock:
/// PostgreSQL refuses to make the same table twice at the same time.
const SCHEMA: &str = "
    BEGIN;
    SELECT pg_advisory_xact_lock(20260401);
    CREATE TABLE IF NOT EXISTS grants (
        order_id bigint PRIMARY KEY,
        player   text NOT NULL
    );
    CREATE TABLE IF NOT EXISTS granted_items (
        order_id bigint NOT NULL REFERENCES grants,
        sku      text NOT NULL,
        quantity bigint NOT NULL
    );
    CREATE TABLE IF NOT EXISTS refunds (
        order_id bigint PRIMARY KEY REFERENCES grants
    );
    CREATE OR REPLACE VIEW inventory AS
        SELECT player, sku, sum(quantity) AS quantity
        FROM grants JOIN granted_items USING (order_id)
        WHERE order_id NOT IN (SELECT order_id FROM refunds) GROUP BY player, sku;
    COMMIT";

/// How long the database may take. A network may drop what is sent without a word.
const PATIENCE: Duration = Duration::from_secs(10);
/// Has the database end what was begun by a server that does not go on, and has locked an order.
const OPTIONS: &str = "-c statement_timeout=10s -c idle_in_transaction_session_timeout=10s";
const RETRY: Duration = Duration::from_secs(1);
/// How often the ledger is searched for refunds that no server has written down.
const LOOK: Duration = Duration::from_secs(5);

/// What the thread tells the game.
enum Report {
    Written(News, Outcome),
    /// It tries again.
    Trouble(String),
    /// There was trouble, and it is over.
    Back,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It is in the database now.
    New,
    /// There was nothing to do: the order was granted or refunded before.
    Known,
    /// The game's tables had it, although the ledger did not. This is what the ledger has to prevent.
    Twice,
}

/// The way to the thread and back.
#[derive(Resource)]
struct Database {
    news: mpsc::UnboundedSender<News>,
    reports: Receiver<Report>,
    granted: usize,
    taken_back: usize,
    twice: usize,
}

/// Has the app write its news to the database at this address.
pub fn add(address: &str, project_id: u64, app: &mut App) -> Result<(), String> {
    // The error may have a part of the password in it.
    let unreadable = "the database's address is not as in postgres://user:password@host/database";
    let mut config: Config = address.parse().map_err(|_| unreadable.to_owned())?;
    let options = format!("{} {OPTIONS}", config.get_options().unwrap_or_default());
    config.options(options.trim());
    let (news, unwritten) = mpsc::unbounded_channel();
    let (written, reports) = unbounded();
    let connection = Connection {
        config,
        project_id: project_id.cast_signed(),
        client: None,
        has_tables: false,
    };
    background::spawn("database", run(connection, unwritten, written))
        .map_err(|error| format!("the database's thread: {error}"))?;
    app.insert_resource(Database {
        news,
        reports,
        granted: 0,
        taken_back: 0,
        twice: 0,
    })
    .add_systems(Update, (pass_on.after(crate::take_news), take_reports))
    .add_systems(Last, say_goodbye);
    Ok(())
}

fn pass_on(mut unwritten: ResMut<Unwritten>, database: Res<Database>) {
    for news in unwritten.bypass_change_detection().0.drain(..) {
        if database.news.send(news).is_err() {
            error!("the database's thread has ended");
        }
    }
}

fn take_reports(mut database: ResMut<Database>, mut commands: Commands) {
    let database = &mut *database;
    for report in database.reports.try_iter() {
        match report {
            Report::Written(news, outcome) => {
                say(line(&news, outcome));
                let is_new = usize::from(outcome == Outcome::New);
                database.twice += usize::from(outcome == Outcome::Twice);
                match news {
                    News::Done(order) => {
                        database.granted += is_new;
                        commands.acknowledge_order(order.order_id);
                    }
                    News::Refunded { .. } => database.taken_back += is_new,
                }
            }
            Report::Trouble(error) => warn!("the database cannot be used, trying again: {error}"),
            Report::Back => warn!("the database can be used again"),
        }
    }
}

fn line(news: &News, outcome: Outcome) -> String {
    match (news, outcome) {
        (News::Done(order), Outcome::New) => granted(order, order.user.as_str()),
        (News::Done(order), Outcome::Known) => {
            format!("order {}: was granted or refunded before", order.order_id)
        }
        (News::Refunded { order_id, .. }, Outcome::New) => {
            format!("order {order_id}: refunded, its items are taken back")
        }
        (News::Refunded { order_id, .. }, Outcome::Known) => {
            format!("order {order_id}: refunded, and there is nothing to take back")
        }
        (
            News::Done(OrderDone { order_id, .. }) | News::Refunded { order_id, .. },
            Outcome::Twice,
        ) => {
            format!("order {order_id}: REFUSED, the tables have this already")
        }
    }
}

fn say_goodbye(mut exits: MessageReader<AppExit>, database: Res<Database>) {
    if exits.read().next().is_some() {
        let Database {
            granted,
            taken_back,
            twice,
            ..
        } = &*database;
        say(format_args!(
            "stopped: {granted} granted, {taken_back} taken back, {twice} refused"
        ));
    }
}

/// Writes what there is to write, one after the other, and looks for refunds in between.
async fn run(
    mut connection: Connection,
    mut unwritten: mpsc::UnboundedReceiver<News>,
    reports: Sender<Report>,
) {
    // It ends with the server, and then nobody reads the reports.
    let tell = |report| drop(reports.send(report));
    let mut queue = VecDeque::new();
    let mut next_look = Instant::now();
    let mut is_in_trouble = false;
    loop {
        let wake_up = match queue.is_empty() {
            true => next_look,
            false => Instant::now(),
        };
        match timeout_at(wake_up, unwritten.recv()).await {
            Ok(Some(news)) => {
                queue.push_back(news);
                continue;
            }
            Ok(None) => return,
            Err(_) => {}
        }
        let result = if next_look <= Instant::now() {
            next_look = Instant::now() + LOOK;
            let found = connection
                .work(async |work| work.find_refunds().await)
                .await;
            found.map(|found| queue.extend(found))
        } else if let Some(news) = queue.pop_front() {
            match connection.work(async |work| work.write(&news).await).await {
                Ok(outcome) => {
                    tell(Report::Written(news, outcome));
                    Ok(())
                }
                Err(error) => {
                    // It goes to the end, so that one which can never be written holds up no other.
                    queue.push_back(news);
                    Err(error)
                }
            }
        } else {
            Ok(())
        };
        match result {
            Ok(()) if is_in_trouble => tell(Report::Back),
            Ok(()) => {}
            Err(error) => {
                if !is_in_trouble {
                    tell(Report::Trouble(error));
                }
                is_in_trouble = true;
                sleep(RETRY).await;
                continue;
            }
        }
        is_in_trouble = false;
    }
}

/// The connection, which is opened when it is needed and given up at any error.
struct Connection {
    config: Config,
    project_id: i64,
    client: Option<Client>,
    has_tables: bool,
}

struct Work<'a> {
    client: &'a mut Client,
    project_id: i64,
}

impl Connection {
    async fn work<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Work) -> Result<T, Error>,
    ) -> Result<T, String> {
        let known = self.client.take();
        let done = timeout(PATIENCE, async {
            let mut client = match known {
                Some(client) => client,
                None => self.connect().await?,
            };
            let project_id = self.project_id;
            let done = work(&mut Work {
                client: &mut client,
                project_id,
            })
            .await?;
            Ok::<_, Error>((client, done))
        });
        match done.await {
            Ok(Ok((client, done))) => {
                self.client = Some(client);
                Ok(done)
            }
            Ok(Err(error)) => Err(match std::error::Error::source(&error) {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            }),
            Err(_) => Err("it does not answer".to_owned()),
        }
    }

    /// The connection is not encrypted: tokio-postgres takes an implementation of TLS in place of `NoTls`.
    async fn connect(&mut self) -> Result<Client, Error> {
        let (client, connection) = self.config.connect(NoTls).await?;
        // Its errors are those of what is asked.
        tokio::spawn(async { drop(connection.await) });
        if !self.has_tables {
            client.batch_execute(SCHEMA).await?;
            self.has_tables = true;
        }
        Ok(client)
    }
}

impl Work<'_> {
    async fn write(&mut self, news: &News) -> Result<Outcome, Error> {
        let written = match news {
            News::Done(order) => self.grant(order).await,
            News::Refunded { order_id, user } => self.take_back(*order_id, user).await,
        };
        match written {
            Ok(true) => Ok(Outcome::New),
            Ok(false) => Ok(Outcome::Known),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(Outcome::Twice),
            Err(error) => Err(error),
        }
    }

    /// Grants an order, and has the ledger note that, or does neither. Returns whether it was to be granted.
    async fn grant(&mut self, order: &OrderDone) -> Result<bool, Error> {
        let (id, user) = (key(order.order_id), order.user.as_str());
        let transaction = self.client.transaction().await?;
        let note = "SELECT bevy_xsolla.note_grant($1, $2, $3)";
        let parameters: [&(dyn ToSql + Sync); 3] = [&self.project_id, &id, &user];
        let is_new: bool = transaction.query_one(note, &parameters).await?.try_get(0)?;
        if !is_new {
            return Ok(false);
        }
        let insert = "INSERT INTO grants (order_id, player) VALUES ($1, $2)";
        transaction.execute(insert, &[&id, &user]).await?;
        let insert = "INSERT INTO granted_items (order_id, sku, quantity) VALUES ($1, $2, $3)";
        for item in &order.items {
            let quantity = item.quantity.cast_signed();
            transaction
                .execute(insert, &[&id, &item.sku, &quantity])
                .await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Takes back what an order brought, in the same way.
    async fn take_back(&mut self, order_id: OrderId, user: &str) -> Result<bool, Error> {
        let id = key(order_id);
        let transaction = self.client.transaction().await?;
        let note = "SELECT bevy_xsolla.note_refund($1, $2, $3)";
        let parameters: [&(dyn ToSql + Sync); 3] = [&self.project_id, &id, &user];
        let is_new: bool = transaction.query_one(note, &parameters).await?.try_get(0)?;
        if is_new {
            let insert = "INSERT INTO refunds (order_id) VALUES ($1)";
            transaction.execute(insert, &[&id]).await?;
        }
        // Also where there is nothing to take back: the order is not to be granted any more.
        transaction.commit().await?;
        Ok(is_new)
    }

    /// Finds the refunds that a server was told of, and died before it wrote them down.
    async fn find_refunds(&mut self) -> Result<Vec<News>, Error> {
        let select = "SELECT order_id, user_id FROM bevy_xsolla.orders
            WHERE project_id = $1 AND entry = 'canceled' AND is_granted AND NOT is_taken_back";
        let rows = match self.client.query(select, &[&self.project_id]).await {
            // The ledger is new, and its tables are not made yet.
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(Vec::new()),
            rows => rows?,
        };
        let news = rows.iter().map(|row| {
            Ok(News::Refunded {
                order_id: OrderId(row.try_get::<_, i64>(0)?.cast_unsigned()),
                user: row.try_get(1)?,
            })
        });
        news.collect()
    }
}

/// PostgreSQL's integers are signed. The 64 bits stay the same, so every id has its own key.
fn key(order_id: OrderId) -> i64 {
    order_id.0.cast_signed()
}
