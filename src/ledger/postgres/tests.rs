//! Tests on a PostgreSQL server of their own. Where there is none, they say that they are skipped.

#[path = "../../../tests/support"]
#[allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what the tests share"
)]
mod support {
    pub mod folder;
    pub mod interop;
    pub mod postgres;
    pub mod wait;
}

use super::names::name_of_stored;
use super::*;

#[test]
fn the_id_of_a_player_is_stored_and_read_whatever_is_in_it() {
    for user in [
        "s:alice",
        "",
        "\0",
        "\\0",
        "\\",
        "\\\\0\0\\",
        "s:Ünï\0\u{1F600}'\"",
    ] {
        let stored = stored_name(user);
        assert!(!stored.contains('\0'));
        assert_eq!(name_of_stored(&stored), user);
    }
    assert_ne!(stored_name("\0"), stored_name("\\0"));
}

#[test]
fn an_address_that_cannot_be_read_is_not_repeated() {
    for address in [
        "postgres://game:geheim@",
        "hostess=h password=geheim",
        "password='geheim",
        "nonsense geheim",
        "postgres://game:geheim@host:port/game",
    ] {
        let ledger = crate::Ledger::postgres(address);
        let crate::model::ledger::Place::Postgres(place) = &ledger.0 else {
            panic!("another kind");
        };
        let opened = Postgres::new(place);
        let loaded = opened.and_then(|mut store| store.load(1, &UserId::from_subject("alice")));
        let error = loaded.unwrap_err();
        let shown = format!("{error} {error:?} {ledger:?}");
        assert!(!shown.contains("geheim"), "{shown}");
    }
}

mod on_a_server {
    use bevy::tasks::block_on;

    use super::super::*;
    use super::support::postgres::Postgres as Server;
    use crate::Ledger;
    use crate::ledger::shelf::Shelf;
    use crate::ledger::tests::{
        ACKNOWLEDGED, GRANTED, OPEN, ORDER, alice, check_order_of_guest, check_owners, commit,
        entries, players, record,
    };
    use crate::platform::time::calendar;

    fn shelf(server: &Server) -> Shelf {
        Shelf::open(Ledger::postgres(server.address()))
    }

    /// Records an entry of an order that this server had.
    fn note(shelf: &mut Shelf, entry: LedgerEntry) {
        let record = LedgerRecord::new(entry, calendar());
        shelf.record(1, alice(), ORDER, record, false);
        block_on(shelf.commit());
        assert!(!shelf.has_changes(), "{:?}", shelf.trouble());
    }

    fn taken(shelf: &mut Shelf) -> Vec<Option<LedgerEntry>> {
        shelf.has_lost();
        let taken = shelf.take_taken();
        taken.iter().map(|order| order.entry).collect()
    }

    fn entry(server: &Server) -> String {
        let order = format!("order_id = {ORDER}");
        server.query(&format!(
            "SELECT entry FROM bevy_xsolla.orders WHERE {order}"
        ))
    }

    fn function(server: &Server, name: &str) -> bool {
        server.query(&format!("SELECT bevy_xsolla.{name}(1, {ORDER}, 's:alice')")) == "t"
    }

    #[test]
    fn an_order_has_one_owner_and_one_entry_whatever_happens_to_it() {
        let Some(server) = Server::start() else {
            return;
        };
        block_on(check_order_of_guest(shelf(&server)));
        for seed in 0..20 {
            server.query("TRUNCATE bevy_xsolla.orders");
            block_on(check_owners(seed, true, true, async || shelf(&server)));
        }
    }

    #[test]
    fn what_is_recorded_is_there_for_other_servers_with_its_time_and_ids_of_any_size() {
        let Some(server) = Server::start() else {
            return;
        };
        let [.., long] = players();
        let long = UserId::new('s', &format!("{}\0{}", long.as_str(), "ß".repeat(5_000)));
        let mut here = shelf(&server);
        let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        for (order_id, at) in [(0, calendar()), (u64::MAX, old)] {
            let entry = LedgerRecord::new(GRANTED, at);
            here.record(u64::MAX, long.clone(), OrderId(order_id), entry, true);
        }
        block_on(here.commit());
        let mut there = shelf(&server);
        let orders = block_on(there.load(u64::MAX, &long)).unwrap();
        let ids: Vec<u64> = orders.iter().map(|order| order.order_id.0).collect();
        assert_eq!(ids, [0, u64::MAX]);
        assert!(orders[0].age < Duration::from_secs(60), "{orders:?}");
        assert!(orders[1].age > Duration::from_secs(1_000_000), "{orders:?}");
        assert_eq!(block_on(entries(&mut there, 7, &long)), []);
        #[cfg(feature = "webhook")]
        check_search(&mut there);
    }

