//! Tests of orders that move from player to player, within a run and from run to run, in every kind of store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::redb::Database;

use super::*;
use crate::ledger::redb;
use crate::ledger::shelf::Shelf;
use crate::ledger::tests as kinds;
use crate::ledger::tests::{ACKNOWLEDGED, GRANTED, OPEN, players, record};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Memory,
    OneFile,
    UserData,
}

impl Kind {
    pub(super) fn open(self, folder: &Folder) -> Shelf {
        match self {
            Self::Memory => Shelf::open(Ledger::disabled()),
            Self::OneFile => Shelf::open(folder.ledger()),
            Self::UserData => user_data(folder),
        }
    }
}

/// The ledger of the user's data directory, in this folder.
pub(super) fn user_data(folder: &Folder) -> Shelf {
    let store = redb::Folder::new(folder.0.clone());
    Shelf::new(Ledger::user_data(), Ok(Box::new(Blocking(store))))
}

pub(super) fn entries(
    shelf: &mut Shelf,
    project: u64,
    user: &UserId,
) -> Vec<(OrderId, LedgerEntry)> {
    block_on(kinds::entries(shelf, project, user))
}

/// Records an entry, and returns what the order had before.
pub(super) fn commit(shelf: &mut Shelf, user: &UserId, entry: LedgerEntry) -> Option<LedgerEntry> {
    block_on(kinds::commit(shelf, user, entry))
}

#[test]
fn an_order_of_a_guest_that_the_linked_account_acknowledges_is_not_open_for_the_guest_again() {
    for kind in [Kind::Memory, Kind::OneFile, Kind::UserData] {
        let folder = Folder::new("guest");
        block_on(kinds::check_order_of_guest(kind.open(&folder)));
    }
}

#[test]
fn an_order_has_one_owner_and_one_entry_whatever_happens() {
    for kind in [Kind::Memory, Kind::OneFile, Kind::UserData] {
        println!("{kind:?}");
        let is_kept = kind != Kind::Memory;
        for seed in 0..if is_kept { 10 } else { 500 } {
            let folder = Folder::new("owner");
            let open = async || kind.open(&folder);
            block_on(kinds::check_owners(seed, is_kept, false, open));
        }
    }
}

#[test]
fn nothing_is_lost_or_open_again_while_other_instances_hold_the_files_of_players() {
    for seed in 0..12 {
        let mut random = fastrand::Rng::with_seed(seed);
        let folder = Folder::new("held");
        let players: Vec<UserId> = (0..4).map(|n| UserId::new('s', &n.to_string())).collect();
        let file = |user: &UserId| {
            let name = format!("1/s_3a{}.redb", user.subject().unwrap());
            folder.0.join(name)
        };
        let mut shelf = user_data(&folder);
        let mut held: BTreeMap<UserId, Database> = BTreeMap::new();
        let mut highest: BTreeMap<OrderId, LedgerEntry> = BTreeMap::new();
        for _ in 0..60 {
            let user = random.choice(&players).unwrap().clone();
            let order_id = OrderId(random.u64(0..4));
            match random.u32(0..8) {
                0..4 => {
                    let entry = *random.choice([OPEN, GRANTED, ACKNOWLEDGED].iter()).unwrap();
                    record(&mut shelf, 1, &user, order_id, entry);
                    let known = highest.entry(order_id).or_insert(entry);
                    *known = entry.max(*known);
                    block_on(shelf.commit());
                }
                4 => shelf.release(1, &user),
                5 => {
                    shelf.release(1, &user);
                    block_on(shelf.commit());
                    if let Ok(database) = Database::open(file(&user)) {
                        held.insert(user, database);
                    }
                }
                6 => drop(held.remove(&user)),
                _ => drop(block_on(shelf.load(1, &user))),
            }
        }
        held.clear();
        block_on(shelf.commit());
        assert!(!shelf.has_changes(), "seed {seed}: {:?}", shelf.trouble());
        drop(shelf);
        let mut shelf = user_data(&folder);
        let mut loaded: BTreeMap<OrderId, Vec<LedgerEntry>> = BTreeMap::new();
        for user in &players {
            for (order_id, entry) in entries(&mut shelf, 1, user) {
                loaded.entry(order_id).or_default().push(entry);
            }
        }
        for (order_id, highest) in highest {
            let entries = loaded.remove(&order_id).unwrap_or_default();
            assert_eq!(
                entries.iter().max(),
                Some(&highest),
                "seed {seed}, {order_id}"
            );
            let is_open = |entry: &LedgerEntry| *entry != ACKNOWLEDGED;
            assert!(
                highest != ACKNOWLEDGED || !entries.iter().any(is_open),
                "seed {seed}, {order_id}: {entries:?}"
            );
        }
    }
}

