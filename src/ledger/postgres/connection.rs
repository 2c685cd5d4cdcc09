//! The connection to the database, with the tables that are needed.

use std::time::Duration;

use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, IsolationLevel, NoTls, Socket, Transaction};

use crate::ledger::postgres::tls::Tls;
use crate::platform::tls::load_tls;

pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long connecting and each piece of work may take. A network may drop what is sent without a word.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// What every transaction begins with: the server of a database ends what takes longer than this one waits for it, and
/// what a server that was stopped has begun. Otherwise other servers would wait for its orders.
const LIMITS: &str = "SET LOCAL statement_timeout = '8s'; SET LOCAL lock_timeout = '5s'; \
    SET LOCAL idle_in_transaction_session_timeout = '10s'";
/// The versions of the tables. Each adds to the one before.
const SCHEMA: [&str; 1] = [include_str!("schema_1.sql")];
/// Names the lock under which the tables are made: the bytes of `b_xsolla`.
const LOCK: i64 = i64::from_be_bytes(*b"b_xsolla");

/// Connects, and makes the tables that are missing.
pub(super) async fn connect(config: &Config) -> Result<Client, Failure> {
    let mut config = config.clone();
    if config.get_connect_timeout().is_none() {
        // One that does not answer leaves the others their time.
        let hosts = config.get_hosts().len().max(config.get_hostaddrs().len());
        let hosts = u32::try_from(hosts).unwrap_or(u32::MAX).max(1);
        config.connect_timeout(PATIENCE / (hosts + 1));
    }
    let mut client = match config.get_ssl_mode() {
        SslMode::Disable => start(&config, NoTls).await?,
        _ => start(&config, Tls(load_tls().await?)).await?,
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

pub(super) async fn begin(client: &mut Client) -> Result<Transaction<'_>, Failure> {
    let transaction = client.build_transaction();
    // Whatever the default of the database is, a transaction sees what others have committed while it waited for them.
    let transaction = transaction.isolation_level(IsolationLevel::ReadCommitted);
    let transaction = transaction.start().await?;
    transaction.batch_execute(LIMITS).await?;
    Ok(transaction)
}

async fn start<T>(config: &Config, tls: T) -> Result<Client, Failure>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await?;
    // Its task ends with the connection, and its errors are those of what is asked.
    tokio::spawn(async { drop(connection.await) });
    Ok(client)
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
