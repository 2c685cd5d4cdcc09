//! Tests of the ledger in a browser's storage, where each store stands for a tab.

use std::time::Duration;

use tokio::sync::mpsc;

use super::*;
use crate::ledger::shelf::Shelf;
use crate::ledger::task::Writer;
use crate::ledger::tests::{
    ACKNOWLEDGED, GRANTED, OPEN, alice, check_order_of_guest, check_owners, commit, entries,
    players, record,
};
use crate::ledger::writer::Job;
use crate::model::ledger::{Ledger, LedgerReport, LedgerState, LoadOutcome};
use crate::platform::runtime::sleep;
use crate::platform::time::Instant;

/// The order of the shared tests.
const SEVEN: OrderId = OrderId(7);
const DEADLINE: Duration = Duration::from_secs(30);

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

/// Opens the ledger as a tab does.
async fn open() -> Shelf {
    // The browser hears meanwhile that an earlier tab has released its locks.
    sleep(Duration::from_millis(1)).await;
    Shelf::new(Ledger::user_data(), open_user_data())
}

/// Deletes the databases of the tests' projects. Databases that are open close by themselves.
async fn delete_all() {
    for project_id in [1, 2] {
        delete(project_id).await;
    }
}

async fn delete(project_id: u64) {
    let factory = Reflect::get(&js_sys::global(), &"indexedDB".into()).unwrap();
    let factory: IdbFactory = factory.unchecked_into();
    let request = factory.delete_database(&name(project_id)).unwrap();
    assert!(result(&request).await.is_ok());
}

async fn wait_until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waited = timeout(DEADLINE, async {
        while !is_so().await {
            sleep(Duration::from_millis(1)).await;
        }
    });
    assert!(waited.await.is_some(), "waited in vain until {what}");
}

/// Runs code in the page.
fn run(code: &str) -> JsValue {
    js_sys::eval(code).unwrap()
}

/// The rows of project 1, as text.
async fn rows() -> Vec<String> {
    let (database, _) = open_database().await;
    let (_, orders) = begin(&database, "readonly");
    let Ok(rows) = result(&orders.get_all().unwrap()).await else {
        panic!("the rows cannot be read");
    };
    let text = |row| js_sys::JSON::stringify(&row).unwrap().into();
    Array::from(&rows).iter().map(text).collect()
}

/// Puts a row in the place of an order of project 1.
async fn put(row: &str) {
    let (database, _) = open_database().await;
    let (transaction, orders) = begin(&database, "readwrite");
    let ended = ended(&transaction);
    orders.put(&js_sys::JSON::parse(row).unwrap()).unwrap();
    assert!(ended.await.is_ok());
}

async fn open_database() -> (Database, bool) {
    let Ok(opened) = Database::open(&name(1)).await else {
        panic!("the database does not open");
    };
    opened
}

fn begin(database: &Database, mode: &str) -> (IdbTransaction, IdbObjectStore) {
    let Ok(begun) = database.transaction(mode) else {
        panic!("there is no transaction");
    };
    begun
}

#[test]
async fn an_order_of_a_guest_that_the_linked_account_acknowledges_is_not_open_for_the_guest_again()
{
    delete_all().await;
    check_order_of_guest(open().await).await;
}

#[test]
async fn an_order_has_one_owner_and_one_entry_whatever_happens() {
    for seed in 0..10 {
        delete_all().await;
        check_owners(seed, true, false, open).await;
    }
}