#[test]
fn a_players_file_that_is_held_elsewhere_holds_up_no_other_and_no_entry_goes_before_its_successor()
{
    let folder = Folder::new("held-up");
    let [guest, linked, ..] = players();
    let mut shelf = user_data(&folder);
    for user in [&guest, &linked] {
        commit(&mut shelf, user, OPEN);
        shelf.release(1, user);
    }
    block_on(shelf.commit());
    // The order is the linked account's now, and its entry cannot be written.
    let held = Database::open(folder.0.join("1/s_3aalice.redb")).unwrap();
    record(&mut shelf, 1, &linked, OrderId(8), GRANTED);
    record(&mut shelf, 1, &guest, OrderId(9), OPEN);
    block_on(shelf.commit());
    assert!(shelf.waits_for(1, OrderId(8)) && !shelf.waits_for(1, OrderId(9)));
    assert!(matches!(shelf.trouble(), Some(LedgerError::Locked { .. })));
    record(&mut shelf, 1, &linked, OrderId(9), ACKNOWLEDGED);
    shelf.erase(1, guest.clone(), OrderId(9));
    block_on(shelf.commit());
    // The order is the linked account's for this run. After a crash, the guest would still have it.
    assert_eq!(entries(&mut shelf, 1, &guest), []);
    let crashed = Folder::new("held-up-crashed");
    let file = "1/o_3aguest.redb";
    fs::create_dir_all(crashed.0.join("1")).unwrap();
    fs::copy(folder.0.join(file), crashed.0.join(file)).unwrap();
    let known = entries(&mut user_data(&crashed), 1, &guest);
    assert_eq!(known, [(OrderId(9), OPEN)]);
    drop(held);
    block_on(shelf.commit());
    assert!(!shelf.has_changes());
    assert_eq!(entries(&mut shelf, 1, &guest), []);
    let known = [
        (ORDER, OPEN),
        (OrderId(8), GRANTED),
        (OrderId(9), ACKNOWLEDGED),
    ];
    assert_eq!(entries(&mut shelf, 1, &linked), known);
    assert_eq!(shelf.trouble(), None);
}

#[test]
fn an_order_that_two_players_have_is_acknowledged_for_both_once_it_is_for_one() {
    let folder = Folder::new("crash");
    let [guest, linked, ..] = players();
    // A crash between the two commits leaves the order in both files.
    let mut shelf = user_data(&folder);
    commit(&mut shelf, &guest, OPEN);
    drop(shelf);
    let path = folder.0.join("1/o_3aguest.redb");
    let before = fs::read(&path).unwrap();
    let mut shelf = user_data(&folder);
    commit(&mut shelf, &linked, ACKNOWLEDGED);
    drop(shelf);
    fs::write(&path, before).unwrap();

    let mut shelf = user_data(&folder);
    assert_eq!(entries(&mut shelf, 1, &guest), [(ORDER, ACKNOWLEDGED)]);
    // It is the linked account's from then on.
    assert_eq!(entries(&mut shelf, 1, &guest), []);
    assert_eq!(entries(&mut shelf, 1, &linked), [(ORDER, ACKNOWLEDGED)]);
}

#[test]
fn the_file_of_another_player_is_left_alone_whatever_is_in_it() {
    let folder = Folder::new("siblings");
    let [guest, ..] = players();
    let project = folder.0.join("1");
    fs::create_dir_all(project.join("folder.redb")).unwrap();
    let mut contents = vec![
        ("empty.redb", Vec::new()),
        ("garbage.redb", vec![0x5a; 50_000]),
        ("cut.redb", FIRST_VERSION[..9_000].to_vec()),
    ];
    let mut damaged = FIRST_VERSION.to_vec();
    damaged[4_096..].fill(0xff);
    contents.push(("damaged.redb", damaged));
    for (name, bytes) in &contents {
        fs::write(project.join(name), bytes).unwrap();
    }
    let mut shelf = user_data(&folder);
    assert_eq!(commit(&mut shelf, &guest, OPEN), None);
    assert_eq!(entries(&mut shelf, 1, &guest), [(ORDER, OPEN)]);
    assert_eq!(shelf.trouble(), None);
    for (name, _) in &contents {
        assert!(project.join(name).exists(), "{name}");
    }
    let files = fs::read_dir(&project).unwrap().count();
    assert_eq!(files, contents.len() + 2, "nothing is put aside");
}

