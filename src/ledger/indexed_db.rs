//! The ledger in a browser: a database for each project, and a lock for each player, which tells the tabs of a browser
//! apart.
//!
//! What the bindings do not have, or mark as unstable, is called by its name.

mod browser;
mod locks;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;

use js_sys::{Array, Function, Object, Promise, Reflect};
use litemap::LiteMap;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    IdbDatabase, IdbFactory, IdbObjectStore, IdbObjectStoreParameters, IdbOpenDbRequest,
    IdbRequest, IdbTransaction,
};

use self::browser::{Failure, PATIENCE, of_navigator};

pub(super) use self::locks::LOCK_GRANTED;
use self::locks::Locks;
use crate::ledger::store::{Later, Store};
use crate::model::ledger::LedgerError;
use crate::model::order::OrderId;
use crate::model::record::{LedgerChange, LedgerEntry, LedgerRecord};
use crate::model::user::UserId;
use crate::platform::runtime::timeout;

/// The version of the database. A later version adds to [`IndexedDb::upgrade`].
const VERSION: u32 = 1;
/// The orders, by their number. Each has its player and its record.
const ORDERS: &str = "orders";
const ORDER: &str = "order";
/// The property with the player, and the index of it.
const USER: &str = "user";
const RECORD: &str = "record";

/// A browser has no files.
pub(super) fn open(path: PathBuf) -> Result<Box<dyn Store>, LedgerError> {
    let message = "a browser has no files".to_owned();
    Err(LedgerError::Unavailable { path, message })
}

/// Makes a ledger in the browser's storage for the page's origin.
pub(super) fn open_user_data() -> Result<Box<dyn Store>, LedgerError> {
    Ok(Box::new(IndexedDb::default()))
}

#[derive(Default)]
struct IndexedDb {
    databases: LiteMap<u64, Database>,
    locks: Locks,
    /// The projects whose databases were there in this run.
    known: Vec<u64>,
    /// The database that was deleted while it was used. It is reported for as long as the game runs.
    lost: Option<u64>,
    has_lost: bool,
    is_persistence_requested: bool,
}

/// An open database. It is closed when this is dropped.
struct Database {
    database: IdbDatabase,
    /// Whether the browser has closed it, for example because the player has deleted it.
    is_closed: Rc<Cell<bool>>,
    _handlers: [Closure<dyn FnMut()>; 2],
}

impl Store for IndexedDb {
    fn load<'a>(
        &'a mut self,
        project_id: u64,
        user: &'a UserId,
    ) -> Later<'a, Vec<(OrderId, LedgerRecord)>> {
        Box::pin(async move {
            let loaded = match self.locks.take(lock_name(project_id, user)).await {
                Ok(()) => {
                    self.attempt(project_id, async |database| database.load(user).await)
                        .await
                }
                Err(failure) => Err(failure),
            };
            loaded.map_err(|failure| describe(failure, project_id))
        })
    }

    fn commit<'a>(
        &'a mut self,
        changes: &'a [LedgerChange],
    ) -> Later<'a, Vec<Option<LedgerEntry>>> {
        Box::pin(async move {
            let mut before = Vec::new();
            // The changes of a player are made at once. Most often there is one player of one project.
            for changes in changes.chunk_by(|a, b| a.project_id == b.project_id) {
                let Some(project_id) = changes.first().map(|change| change.project_id) else {
                    continue;
                };
                let committed = self.commit_to(project_id, changes).await;
                before.extend(committed.map_err(|failure| describe(failure, project_id))?);
            }
            Ok(before)
        })
    }

    fn release(&mut self, project_id: u64, user: &UserId) {
        self.locks.release(&lock_name(project_id, user));
    }

    fn trouble(&self) -> Option<LedgerError> {
        let path = path(self.lost?);
        Some(LedgerError::Lost { path })
    }

    fn has_lost(&mut self) -> bool {
        let open = self.databases.len();
        self.databases
            .retain(|_, database| !database.is_closed.get());
        let is_closed = self.databases.len() < open;
        std::mem::take(&mut self.has_lost) || is_closed
    }
}

impl IndexedDb {
    async fn commit_to(
        &mut self,
        project_id: u64,
        changes: &[LedgerChange],
    ) -> Result<Vec<Option<LedgerEntry>>, Failure> {
        for change in changes {
            self.locks.take(lock_name(project_id, &change.user)).await?;
        }
        let is_open = |change: &LedgerChange| {
            change
                .record
                .is_some_and(|record| record.entry() == LedgerEntry::Open)
        };
        if changes.iter().any(is_open)
            && !std::mem::replace(&mut self.is_persistence_requested, true)
        {
            request_persistence();
        }
        self.attempt(project_id, async |database| database.commit(changes).await)
            .await
    }

