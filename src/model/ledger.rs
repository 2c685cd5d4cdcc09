//! The ledger, which stores orders while the game is not running: its setting, its records, and its errors.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bevy::prelude::{Reflect, ReflectDefault, ReflectResource, Resource};
use thiserror::Error;

use crate::model::order::OrderId;
use crate::model::record::{LedgerChange, LedgerEntry, LedgerRecord, Restored};
use crate::model::user::UserId;

/// The place where orders are stored while the game is not running.
///
/// Orders are found again by their user. A player with a Pay Station token, which cannot be read, and without an
/// [external id](crate::XsollaUser::with_external_id) counts as another player with each token, so their stored
/// orders are not found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger(pub(crate) Place);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    #[default]
    UserData,
    At(PathBuf),
    Disabled,
    Custom(CustomLedger),
    #[cfg(feature = "postgres")]
    Postgres(DatabaseAddress),
}

/// The address of a database, which may have a password in it.
#[cfg(feature = "postgres")]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DatabaseAddress(pub(crate) Arc<str>);

#[cfg(feature = "postgres")]
impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

impl Ledger {
    /// Stores orders in the user's data directory, in one file for each Xsolla project and user:
    /// `bevy_xsolla/<project id>/<user>.redb` below `~/.local/share` (Linux; `XDG_DATA_HOME` if it is set),
    /// `~/Library/Application Support` (macOS), or `%APPDATA%` (Windows). This is the default.
    pub fn user_data() -> Self {
        Self(Place::UserData)
    }

    /// Stores the orders of all projects and users in this file. Its folder is created if it is missing.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(Place::At(path.into()))
    }

    /// Stores no orders. A purchase that is paid after the game was closed is not granted by this crate.
    pub fn disabled() -> Self {
        Self(Place::Disabled)
    }

    /// Stores orders in a store that the game provides, such as a server's database. It is called on a thread that
    /// may block.
    pub fn custom(store: impl LedgerStore) -> Self {
        Self(Place::Custom(CustomLedger {
            is_shared: store.is_shared(),
            store: Arc::new(Mutex::new(store)),
        }))
    }

    /// Stores orders in a PostgreSQL database that a studio's servers share (feature `postgres`). `address` is as in
    /// `postgres://user:password@host/database`, with the [parameters](https://docs.rs/tokio-postgres/latest/tokio_postgres/config/struct.Config.html)
    /// of tokio-postgres.
    ///
    /// An order is followed by one server at a time. A server takes it over, from whichever has it, when the order's
    /// player comes, when its game tracks the order, or when a webhook tells of it. From then on the other one cannot
    /// write what it knows of the order, and grants nothing of it: its phase becomes
    /// [`OrderPhase::Elsewhere`](crate::OrderPhase::Elsewhere) there.
    ///
    /// The tables are made at the first connection, in a schema `bevy_xsolla`. A connection is encrypted if the server
    /// can do it, unless `sslmode` says otherwise, and then its certificate has to be one that the system trusts.
    #[cfg(feature = "postgres")]
    pub fn postgres(address: impl Into<String>) -> Self {
        Self(Place::Postgres(DatabaseAddress(address.into().into())))
    }

    /// Whether servers share it.
    pub(crate) fn is_shared(&self) -> bool {
        match &self.0 {
            Place::UserData | Place::At(_) | Place::Disabled => false,
            Place::Custom(custom) => custom.is_shared,
            #[cfg(feature = "postgres")]
            Place::Postgres(_) => true,
        }
    }
}

/// A store that the game provides. Two are equal if they are the same instance.
#[derive(Clone)]
pub(crate) struct CustomLedger {
    is_shared: bool,
    store: Arc<Mutex<dyn LedgerStore>>,
}

impl CustomLedger {
    fn lock(&self) -> MutexGuard<'_, dyn LedgerStore + 'static> {
        // A store that has panicked reports by its own errors whether it still works.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CustomLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomLedger")
    }
}