#[test]
fn an_order_is_found_among_hundreds_of_files_and_the_search_ends() {
    let folder = Folder::new("many");
    let [guest, linked, ..] = players();
    let project = folder.0.join("1");
    fs::create_dir_all(&project).unwrap();
    for n in 0..300 {
        fs::write(project.join(format!("o_3a{n}.redb")), FIRST_VERSION).unwrap();
    }
    let mut shelf = user_data(&folder);
    commit(&mut shelf, &guest, GRANTED);
    let start = Instant::now();
    assert_eq!(commit(&mut shelf, &linked, OPEN), Some(GRANTED));
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

/// A store that can be read and not written.
struct Full(Memory, Arc<AtomicBool>);

impl LedgerStore for Full {
    fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError> {
        self.0.load(project_id, user)
    }

    fn commit(
        &mut self,
        changes: &[LedgerChange],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        match self.1.load(Ordering::Relaxed) {
            true => Err(LedgerError::Custom("the disk is full".to_owned())),
            false => self.0.commit(changes),
        }
    }
}

#[test]
fn what_a_full_disk_does_not_take_counts_when_it_is_read() {
    let is_full = Arc::new(AtomicBool::new(false));
    let store = Full(Memory::default(), is_full.clone());
    let mut shelf = Shelf::new(Ledger::disabled(), Ok(Box::new(Blocking(store))));
    let [guest, linked, ..] = players();
    for order in 1..=4 {
        record(&mut shelf, 1, &guest, OrderId(order), OPEN);
    }
    block_on(shelf.commit());
    is_full.store(true, Ordering::Relaxed);
    shelf.erase(1, guest.clone(), OrderId(1));
    record(&mut shelf, 1, &guest, OrderId(2), ACKNOWLEDGED);
    record(&mut shelf, 1, &linked, OrderId(3), GRANTED);
    record(&mut shelf, 1, &guest, OrderId(5), OPEN);
    block_on(shelf.commit());
    let hers = [
        (OrderId(2), ACKNOWLEDGED),
        (OrderId(4), OPEN),
        (OrderId(5), OPEN),
    ];
    let theirs = [(OrderId(3), GRANTED)];
    for _ in 0..2 {
        assert_eq!(entries(&mut shelf, 1, &guest), hers);
        assert_eq!(entries(&mut shelf, 1, &linked), theirs);
        is_full.store(false, Ordering::Relaxed);
        block_on(shelf.commit());
        assert!(!shelf.has_changes());
    }
    // What one account was to acknowledge is known to the other, although the disk has none of it.
    is_full.store(true, Ordering::Relaxed);
    record(&mut shelf, 1, &guest, OrderId(6), ACKNOWLEDGED);
    record(&mut shelf, 1, &linked, OrderId(6), OPEN);
    block_on(shelf.commit());
    is_full.store(false, Ordering::Relaxed);
    let before = block_on(shelf.commit());
    assert_eq!(before.get(&(1, OrderId(6))), Some(&Some(ACKNOWLEDGED)));
}

#[test]
fn a_players_file_is_released_once_everything_of_theirs_is_written_and_no_longer_after_that() {
    let folder = Folder::new("let-go");
    let [guest, linked, ..] = players();
    let path = folder.0.join("1/o_3aguest.redb");
    let mut shelf = user_data(&folder);
    let held = {
        commit(&mut shelf, &guest, OPEN);
        shelf.release(1, &guest);
        block_on(shelf.commit());
        Database::open(&path).unwrap()
    };
    // It cannot be written now, and is written and released once it can.
    record(&mut shelf, 1, &guest, ORDER, ACKNOWLEDGED);
    shelf.release(1, &guest);
    block_on(shelf.commit());
    assert!(shelf.has_changes());
    drop(held);
    block_on(shelf.commit());
    assert!(!shelf.has_changes());
    drop(Database::open(&path).unwrap());
    // The players of an earlier project are released with it.
    commit(&mut shelf, &linked, OPEN);
    commit(&mut shelf, &guest, OPEN);
    assert!(Database::open(&path).is_err());
    shelf.release_all();
    block_on(shelf.commit());
    drop(Database::open(&path).unwrap());
}