    /// Works with a project's database, which is opened if it is not open. A database that fails is opened anew,
    /// because the browser may have closed it.
    async fn attempt<T>(
        &mut self,
        project_id: u64,
        work: impl AsyncFn(&Database) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let was_open = self.databases.contains_key(&project_id);
        match self.attempt_once(project_id, &work).await {
            Err(_) if was_open => self.attempt_once(project_id, &work).await,
            result => result,
        }
    }

    async fn attempt_once<T>(
        &mut self,
        project_id: u64,
        work: &impl AsyncFn(&Database) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let no_answer = || Failure::Other("the browser does not answer".to_owned());
        let open = self.databases.remove(&project_id);
        let open = open.filter(|database| !database.is_closed.get());
        let database = match open {
            Some(database) => database,
            None => {
                let opened = timeout(PATIENCE, Database::open(&name(project_id))).await;
                let (database, is_new) = opened.unwrap_or_else(|| Err(no_answer()))?;
                if !self.known.contains(&project_id) {
                    self.known.push(project_id);
                } else if is_new {
                    log::error!("the ledger {} was deleted", name(project_id));
                    self.lost = Some(project_id);
                    self.has_lost = true;
                }
                database
            }
        };
        let done = timeout(PATIENCE, work(&database)).await;
        let done = done.unwrap_or_else(|| Err(no_answer()))?;
        self.databases.insert(project_id, database);
        Ok(done)
    }
}

impl Database {
    /// Opens a database, and returns whether it was made.
    async fn open(name: &str) -> Result<(Self, bool), Failure> {
        let factory = Reflect::get(&js_sys::global(), &"indexedDB".into())?;
        let factory: IdbFactory = factory
            .dyn_into()
            .map_err(|_| Failure::Other("the browser has no IndexedDB".to_owned()))?;
        let request: IdbOpenDbRequest = factory.open_with_u32(name, VERSION)?;
        let is_new = Rc::new(Cell::new(false));
        let (of, made) = (request.clone(), is_new.clone());
        let upgrade = Closure::<dyn FnMut()>::new(move || {
            made.set(true);
            // A failure aborts the opening, which reports it.
            let _ = upgrade(&of);
        });
        request.set_onupgradeneeded(Some(upgrade.as_ref().unchecked_ref()));
        let database: IdbDatabase = result(&request).await?.unchecked_into();

        let is_closed = Rc::new(Cell::new(false));
        let closed = is_closed.clone();
        let at_close = Closure::<dyn FnMut()>::new(move || closed.set(true));
        database.set_onclose(Some(at_close.as_ref().unchecked_ref()));
        // A tab with a later version of the game, or the deletion of the database, waits for this.
        let (outdated, closed) = (database.clone(), is_closed.clone());
        let at_change = Closure::<dyn FnMut()>::new(move || {
            outdated.close();
            closed.set(true);
        });
        database.set_onversionchange(Some(at_change.as_ref().unchecked_ref()));
        let database = Self {
            database,
            is_closed,
            _handlers: [at_close, at_change],
        };
        Ok((database, is_new.get()))
    }

    async fn load(&self, user: &UserId) -> Result<Vec<(OrderId, LedgerRecord)>, Failure> {
        let (_, orders) = self.transaction("readonly")?;
        let request = orders
            .index(USER)?
            .get_all_with_key(&user.as_str().into())?;
        let rows: Array = result(&request).await?.unchecked_into();
        let mut records = Vec::new();
        for row in rows {
            let order_id = text(&row, ORDER).and_then(|text| text.parse().ok().map(OrderId));
            match order_id {
                Some(order_id) => records.push((order_id, record(&row))),
                None => log::warn!("an entry of the ledger cannot be read"),
            }
        }
        Ok(records)
    }

    /// Makes all changes in one transaction. It has ended when they are on the disk.
    async fn commit(&self, changes: &[LedgerChange]) -> Result<Vec<Option<LedgerEntry>>, Failure> {
        let (transaction, orders) = self.transaction("readwrite")?;
        let ended = ended(&transaction);
        match make(&orders, changes).await {
            Ok(before) => ended.await.map(|()| before),
            Err(failure) => {
                // The browser would keep the changes before the one that failed.
                let _ = transaction.abort();
                let _ = ended.await;
                Err(failure)
            }
        }
    }

    /// Begins a transaction, whose changes are on the disk when it has ended.
    fn transaction(&self, mode: &str) -> Result<(IdbTransaction, IdbObjectStore), Failure> {
        let options = Object::new();
        Reflect::set(&options, &"durability".into(), &"strict".into())?;
        let begin: Function = Reflect::get(&self.database, &"transaction".into())?.unchecked_into();
        let transaction = begin.call3(&self.database, &ORDERS.into(), &mode.into(), &options)?;
        let transaction: IdbTransaction = transaction.unchecked_into();
        let orders = transaction.object_store(ORDERS)?;
        Ok((transaction, orders))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.database.set_onclose(None);
        self.database.set_onversionchange(None);
        // A transaction that is under way still ends.
        self.database.close();
    }
}