impl PartialEq for CustomLedger {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.store, &other.store)
    }
}

impl Eq for CustomLedger {}

/// A store for orders, for [`Ledger::custom`].
///
/// Its records are no proof of payment: after a restart each open order is requested again, and only the server's
/// answer leads to a grant. It never receives a token.
///
/// A failed call is repeated every few seconds. Until it succeeds, [`LedgerState::Trouble`] has the error, and
/// tracking continues.
pub trait LedgerStore: Send + 'static {
    /// Returns all records of a player's orders in a project.
    fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError>;

    /// Makes all of the changes or none of them, durably: once it has returned, the changes survive a loss of
    /// power. Each order occurs at most once in `changes`.
    ///
    /// An order of a project has one record, whoever's it is: its key is the project and the order, and the
    /// player is a value beside the record. [`LedgerChange::apply`] computes both. It moves the record of another
    /// player to the one who tracks the order now.
    ///
    /// Returns what [`LedgerChange::before`] says of each change, in the order of the changes. An order that turns
    /// out to be acknowledged is not granted again.
    fn commit(&mut self, changes: &[LedgerChange])
    -> Result<Vec<Option<LedgerEntry>>, LedgerError>;

    /// Tells the store that the player has no open orders any more, so that it may close the resources that it
    /// holds for them.
    fn release(&mut self, project_id: u64, user: &UserId) {
        let _ = (project_id, user);
    }

    /// Returns a problem that exists although the store works, such as lost orders.
    fn trouble(&self) -> Option<LedgerError> {
        None
    }

    /// Whether the store has lost records since the last call, for example because its file was deleted. It is
    /// called after other calls and every few seconds. After a loss, all that this run knows is recorded anew.
    fn has_lost(&mut self) -> bool {
        false
    }

    /// Returns what the store has of these orders of a project, in their sequence, whoever's they are. Only
    /// `reconcile` asks for it.
    fn find(
        &mut self,
        project_id: u64,
        orders: &[OrderId],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        let _ = (project_id, orders);
        Err(LedgerError::NoLookUp)
    }

    /// Whether several servers use the store at the same time. Then a game is told that an order is done or canceled
    /// only once the store has committed a change of it.
    fn is_shared(&self) -> bool {
        false
    }

    /// Returns the orders that were this server's and are another's now, each once, with what the other has of them,
    /// and those whose [changes](LedgerChange::claims) were not made in the last commit because they are not this
    /// server's. It is called after each commit and every few seconds.
    fn taken(&mut self) -> Result<Vec<TakenOrder>, LedgerError> {
        Ok(Vec::new())
    }
}

/// An order that another server has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenOrder {
    /// The Xsolla project.
    pub project_id: u64,
    /// The order.
    pub order_id: OrderId,
    /// What the store has of it; `None` if it was erased.
    pub entry: Option<LedgerEntry>,
}

impl LedgerStore for CustomLedger {
    fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError> {
        self.lock().load(project_id, user)
    }

    fn commit(
        &mut self,
        changes: &[LedgerChange],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        self.lock().commit(changes)
    }

    fn release(&mut self, project_id: u64, user: &UserId) {
        self.lock().release(project_id, user);
    }

    fn trouble(&self) -> Option<LedgerError> {
        self.lock().trouble()
    }

    fn has_lost(&mut self) -> bool {
        self.lock().has_lost()
    }

    fn find(
        &mut self,
        project_id: u64,
        orders: &[OrderId],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        self.lock().find(project_id, orders)
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }

    fn taken(&mut self) -> Result<Vec<TakenOrder>, LedgerError> {
        self.lock().taken()
    }
}

/// Whether a player's orders could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoadOutcome {
    Read,
    /// Another instance of the game holds the ledger.
    Locked,
    /// The ledger has failed for too long. It may have orders all the same, and they are read once it works.
    Failed,
}