    #[cfg(feature = "webhook")]
    fn check_search(there: &mut Shelf) {
        let wanted = [OrderId(5), OrderId(u64::MAX), OrderId(0)];
        let found = there.find(u64::MAX, &wanted).unwrap();
        assert_eq!(found, [None, Some(GRANTED), Some(GRANTED)]);
        assert_eq!(there.find(7, &wanted).unwrap(), [None; 3]);
    }

    #[test]
    fn the_server_that_had_an_order_cannot_write_and_learns_what_became_of_it() {
        let Some(server) = Server::start() else {
            return;
        };
        let (mut first, mut second) = (shelf(&server), shelf(&server));
        assert_eq!(block_on(commit(&mut first, &alice(), OPEN)), None);
        assert_eq!(taken(&mut first), []);
        // The player comes to the second.
        assert_eq!(block_on(entries(&mut second, 1, &alice())), [(ORDER, OPEN)]);
        note(&mut first, GRANTED);
        assert_eq!(first.take_taken().len(), 1);
        assert_eq!(entry(&server), "open");
        first.erase(1, alice(), ORDER);
        block_on(first.commit());
        assert_eq!(entry(&server), "open");
        note(&mut second, ACKNOWLEDGED);
        // The second tracks it again, which tells it that it is acknowledged.
        assert_eq!(
            block_on(commit(&mut first, &alice(), OPEN)),
            Some(ACKNOWLEDGED)
        );
        assert_eq!(entry(&server), "acknowledged");
    }

    #[test]
    fn a_server_notices_that_its_orders_were_taken_without_writing() {
        let Some(server) = Server::start() else {
            return;
        };
        let mut first = shelf(&server);
        for number in 0..4 {
            record(&mut first, 1, &alice(), OrderId(number), OPEN);
        }
        block_on(first.commit());
        assert_eq!(taken(&mut first), []);
        let mut second = shelf(&server);
        record(&mut second, 1, &alice(), OrderId(1), OPEN);
        record(&mut second, 1, &alice(), OrderId(3), ACKNOWLEDGED);
        block_on(second.commit());
        let mut entries = taken(&mut first);
        entries.sort_unstable();
        assert_eq!(entries, [Some(OPEN), Some(ACKNOWLEDGED)]);
        assert_eq!(taken(&mut first), []);
        server.query("DELETE FROM bevy_xsolla.orders WHERE order_id = 2");
        assert_eq!(taken(&mut first), [None]);
    }

    #[test]
    fn what_is_claimed_is_written_though_it_was_taken_while_the_database_was_away() {
        let Some(mut server) = Server::start() else {
            return;
        };
        let (mut first, mut second) = (shelf(&server), shelf(&server));
        assert_eq!(block_on(commit(&mut first, &alice(), OPEN)), None);
        assert_eq!(block_on(commit(&mut second, &alice(), OPEN)), Some(OPEN));
        server.kill();
        let granted = LedgerRecord::new(GRANTED, calendar());
        first.record(1, alice(), ORDER, granted, false);
        record(&mut first, 1, &alice(), ORDER, OPEN);
        second.record(1, alice(), ORDER, granted, false);
        for shelf in [&mut first, &mut second] {
            block_on(shelf.commit());
            assert!(shelf.has_changes());
            let trouble = shelf.trouble();
            assert!(matches!(trouble, Some(LedgerError::Database(_))));
        }
        server.go_on();
        block_on(first.commit());
        assert_eq!((first.trouble(), first.has_changes()), (None, false));
        assert_eq!(entry(&server), "granted");
        block_on(second.commit());
        assert_eq!((second.trouble(), second.has_changes()), (None, false));
        assert_eq!(second.take_taken().len(), 1);
    }

    #[test]
    fn an_order_is_noted_as_granted_once_and_as_taken_back_once() {
        let Some(server) = Server::start() else {
            return;
        };
        let mut shelf = shelf(&server);
        block_on(commit(&mut shelf, &alice(), GRANTED));
        assert!(function(&server, "note_grant"));
        assert!(!function(&server, "note_grant"));
        note(&mut shelf, ACKNOWLEDGED);
        assert!(!function(&server, "note_grant"));
        // The ledger may know of the refund before the game has taken anything back.
        note(&mut shelf, LedgerEntry::Canceled);
        assert!(!function(&server, "note_grant"));
        assert!(function(&server, "note_refund"));
        assert!(!function(&server, "note_refund"));
        assert_eq!(entry(&server), "canceled");
    }

