//! Tests of the ledger's thread on a real disk, with files that are in use, in the way, cut short and
//! damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bevy::tasks::block_on;
use tokio::sync::mpsc;

use super::Writer;
use crate::ledger::memory::Memory;
use crate::ledger::store::Blocking;
use crate::ledger::tests::{ORDER, alice};
use crate::ledger::writer::{Job, Shelves};
use crate::model::ledger::{Ledger, LedgerError, LedgerReport, LedgerState, LedgerStore};
use crate::model::order::OrderId;
use crate::model::record::{LedgerChange, LedgerEntry, LedgerRecord};
use crate::model::user::UserId;

mod losses;
mod moves;
mod shared;
mod versions;

/// A file that the first version wrote: orders 7, 8 and 9 of alice, in project 1.
const FIRST_VERSION: &[u8] = include_bytes!("../../fixtures/0.1.0.redb");
const DEADLINE: Duration = Duration::from_secs(30);

/// A folder for one test, which is removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("bevy_xsolla-ledger-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn ledger(&self) -> Ledger {
        Ledger::at(self.0.join("ledger.redb"))
    }

    /// Opens the file as another instance would, once the earlier thread has released it.
    fn in_use(&self) -> ::redb::Database {
        self.wait_for(&self.0.join("ledger.redb"))
    }

    fn wait_for(&self, path: &Path) -> ::redb::Database {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match ::redb::Database::create(path) {
                Ok(database) => return database,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Clerk {
    writer: Writer,
    inbox: mpsc::Receiver<LedgerReport>,
    reports: Vec<LedgerReport>,
}

impl Clerk {
    fn new(ledger: Ledger) -> Self {
        // There is room for all reports that come before a test reads them.
        let (reports, inbox) = mpsc::channel(10_000);
        let writer = Writer::start(reports).unwrap();
        let clerk = Self {
            writer,
            inbox,
            reports: Vec::new(),
        };
        clerk.open(ledger);
        clerk
    }

    fn open(&self, ledger: Ledger) {
        self.writer.give(Job::Configure {
            ledger,
            project_id: 1,
        });
    }

    fn load(&self) {
        self.writer.give(Job::Load(alice()));
    }

    fn write(&self, entry: LedgerEntry) {
        self.writer.give(Job::Record {
            user: alice(),
            order_id: ORDER,
            entry,
            claims: true,
        });
    }

    fn erase(&self) {
        self.writer.give(Job::Erase {
            user: alice(),
            order_id: ORDER,
        });
    }

    fn flush(&mut self) {
        let (done, is_done) = crossbeam_channel::bounded(1);
        self.writer.give(Job::Flush(done));
        is_done.recv_timeout(DEADLINE).unwrap();
        self.collect();
    }

    fn collect(&mut self) {
        self.reports
            .extend(std::iter::from_fn(|| self.inbox.try_recv().ok()));
    }

    #[track_caller]
    fn wait_for(&mut self, what: &str, is_it: impl Fn(&LedgerReport) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !self.reports.iter().any(&is_it) {
            assert!(Instant::now() < deadline, "no {what}: {:?}", self.reports);
            std::thread::sleep(Duration::from_millis(5));
            self.collect();
        }
    }

    fn loaded(&mut self) -> Vec<LedgerEntry> {
        self.wait_for("load", |report| {
            matches!(report, LedgerReport::Loaded { .. })
        });
        let entries = |report: &LedgerReport| match report {
            LedgerReport::Loaded { orders, .. } => orders.iter().map(|order| order.entry).collect(),
            _ => Vec::new(),
        };
        self.reports.iter().flat_map(entries).collect()
    }

    fn has_written(&self, entry: LedgerEntry) -> bool {
        let is_it =
            |r: &LedgerReport| matches!(r, LedgerReport::Recorded { entry: e, .. } if *e == entry);
        self.reports.iter().any(is_it)
    }
}

/// Reads the entries as the next run would.
fn read_again(ledger: Ledger) -> Vec<LedgerEntry> {
    let mut clerk = Clerk::new(ledger);
    clerk.load();
    clerk.loaded()
}

#[test]
fn an_acknowledgement_is_reported_once_it_is_on_the_disk_and_an_open_order_at_once() {
    let folder = Folder::new("durable");
    let in_the_way = folder.0.join("file");
    fs::write(&in_the_way, "").unwrap();
    let mut clerk = Clerk::new(Ledger::at(in_the_way.join("ledger.redb")));
    clerk.write(LedgerEntry::Open);
    clerk.write(LedgerEntry::Acknowledged);
    clerk.flush();
    assert!(clerk.has_written(LedgerEntry::Open) && !clerk.has_written(LedgerEntry::Acknowledged));
    clerk.wait_for("trouble", |report| {
        matches!(
            report,
            LedgerReport::State(LedgerState::Trouble(LedgerError::Unavailable { .. }))
        )
    });
    // Once the file is out of the way, the entry is written and the trouble is over.
    fs::remove_file(&in_the_way).unwrap();
    clerk.wait_for("acknowledgement", |report| {
        matches!(
            report,
            LedgerReport::Recorded {
                entry: LedgerEntry::Acknowledged,
                ..
            }
        )
    });
    clerk.wait_for("end of it", |report| {
        matches!(report, LedgerReport::State(LedgerState::Kept))
    });
}

#[test]
fn an_entry_is_raised_and_never_lowered_until_it_is_erased() {
    let folder = Folder::new("raised");
    let mut clerk = Clerk::new(folder.ledger());
    clerk.write(LedgerEntry::Acknowledged);
    clerk.flush();
    clerk.write(LedgerEntry::Open);
    clerk.flush();
    drop(clerk);
    assert_eq!(read_again(folder.ledger()), [LedgerEntry::Acknowledged]);
    drop(folder.in_use());
    let mut clerk = Clerk::new(folder.ledger());
    clerk.erase();
    clerk.write(LedgerEntry::Open);
    clerk.flush();
    drop(clerk);
    assert_eq!(read_again(folder.ledger()), [LedgerEntry::Open]);
}

#[test]
fn what_is_tracked_while_the_file_is_in_use_does_not_replace_what_it_has() {
    let folder = Folder::new("late");
    let mut clerk = Clerk::new(folder.ledger());
    clerk.write(LedgerEntry::Acknowledged);
    clerk.flush();
    drop(clerk);
    let other = folder.in_use();
    let mut clerk = Clerk::new(folder.ledger());
    clerk.load();
    assert_eq!(clerk.loaded(), [], "it is not waited for longer");
    clerk.write(LedgerEntry::Open);
    clerk.flush();
    clerk.wait_for("trouble", |report| {
        matches!(
            report,
            LedgerReport::State(LedgerState::Trouble(LedgerError::Locked { .. }))
        )
    });
    drop(other);
    clerk.wait_for("late read", |report| {
        matches!(report, LedgerReport::Loaded { orders, .. }
            if orders.iter().any(|order| order.entry == LedgerEntry::Acknowledged))
    });
}

#[test]
fn what_another_player_had_is_reported_also_if_it_could_not_be_read_at_first() {
    let folder = Folder::new("before");
    let mut clerk = Clerk::new(folder.ledger());
    clerk.write(LedgerEntry::Acknowledged);
    clerk.flush();
    drop(clerk);
    let other = folder.in_use();
    let mut clerk = Clerk::new(folder.ledger());
    clerk.writer.give(Job::Record {
        user: UserId::new('s', "bob"),
        order_id: ORDER,
        entry: LedgerEntry::Open,
        claims: true,
    });
    clerk.flush();
    let reported = |report: &LedgerReport| match report {
        LedgerReport::Recorded { before, .. } => Some(*before),
        _ => None,
    };
    let at_first: Vec<_> = clerk.reports.iter().filter_map(reported).collect();
    assert_eq!(at_first, [None], "it is not waited for longer");
    drop(other);
    clerk.wait_for("what alice had", |report| {
        reported(report) == Some(Some(LedgerEntry::Acknowledged))
    });
}

#[test]
fn a_read_that_waits_outlives_other_settings_other_jobs_and_its_own_repetition() {
    let folder = Folder::new("waits");
    let other = folder.in_use();
    let mut clerk = Clerk::new(folder.ledger());
    for _ in 0..5 {
        clerk.load();
    }
    clerk.open(folder.ledger());
    // A stream of jobs must not put the read off.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        clerk.write(LedgerEntry::Open);
        std::thread::sleep(Duration::from_millis(10));
    }
    clerk.collect();
    let loads = |clerk: &Clerk| {
        let reports = clerk.reports.iter();
        reports
            .filter(|r| matches!(r, LedgerReport::Loaded { .. }))
            .count()
    };
    assert_eq!(loads(&clerk), 1, "given up, for the time being");
    drop(other);
    clerk.wait_for(
        "late read",
        |report| matches!(report, LedgerReport::Loaded { orders, .. } if !orders.is_empty()),
    );
    assert_eq!(loads(&clerk), 2);
}

#[test]
fn a_file_cut_to_nothing_is_damage_and_not_a_new_one() {
    let folder = Folder::new("empty");
    fs::write(folder.0.join("ledger.redb"), "").unwrap();
    let mut clerk = Clerk::new(folder.ledger());
    clerk.load();
    clerk.wait_for("trouble", |report| {
        matches!(
            report,
            LedgerReport::State(LedgerState::Trouble(LedgerError::Damaged { .. }))
        )
    });
    // The file is put aside only once, although it is used again.
    clerk.write(LedgerEntry::Open);
    clerk.flush();
    let aside = fs::read_dir(&folder.0).unwrap().flatten();
    let aside = aside.filter(|file| file.file_name().to_string_lossy().contains("damaged"));
    assert_eq!(aside.count(), 1);
}

/// Orders are granted after these reports, and a game that is told of a grant can ask what its ledger is worth.
#[test]
fn trouble_is_reported_before_what_was_read_or_written() {
    for is_read in [true, false] {
        let folder = Folder::new(&format!("first-{is_read}"));
        fs::write(folder.0.join("ledger.redb"), "garbage").unwrap();
        let mut clerk = Clerk::new(folder.ledger());
        match is_read {
            true => clerk.load(),
            false => clerk.write(LedgerEntry::Open),
        }
        clerk.flush();
        clerk.wait_for("report of the work", |report| {
            !matches!(report, LedgerReport::State(_))
        });
        let first = clerk.reports.first();
        let is_told = matches!(
            first,
            Some(LedgerReport::State(LedgerState::Trouble(
                LedgerError::Damaged { .. }
            )))
        );
        assert!(is_told, "{:?}", clerk.reports);
    }
}

#[test]
fn what_is_written_after_a_player_was_released_is_kept() {
    let folder = Folder::new("released");
    let mut clerk = Clerk::new(folder.ledger());
    clerk.write(LedgerEntry::Open);
    clerk.flush();
    // A file of several players stays open; a player's own file (the default place) would be closed.
    clerk.writer.give(Job::Release(alice()));
    clerk.write(LedgerEntry::Granted);
    clerk.flush();
    drop(clerk);
    assert_eq!(read_again(folder.ledger()), [LedgerEntry::Granted]);
}

#[test]
fn a_file_that_the_first_version_wrote_is_read_and_written() {
    let folder = Folder::new("first-version");
    fs::write(folder.0.join("ledger.redb"), FIRST_VERSION).unwrap();
    let mut clerk = Clerk::new(folder.ledger());
    clerk.load();
    let kept = [
        LedgerEntry::Open,
        LedgerEntry::Granted,
        LedgerEntry::Acknowledged,
    ];
    assert_eq!(clerk.loaded(), kept);
    clerk.write(LedgerEntry::Acknowledged);
    clerk.flush();
    drop(clerk);
    let raised = read_again(folder.ledger());
    assert_eq!(raised.first(), Some(&LedgerEntry::Acknowledged));
    assert_eq!(raised.len(), 3);
}

/// A store that refuses, panics and works, in turn.
#[derive(Default)]
struct Moody {
    store: Memory,
    calls: u32,
}

impl Moody {
    fn is_willing(&mut self) -> Result<(), LedgerError> {
        self.calls += 1;
        match self.calls % 3 {
            1 => Err(LedgerError::Custom("not now".to_owned())),
            2 => panic!("the game's own store"),
            _ => Ok(()),
        }
    }
}

impl LedgerStore for Moody {
    fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError> {
        self.store.load(project_id, user)
    }

    fn commit(
        &mut self,
        changes: &[LedgerChange],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        self.is_willing()?;
        self.store.commit(changes)
    }
}

#[test]
fn a_store_of_the_games_own_is_tried_until_it_has_what_it_was_given() {
    let ledger = Ledger::custom(Moody::default());
    let mut clerk = Clerk::new(ledger.clone());
    clerk.write(LedgerEntry::Acknowledged);
    clerk.wait_for("trouble", |report| {
        let trouble = LedgerState::Trouble(LedgerError::Custom("not now".to_owned()));
        matches!(report, LedgerReport::State(state) if *state == trouble)
    });
    clerk.wait_for("acknowledgement", |report| {
        matches!(report, LedgerReport::Recorded { .. })
    });
    clerk.wait_for("end of it", |report| {
        matches!(report, LedgerReport::State(LedgerState::Kept))
    });
    drop(clerk);
    assert_eq!(read_again(ledger), [LedgerEntry::Acknowledged]);
}

/// A store that never works.
struct Broken;

impl LedgerStore for Broken {
    fn load(&mut self, _: u64, _: &UserId) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError> {
        Err(LedgerError::Custom("broken".to_owned()))
    }

    fn commit(&mut self, _: &[LedgerChange]) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        Err(LedgerError::Custom("broken".to_owned()))
    }
}