/// What the ledger tells the rest of the crate.
#[derive(Debug)]
pub(crate) enum LedgerReport {
    /// The entries of a player. They are reported again if they could not be read the first time.
    Loaded {
        project_id: u64,
        user: UserId,
        orders: Vec<Restored>,
        outcome: LoadOutcome,
    },
    /// The entry is durable. For an open order this is also reported if the entry could not be written, after
    /// [`LedgerReport::State`] has reported the trouble, because tracking does not wait for a disk that fails. It is
    /// reported again once it is written.
    Recorded {
        project_id: u64,
        order_id: OrderId,
        entry: LedgerEntry,
        /// The entry that the ledger had for the order before, whoever's it was.
        before: Option<LedgerEntry>,
        /// Whether it is written, so that `before` is what the ledger had.
        is_written: bool,
        /// Whether the order was claimed with it.
        claims: bool,
    },
    /// Another server has taken the order, and what was to be recorded of it is not.
    Taken(TakenOrder),
    /// The ledger has lost entries, and is to be told again what is known.
    Lost,
    /// Whether the ledger works.
    State(LedgerState),
}

/// Whether orders are stored while the game is not running. Tracking continues in every state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Resource, Reflect)]
// Nobody clones the entity of a resource, and a game in a browser would load the code.
#[component(clone_behavior = Ignore)]
#[reflect(no_auto_register, Resource, Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum LedgerState {
    /// Orders are stored.
    #[default]
    Kept,
    /// Orders are not stored, because the game has chosen [`Ledger::disabled`].
    Disabled,
    /// Some orders or all orders are not stored.
    Trouble(LedgerError),
}

impl LedgerState {
    /// The error, if there is one.
    pub fn trouble(&self) -> Option<&LedgerError> {
        match self {
            Self::Trouble(error) => Some(error),
            Self::Kept | Self::Disabled => None,
        }
    }
}

/// The reason that orders are not stored while the game is not running, or that some were lost.
///
/// Tracking continues nevertheless.
#[derive(Clone, Debug, Error, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LedgerError {
    /// Another program uses the file: another instance of the game, or on Windows a virus scanner, for a moment.
    #[error("another program uses the ledger {}", .path.display())]
    Locked {
        /// The ledger's file.
        path: PathBuf,
    },
    /// The file was damaged. It was renamed, and a new one was created.
    #[error("the ledger was damaged; it is kept as {}", .kept_as.display())]
    Damaged {
        /// The path of the damaged file.
        kept_as: PathBuf,
    },
    /// The file was deleted or replaced while the game was running. A new one was created, and what this run knows is
    /// written to it.
    #[error("the ledger {} was deleted or replaced; what this run knows is written anew", .path.display())]
    Lost {
        /// The ledger's file.
        path: PathBuf,
    },
    /// The file cannot be read or written, for example because the disk is full or read-only. The operation is
    /// repeated from time to time.
    #[error("the ledger {} cannot be used: {message}", .path.display())]
    Unavailable {
        /// The ledger's file.
        path: PathBuf,
        /// The system's error text.
        message: String,
    },
    /// A [custom](Ledger::custom) ledger cannot be used. The operation is repeated from time to time.
    #[error("the game's own ledger cannot be used: {0}")]
    Custom(String),
    /// The database cannot be used. The operation is repeated from time to time.
    #[error("the ledger's database cannot be used: {0}")]
    Database(String),
    /// The ledger finds orders by their player only.
    #[error("this ledger does not find an order without its player")]
    NoLookUp,
    /// The thread that writes the ledger cannot be started.
    #[error("the ledger's thread cannot start: {0}")]
    NoThread(String),
    /// The disk or the database does not answer.
    #[error("the ledger does not answer")]
    NoAnswer,
    /// This system has no data directory. [`Ledger::at`] names a file instead.
    #[error("this system has no data directory for the ledger")]
    NoPlace,
}