    #[test]
    fn what_was_refunded_before_it_was_granted_is_not_granted_and_not_taken_back() {
        let Some(server) = Server::start() else {
            return;
        };
        let mut shelf = shelf(&server);
        block_on(commit(&mut shelf, &alice(), GRANTED));
        assert!(!function(&server, "note_refund"));
        assert!(!function(&server, "note_grant"));
        // An order that the ledger does not know.
        server.query("TRUNCATE bevy_xsolla.orders");
        assert!(!function(&server, "note_refund"));
        assert!(!function(&server, "note_grant"));
        server.query("TRUNCATE bevy_xsolla.orders");
        assert!(function(&server, "note_grant"));
        assert!(function(&server, "note_refund"));
        // It is found for its player, whatever their id is.
        server.query(r"SELECT bevy_xsolla.note_grant(1, 9, 's:a\b')");
        let user = UserId::from_subject(r"a\b");
        let known = [(OrderId(9), ACKNOWLEDGED)];
        assert_eq!(block_on(entries(&mut shelf, 1, &user)), known);
    }

    #[test]
    fn a_game_that_acknowledges_without_a_note_has_granted() {
        let Some(server) = Server::start() else {
            return;
        };
        let mut shelf = shelf(&server);
        block_on(commit(&mut shelf, &alice(), ACKNOWLEDGED));
        assert!(!function(&server, "note_grant"));
        assert!(function(&server, "note_refund"));
    }

    #[test]
    fn servers_that_start_at_the_same_time_make_the_tables_once() {
        let Some(server) = Server::start() else {
            return;
        };
        std::thread::scope(|scope| {
            for number in 0..8 {
                let server = &server;
                scope.spawn(move || {
                    let mut shelf = shelf(server);
                    record(&mut shelf, 1, &alice(), OrderId(number), OPEN);
                    block_on(shelf.commit());
                    assert_eq!((shelf.trouble(), shelf.has_changes()), (None, false));
                });
            }
        });
        assert_eq!(
            server.query("SELECT count(*), count(DISTINCT server) FROM bevy_xsolla.orders"),
            "8|8"
        );
    }

    #[test]
    fn servers_that_write_the_same_orders_at_once_wait_for_each_other_and_lose_nothing() {
        let Some(server) = Server::start() else {
            return;
        };
        std::thread::scope(|scope| {
            for seed in 0..4 {
                let server = &server;
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    let mut shelf = shelf(server);
                    for _ in 0..100 {
                        for _ in 0..10 {
                            let order_id = OrderId(random.u64(0..20));
                            let entry = [OPEN, GRANTED, ACKNOWLEDGED][random.usize(0..3)];
                            let made = LedgerRecord::new(entry, calendar());
                            shelf.record(1, alice(), order_id, made, random.bool());
                        }
                        block_on(shelf.commit());
                        assert_eq!((shelf.trouble(), shelf.has_changes()), (None, false));
                    }
                });
            }
        });
        assert_eq!(
            server.query("SELECT count(*) FROM bevy_xsolla.orders"),
            "20"
        );
    }

    #[test]
    fn a_later_version_of_the_tables_does_no_harm() {
        let Some(server) = Server::start() else {
            return;
        };
        block_on(commit(&mut shelf(&server), &alice(), OPEN));
        server.query("INSERT INTO bevy_xsolla.versions (version) VALUES (99)");
        server.query("ALTER TABLE bevy_xsolla.orders ADD COLUMN note text");
        server.query("UPDATE bevy_xsolla.orders SET entry = 'later'");
        let mut shelf = shelf(&server);
        // It counts as acknowledged, so nobody grants it, and it is left as it is.
        let known = [(ORDER, ACKNOWLEDGED)];
        assert_eq!(block_on(entries(&mut shelf, 1, &alice())), known);
        let before = block_on(commit(&mut shelf, &alice(), GRANTED));
        assert_eq!(
            (before, entry(&server)),
            (Some(ACKNOWLEDGED), "later".to_owned())
        );
    }

    #[test]
    fn a_database_of_another_encoding_is_refused_with_the_reason() {
        let Some(server) = Server::start() else {
            return;
        };
        server.query("CREATE DATABASE old ENCODING 'LATIN1' TEMPLATE template0");
        let address = server.address();
        let (server_address, _) = address.rsplit_once('/').unwrap();
        let address = format!("{server_address}/old?sslmode=disable");
        let mut shelf = Shelf::open(Ledger::postgres(address));
        record(&mut shelf, 1, &alice(), ORDER, OPEN);
        block_on(shelf.commit());
        let trouble = shelf.trouble().unwrap().to_string();
        assert!(trouble.contains("UTF8"), "{trouble}");
    }
}
