//! Tests of files that are deleted, replaced or left behind, and of the number of files that are open.

use super::moves::{entries, user_data};
use super::*;
use crate::ledger::tests::{players, record};

fn is_lost(report: &LedgerReport) -> bool {
    matches!(
        report,
        LedgerReport::State(LedgerState::Trouble(LedgerError::Lost { .. }))
    )
}

/// Whether a file that is removed while it is open keeps its name until it is closed. Wine does that.
fn keeps_open_names(folder: &Path) -> bool {
    let path = folder.join("name");
    let file = fs::File::create(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let is_there = path.exists();
    drop(file);
    is_there
}

#[test]
fn a_file_that_is_deleted_or_replaced_while_it_is_open_is_told_and_written_anew() {
    for way in ["file", "folder", "replaced", "cut off"] {
        let folder = Folder::new("lost");
        let inner = folder.0.join("inner");
        let path = inner.join("ledger.redb");
        let mut clerk = Clerk::new(Ledger::at(&path));
        clerk.write(LedgerEntry::Granted);
        clerk.writer.give(Job::Record {
            user: alice(),
            order_id: OrderId(9),
            entry: LedgerEntry::Open,
            claims: true,
        });
        clerk.flush();
        if way != "cut off" && keeps_open_names(&folder.0) {
            println!("SKIPPED: this system does not take an open file's name away");
            continue;
        }
        match way {
            "file" => fs::remove_file(&path).unwrap(),
            "folder" => fs::remove_dir_all(&inner).unwrap(),
            "replaced" => {
                // It has the first order as open, another one as granted, and the second as acknowledged.
                let other = inner.join("other");
                fs::write(&other, FIRST_VERSION).unwrap();
                fs::rename(&other, &path).unwrap();
            }
            _ => {
                let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
                file.set_len(1_000).unwrap();
                // The damage shows when the file is used.
                clerk.write(LedgerEntry::Granted);
            }
        }
        clerk.wait_for(way, |report| matches!(report, LedgerReport::Lost));
        if way != "cut off" {
            clerk.wait_for(way, is_lost);
        }
        let user = UserId::new('s', "bob");
        clerk.writer.give(Job::Record {
            user: user.clone(),
            order_id: OrderId(99),
            entry: LedgerEntry::Open,
            claims: true,
        });
        clerk.flush();
        drop(clerk);
        drop(folder.wait_for(&path));
        let known = read_again(Ledger::at(&path));
        let [open, granted, acknowledged] = [
            LedgerEntry::Open,
            LedgerEntry::Granted,
            LedgerEntry::Acknowledged,
        ];
        let expected = match way {
            "replaced" => vec![granted, granted, acknowledged],
            _ => vec![granted, open],
        };
        assert_eq!(known, expected, "{way}");
    }
}

#[test]
fn a_file_that_is_deleted_while_it_is_closed_is_told_and_an_intact_one_is_not() {
    let folder = Folder::new("closed");
    let [guest, ..] = players();
    let mut shelf = user_data(&folder);
    record(&mut shelf, 1, &guest, ORDER, LedgerEntry::Open);
    block_on(shelf.commit());
    // A server keeps the files of some players open, and this is not one of them any more.
    for n in 0..20 {
        entries(&mut shelf, 1, &UserId::new('s', &n.to_string()));
    }
    assert!(!shelf.has_lost());
    assert_eq!(shelf.trouble(), None);
    let path = folder.0.join("1/o_3aguest.redb");
    fs::remove_file(&path).unwrap();
    assert!(shelf.has_lost());
    assert_eq!(shelf.trouble(), Some(LedgerError::Lost { path }));
    assert!(!shelf.has_lost(), "once");
    assert_eq!(entries(&mut shelf, 1, &guest), []);
    assert!(!shelf.has_lost(), "it is there again");
}

#[test]
fn what_a_full_disk_left_is_removed_at_the_next_start_and_not_what_another_instance_creates() {
    let folder = Folder::new("unfinished");
    let name = |n: u32| folder.0.join(format!("ledger.redb.new-{n}"));
    fs::write(name(1), "").unwrap();
    fs::write(name(2), "half").unwrap();
    fs::write(name(3), FIRST_VERSION).unwrap();
    let being_made = ::redb::Database::create(name(4)).unwrap();
    fs::write(folder.0.join("other.redb.new-5"), "").unwrap();
    let mut clerk = Clerk::new(folder.ledger());
    clerk.write(LedgerEntry::Open);
    clerk.flush();
    assert!(clerk.has_written(LedgerEntry::Open));
    let left = [1, 2, 3].map(name);
    assert!(!left.iter().any(|path| path.exists()), "{left:?}");
    assert!(name(4).exists());
    assert!(folder.0.join("other.redb.new-5").exists());
    drop(being_made);
}