#[test]
async fn players_and_projects_have_their_own_orders_which_are_there_in_the_next_run() {
    delete_all().await;
    let [guest, linked, ..] = players();
    // A number of JavaScript would be rounded.
    let large = OrderId(u64::MAX);
    let mut shelf = open().await;
    record(&mut shelf, 1, &guest, SEVEN, OPEN);
    record(&mut shelf, 1, &linked, large, GRANTED);
    record(&mut shelf, 2, &guest, SEVEN, ACKNOWLEDGED);
    shelf.commit().await;
    assert_eq!(shelf.trouble(), None);
    drop(shelf);
    let mut shelf = open().await;
    assert_eq!(entries(&mut shelf, 1, &guest).await, [(SEVEN, OPEN)]);
    assert_eq!(entries(&mut shelf, 1, &linked).await, [(large, GRANTED)]);
    let of_other_project = entries(&mut shelf, 2, &guest).await;
    assert_eq!(of_other_project, [(SEVEN, ACKNOWLEDGED)]);
    assert_eq!(entries(&mut shelf, 2, &linked).await, []);
}

#[test]
async fn what_is_written_is_on_the_disk_when_it_is_told() {
    delete_all().await;
    let (database, _) = open_database().await;
    let (transaction, _) = begin(&database, "readwrite");
    let durability = Reflect::get(&transaction, &"durability".into()).unwrap();
    assert_eq!(durability, "strict");
}

#[test]
async fn a_record_of_a_later_version_is_not_granted_again_and_keeps_its_text() {
    delete_all().await;
    let [guest, linked, ..] = players();
    let later =
        r#"{"order":"7","record":"{\"entry\":\"returned\",\"since\":[1]}","user":"o:guest"}"#;
    let more = r#"{"order":"8","record":"{\"entry\":\"granted\",\"at\":1000,\"note\":\"later\"}","user":"o:guest","note":1}"#;
    for row in [later, more] {
        put(row).await;
    }
    let mut shelf = open().await;
    assert_eq!(
        commit(&mut shelf, &guest, GRANTED).await,
        Some(ACKNOWLEDGED)
    );
    record(&mut shelf, 1, &guest, OrderId(8), GRANTED);
    shelf.commit().await;
    assert_eq!(rows().await, [later, more]);
    assert_eq!(commit(&mut shelf, &linked, OPEN).await, Some(ACKNOWLEDGED));
}

