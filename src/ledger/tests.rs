//! The ledger's thread on a real disk, with files that are in use, in the way, cut short and damaged.

use std::fs;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use std::path::PathBuf;

use super::writer::{Job, Report, Worker};
use crate::model::ledger::{Entry, Ledger, LedgerError};
use crate::model::order::OrderId;
use crate::model::user::UserId;

const ORDER: OrderId = OrderId(7);
const DEADLINE: Duration = Duration::from_secs(30);

fn alice() -> UserId {
    UserId::new('s', "alice")
}

/// A folder of the test's own, removed at its end.
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
        Ledger::At(self.0.join("ledger.redb"))
    }

    /// The file in the hands of another instance, once the thread before has let go of it.
    fn in_use(&self) -> ::redb::Database {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match ::redb::Database::create(self.0.join("ledger.redb")) {
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
    worker: Worker,
    inbox: mpsc::UnboundedReceiver<Report>,
    reports: Vec<Report>,
}

impl Clerk {
    fn new(ledger: Ledger) -> Self {
        let (reports, inbox) = mpsc::unbounded_channel();
        let worker = Worker::start(reports).unwrap();
        let clerk = Self {
            worker,
            inbox,
            reports: Vec::new(),
        };
        clerk.open(ledger);
        clerk
    }

    fn open(&self, ledger: Ledger) {
        self.worker.give(Job::Use {
            ledger,
            project_id: 1,
        });
    }

    fn load(&self) {
        self.worker.give(Job::Load { user: alice() });
    }

    fn write(&self, entry: Entry) {
        self.worker.give(Job::Write {
            user: alice(),
            order_id: ORDER,
            entry,
        });
    }

    fn erase(&self) {
        self.worker.give(Job::Erase {
            user: alice(),
            order_id: ORDER,
        });
    }

    fn flush(&mut self) {
        let (done, is_done) = crossbeam_channel::bounded(1);
        self.worker.give(Job::Flush(done));
        is_done.recv_timeout(DEADLINE).unwrap();
        self.collect();
    }

    fn collect(&mut self) {
        self.reports
            .extend(std::iter::from_fn(|| self.inbox.try_recv().ok()));
    }

    #[track_caller]
    fn wait_for(&mut self, what: &str, is_it: impl Fn(&Report) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !self.reports.iter().any(&is_it) {
            assert!(Instant::now() < deadline, "no {what}: {:?}", self.reports);
            std::thread::sleep(Duration::from_millis(5));
            self.collect();
        }
    }

    fn loaded(&mut self) -> Vec<Entry> {
        self.wait_for("load", |report| matches!(report, Report::Loaded { .. }));
        let entries = |report: &Report| match report {
            Report::Loaded { orders, .. } => orders.iter().map(|order| order.entry).collect(),
            _ => Vec::new(),
        };
        self.reports.iter().flat_map(entries).collect()
    }

    fn has_written(&self, entry: Entry) -> bool {
        let is_it = |r: &Report| matches!(r, Report::Written { entry: e, .. } if *e == entry);
        self.reports.iter().any(is_it)
    }
}

/// What the next run reads.
fn read_again(ledger: Ledger) -> Vec<Entry> {
    let mut clerk = Clerk::new(ledger);
    clerk.load();
    clerk.loaded()
}

#[test]
fn an_acknowledgement_is_reported_once_it_is_on_the_disk_and_an_open_order_at_once() {
    let folder = Folder::new("durable");
    let in_the_way = folder.0.join("file");
    fs::write(&in_the_way, "").unwrap();
    let mut clerk = Clerk::new(Ledger::At(in_the_way.join("ledger.redb")));
    clerk.write(Entry::Open);
    clerk.write(Entry::Acknowledged);
    clerk.flush();
    assert!(clerk.has_written(Entry::Open) && !clerk.has_written(Entry::Acknowledged));
    clerk.wait_for("trouble", |report| {
        matches!(
            report,
            Report::Trouble(Some(LedgerError::Unavailable { .. }))
        )
    });
    // The place is mended: it is written after all, and the trouble is over.
    fs::remove_file(&in_the_way).unwrap();
    clerk.wait_for("acknowledgement", |report| {
        matches!(
            report,
            Report::Written {
                entry: Entry::Acknowledged,
                ..
            }
        )
    });
    clerk.wait_for("end of it", |report| {
        matches!(report, Report::Trouble(None))
    });
}

#[test]
fn an_entry_is_raised_and_never_lowered_until_it_is_erased() {
    let folder = Folder::new("raised");
    let mut clerk = Clerk::new(folder.ledger());
    clerk.write(Entry::Acknowledged);
    clerk.flush();
    clerk.write(Entry::Open);
    clerk.flush();
    drop(clerk);
    assert_eq!(read_again(folder.ledger()), [Entry::Acknowledged]);
    drop(folder.in_use());
    let mut clerk = Clerk::new(folder.ledger());
    clerk.erase();
    clerk.write(Entry::Open);
    clerk.flush();
    drop(clerk);
    assert_eq!(read_again(folder.ledger()), [Entry::Open]);
}

#[test]
fn what_is_tracked_while_the_file_is_in_use_does_not_replace_what_it_has() {
    let folder = Folder::new("late");
    let mut clerk = Clerk::new(folder.ledger());
    clerk.write(Entry::Acknowledged);
    clerk.flush();
    drop(clerk);
    let other = folder.in_use();
    let mut clerk = Clerk::new(folder.ledger());
    clerk.load();
    assert_eq!(clerk.loaded(), [], "it is not waited for longer");
    clerk.write(Entry::Open);
    clerk.flush();
    clerk.wait_for("trouble", |report| {
        matches!(report, Report::Trouble(Some(LedgerError::Locked { .. })))
    });
    drop(other);
    clerk.wait_for("late read", |report| {
        matches!(report, Report::Loaded { orders, .. }
            if orders.iter().any(|order| order.entry == Entry::Acknowledged))
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
    // Jobs that keep coming must not put it off.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        clerk.write(Entry::Open);
        std::thread::sleep(Duration::from_millis(10));
    }
    clerk.collect();
    let loads = |clerk: &Clerk| {
        let reports = clerk.reports.iter();
        reports
            .filter(|r| matches!(r, Report::Loaded { .. }))
            .count()
    };
    assert_eq!(loads(&clerk), 1, "given up, for the time being");
    drop(other);
    clerk.wait_for(
        "late read",
        |report| matches!(report, Report::Loaded { orders, .. } if !orders.is_empty()),
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
        matches!(report, Report::Trouble(Some(LedgerError::Damaged { .. })))
    });
    // It is damaged once. What comes after has another reason.
    clerk.write(Entry::Open);
    clerk.flush();
    let aside = fs::read_dir(&folder.0).unwrap().flatten();
    let aside = aside.filter(|file| file.file_name().to_string_lossy().contains("damaged"));
    assert_eq!(aside.count(), 1);
}

#[test]
fn a_player_who_is_gone_leaves_no_file_open() {
    let folder = Folder::new("open-files");
    let mut clerk = Clerk::new(folder.ledger());
    clerk.write(Entry::Open);
    clerk.flush();
    // A file of several players stays; one of their own (the default place) would be closed.
    clerk.worker.give(Job::Close { user: alice() });
    clerk.write(Entry::Granted);
    clerk.flush();
    drop(clerk);
    assert_eq!(read_again(folder.ledger()), [Entry::Granted]);
}