#[test]
fn a_store_that_takes_the_place_of_a_broken_one_is_used() {
    let mut clerk = Clerk::new(Ledger::custom(Broken));
    clerk.write(LedgerEntry::Open);
    clerk.flush();
    let works = Ledger::custom(Memory::default());
    clerk.open(works.clone());
    clerk.write(LedgerEntry::Open);
    clerk.flush();
    drop(clerk);
    assert_eq!(read_again(works), [LedgerEntry::Open]);
}

#[test]
fn a_write_that_fails_is_soon_tried_again_and_rarely_once_it_has_failed_for_seconds() {
    let mut shelves = Shelves::new(|_| ());
    block_on(shelves.take(Job::Configure {
        ledger: Ledger::custom(Broken),
        project_id: 1,
    }));
    block_on(shelves.take(Job::Record {
        user: alice(),
        order_id: ORDER,
        entry: LedgerEntry::Open,
        claims: true,
    }));
    let mut time_to_next_try = || {
        block_on(shelves.settle());
        let next = shelves.deadline().unwrap();
        next.saturating_duration_since(Instant::now())
    };
    assert!(time_to_next_try() <= Duration::from_millis(50));
    let start = Instant::now();
    while time_to_next_try() < Duration::from_millis(500) {
        assert!(start.elapsed() < DEADLINE, "it is still tried that often");
        std::thread::sleep(Duration::from_millis(5));
    }
}