#[test]
async fn a_row_that_cannot_be_read_hides_no_other() {
    delete_all().await;
    let [guest, ..] = players();
    put(r#"{"order":"seven","user":"o:guest"}"#).await;
    put(r#"{"order":"8","user":"o:guest"}"#).await;
    let mut shelf = open().await;
    assert_eq!(commit(&mut shelf, &guest, OPEN).await, None);
    let known = [(SEVEN, OPEN), (OrderId(8), ACKNOWLEDGED)];
    assert_eq!(entries(&mut shelf, 1, &guest).await, known);
}

#[test]
async fn a_second_tab_has_a_players_orders_once_the_first_has_released_them() {
    delete_all().await;
    let [guest, linked, ..] = players();
    let (mut first, mut second) = (open().await, open().await);
    commit(&mut first, &guest, OPEN).await;
    let locked = Err(LedgerError::Locked { path: path(1) });
    assert_eq!(second.load(1, &guest).await, locked);
    record(&mut second, 1, &guest, SEVEN, GRANTED);
    second.commit().await;
    assert!(second.has_changes());
    // Another player's are free.
    assert_eq!(entries(&mut second, 1, &linked).await, []);
    first.release(1, &guest);
    first.commit().await;
    wait_until("the second tab has written", async || {
        second.commit().await;
        !second.has_changes()
    })
    .await;
    assert_eq!(entries(&mut second, 1, &guest).await, [(SEVEN, GRANTED)]);
    assert_eq!(first.load(1, &guest).await, locked);
    drop(second);
    wait_until("the first tab has read", async || {
        first.load(1, &guest).await.is_ok()
    })
    .await;
    assert_eq!(entries(&mut first, 1, &guest).await, [(SEVEN, GRANTED)]);
}

#[test]
async fn a_tab_does_not_take_itself_for_another_one() {
    delete_all().await;
    let [guest, ..] = players();
    let mut shelf = open().await;
    commit(&mut shelf, &guest, OPEN).await;
    for _ in 0..20 {
        shelf.release(1, &guest);
        shelf.commit().await;
        assert_eq!(entries(&mut shelf, 1, &guest).await, [(SEVEN, OPEN)]);
    }
}

#[test]
async fn a_change_that_the_browser_refuses_is_made_when_it_does_not_and_never_by_half() {
    delete_all().await;
    let [guest, ..] = players();
    let mut shelf = open().await;
    commit(&mut shelf, &guest, OPEN).await;
    for (reason, code) in [
        (
            "refused",
            "throw new DOMException('refused', 'UnknownError')",
        ),
        ("aborted", "setTimeout(() => this.transaction.abort())"),
    ] {
        run(&format!(
            "globalThis.put = IDBObjectStore.prototype.put;
            IDBObjectStore.prototype.put = function (row) {{
                if (row.order === '9') {{ {code} }}
                return put.apply(this, arguments);
            }}"
        ));
        record(&mut shelf, 1, &guest, OrderId(8), GRANTED);
        record(&mut shelf, 1, &guest, OrderId(9), OPEN);
        shelf.commit().await;
        run("IDBObjectStore.prototype.put = put");
        assert!(shelf.has_changes(), "{reason}");
        let Some(LedgerError::Unavailable { message, .. }) = shelf.trouble() else {
            panic!("{reason}: {:?}", shelf.trouble());
        };
        assert!(message.contains(reason), "{message}");
        assert_eq!(rows().await.len(), 1, "{reason}");
        shelf.commit().await;
        assert!(!shelf.has_changes(), "{reason}: {:?}", shelf.trouble());
        assert_eq!(rows().await.len(), 3, "{reason}");
        for order_id in [8, 9] {
            shelf.erase(1, guest.clone(), OrderId(order_id));
        }
        shelf.commit().await;
    }
}

#[test]
async fn a_browser_without_storage_is_trouble_with_its_reason_until_there_is_some() {
    delete_all().await;
    let [guest, ..] = players();
    let mut shelf = open().await;
    run("globalThis.openDatabase = IDBFactory.prototype.open;
        IDBFactory.prototype.open = () => { throw new DOMException('blocked', 'SecurityError') }");
    record(&mut shelf, 1, &guest, SEVEN, GRANTED);
    shelf.commit().await;
    let loaded = shelf.load(1, &guest).await;
    run("IDBFactory.prototype.open = openDatabase");
    let trouble = LedgerError::Unavailable {
        path: path(1),
        message: "SecurityError: blocked".to_owned(),
    };
    assert_eq!(loaded, Err(trouble.clone()));
    assert_eq!(shelf.trouble(), Some(trouble));
    shelf.commit().await;
    assert_eq!(entries(&mut shelf, 1, &guest).await, [(SEVEN, GRANTED)]);
    assert_eq!(shelf.trouble(), None);
}

/// The writer of a tab.
struct Tab {
    writer: Writer,
    inbox: mpsc::Receiver<LedgerReport>,
    reports: Vec<LedgerReport>,
}

impl Tab {
    fn open() -> Self {
        let (reports, inbox) = mpsc::channel(100);
        let writer = Writer::start(reports).unwrap();
        writer.give(Job::Configure {
            ledger: Ledger::user_data(),
            project_id: 1,
        });
        Self {
            writer,
            inbox,
            reports: Vec::new(),
        }
    }

    fn write(&self, entry: LedgerEntry) {
        self.writer.give(Job::Record {
            user: alice(),
            order_id: SEVEN,
            entry,
            claims: true,
        });
    }

    /// Waits for a report, and forgets it and all earlier ones.
    async fn wait_for(&mut self, what: &str, is_it: impl Fn(&LedgerReport) -> bool) {
        let waited = timeout(DEADLINE, async {
            while !self.reports.last().is_some_and(&is_it) {
                self.reports.push(self.inbox.recv().await.unwrap());
            }
        });
        assert!(waited.await.is_some(), "no {what}: {:?}", self.reports);
        self.reports.clear();
    }

    async fn wait_until_written(&mut self, written: LedgerEntry) {
        self.wait_for(
            "entry",
            |report| matches!(report, LedgerReport::Recorded { entry, .. } if *entry == written),
        )
        .await;
    }
}

#[test]
async fn a_database_that_is_deleted_while_it_is_used_is_told_and_written_anew() {
    delete_all().await;
    let mut tab = Tab::open();
    tab.write(OPEN);
    tab.wait_until_written(OPEN).await;
    delete(1).await;
    tab.wait_for("loss", |report| matches!(report, LedgerReport::Lost))
        .await;
    // The machine records anew what it knows.
    tab.write(GRANTED);
    tab.wait_for("trouble", |report| {
        let lost = LedgerState::Trouble(LedgerError::Lost { path: path(1) });
        matches!(report, LedgerReport::State(state) if *state == lost)
    })
    .await;
    tab.wait_until_written(GRANTED).await;
    assert_eq!(rows().await.len(), 1);
}

#[test]
async fn a_database_that_was_deleted_before_it_was_used_is_a_new_one() {
    delete_all().await;
    let [guest, ..] = players();
    commit(&mut open().await, &guest, OPEN).await;
    delete(1).await;
    let mut shelf = open().await;
    assert_eq!(entries(&mut shelf, 1, &guest).await, []);
    assert!(!shelf.has_lost());
    assert_eq!(shelf.trouble(), None);
}

#[test]
async fn a_tab_that_waits_has_a_players_orders_at_once_when_the_other_one_leaves_them() {
    for way in ["closes", "logs out"] {
        delete_all().await;
        let mut first = Tab::open();
        first.write(GRANTED);
        first.wait_until_written(GRANTED).await;
        let mut second = Tab::open();
        second.writer.give(Job::Load(alice()));
        second
            .wait_for("lock", |report| {
                matches!(
                    report,
                    LedgerReport::Loaded {
                        outcome: LoadOutcome::Locked,
                        ..
                    }
                )
            })
            .await;
        // It looks again by itself after a second.
        let start = Instant::now();
        let first = match way {
            "closes" => {
                drop(first);
                None
            }
            _ => {
                first.writer.give(Job::Release(alice()));
                Some(first)
            }
        };
        second
            .wait_for("orders", |report| {
                let LedgerReport::Loaded { orders, .. } = report else {
                    return false;
                };
                orders.iter().map(|order| order.entry).eq([GRANTED])
            })
            .await;
        let taken = start.elapsed();
        assert!(taken < Duration::from_millis(500), "{way}: {taken:?}");
        drop((first, second));
        sleep(Duration::from_millis(1)).await;
    }
}

#[test]
async fn a_lock_for_which_a_tab_does_not_wait_any_more_goes_to_the_next_one() {
    delete_all().await;
    let [guest, ..] = players();
    let [mut first, mut second, mut third, mut fourth] =
        [open().await, open().await, open().await, open().await];
    commit(&mut first, &guest, GRANTED).await;
    for waiting in [&mut second, &mut third, &mut fourth] {
        let locked = Err(LedgerError::Locked { path: path(1) });
        assert_eq!(waiting.load(1, &guest).await, locked);
    }
    // The player logs out in one of the tabs, and another one closes.
    second.release(1, &guest);
    second.commit().await;
    drop(third);
    first.release(1, &guest);
    first.commit().await;
    wait_until("the fourth tab has read", async || {
        fourth.load(1, &guest).await.is_ok()
    })
    .await;
    // The second tab does not hold it, and can have it again.
    assert!(second.load(1, &guest).await.is_err());
    drop(fourth);
    wait_until("the second tab has read", async || {
        second.load(1, &guest).await.is_ok()
    })
    .await;
}