fn describe(failure: Failure, project_id: u64) -> LedgerError {
    let path = path(project_id);
    match failure {
        Failure::Locked => LedgerError::Locked { path },
        Failure::Other(message) => LedgerError::Unavailable { path, message },
    }
}

fn upgrade(request: &IdbOpenDbRequest) -> Result<(), JsValue> {
    let database: IdbDatabase = request.result()?.unchecked_into();
    let parameters = IdbObjectStoreParameters::new();
    parameters.set_key_path(&ORDER.into());
    let orders = database.create_object_store_with_optional_parameters(ORDERS, &parameters)?;
    orders.create_index_with_str(USER, USER)?;
    Ok(())
}

/// Makes the changes in the transaction of this object store, and returns what each order had before.
async fn make(
    orders: &IdbObjectStore,
    changes: &[LedgerChange],
) -> Result<Vec<Option<LedgerEntry>>, Failure> {
    let mut requests = Vec::new();
    for change in changes {
        let request = orders.get(&key(change.order_id).into())?;
        requests.push(result(&request));
    }
    let mut before = Vec::new();
    // The transaction goes on for as long as there are requests, and the tasks run between two of them.
    for (change, request) in changes.iter().zip(requests) {
        let row = request.await?;
        let owner = text(&row, USER);
        let stored = owner.as_deref().map(|owner| (owner, record(&row)));
        before.push(change.before(stored));
        match change.apply(stored) {
            // What stays as it is keeps its text, which may have more than this version reads.
            after if after == stored => {}
            Some((owner, record)) => {
                let row = Object::new();
                for (name, value) in [
                    (ORDER, key(change.order_id)),
                    (USER, owner.to_owned()),
                    (RECORD, record.to_json()),
                ] {
                    Reflect::set(&row, &name.into(), &value.into())?;
                }
                orders.put(&row)?;
            }
            None => drop(orders.delete(&key(change.order_id).into())?),
        }
    }
    Ok(before)
}

/// The name of a project's database.
fn name(project_id: u64) -> String {
    format!("bevy_xsolla.{project_id}")
}

/// The name of the lock of a player's orders.
fn lock_name(project_id: u64, user: &UserId) -> String {
    format!("{} {}", name(project_id), user.as_str())
}

/// The name of a project's database, for an error.
fn path(project_id: u64) -> PathBuf {
    PathBuf::from(name(project_id))
}

/// An order's key, which is text because a number of a browser has 53 bits.
fn key(order_id: OrderId) -> String {
    order_id.0.to_string()
}

/// A property with a text; `None` if there is none, or nothing that has properties.
fn text(of: &JsValue, name: &str) -> Option<String> {
    Reflect::get(of, &name.into()).ok()?.as_string()
}

fn record(row: &JsValue) -> LedgerRecord {
    LedgerRecord::of_stored(text(row, RECORD).unwrap_or_default())
}

/// Waits for the result of a request, from now on.
fn result(request: &IdbRequest) -> impl Future<Output = Result<JsValue, Failure>> + use<> {
    let request = request.clone();
    let promise = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    async move {
        match JsFuture::from(promise).await {
            Ok(_) => Ok(request.result()?),
            Err(_) => Err(match request.error()? {
                Some(error) => Failure::from(JsValue::from(error)),
                None => Failure::Other("the browser does not say why".to_owned()),
            }),
        }
    }
}

/// Waits for the end of a transaction, from now on.
fn ended(transaction: &IdbTransaction) -> impl Future<Output = Result<(), Failure>> + use<> {
    let transaction = transaction.clone();
    let promise = Promise::new(&mut |resolve, reject| {
        transaction.set_oncomplete(Some(&resolve));
        transaction.set_onabort(Some(&reject));
    });
    async move {
        match JsFuture::from(promise).await {
            Ok(_) => Ok(()),
            Err(_) => Err(match transaction.error() {
                Some(error) => Failure::from(JsValue::from(error)),
                None => Failure::Other("the browser has aborted a change".to_owned()),
            }),
        }
    }
}

/// Asks the browser not to delete the ledger when space is short. Some ask the player.
fn request_persistence() {
    let requested = of_navigator("storage").and_then(|storage| {
        let persist: Function = Reflect::get(&storage, &"persist".into())
            .ok()?
            .dyn_into()
            .ok()?;
        persist.call0(&storage).ok()?.dyn_into::<Promise>().ok()
    });
    if let Some(answer) = requested {
        spawn_local(async move {
            let _ = JsFuture::from(answer).await;
        });
    }
}
