//! Tests of the players of a server, who come and go with their orders.

use super::*;
use crate::machine::player::severity;

/// A server: nobody is logged in for good.
fn server() -> Sim {
    let mut sim = Sim::unconfigured();
    let config = sim.config.clone();
    sim.configure(Some(config));
    sim
}

fn track_as(sim: &mut Sim, order_id: OrderId) {
    track_of(sim, "alice", order_id);
}

fn track_of(sim: &mut Sim, name: &str, order_id: OrderId) {
    sim.handle(Input::TrackAs {
        user: token(name, 1),
        expires_in: None,
        order_id,
    });
}

#[test]
fn an_order_that_is_being_written_outlives_the_end_of_its_players_last_open_one() {
    let (first, second) = (OrderId(1), OrderId(2));
    let mut sim = server();
    track_as(&mut sim, first);
    sim.tick();
    sim.is_ledger_stuck = true;
    track_as(&mut sim, second);
    sim.answer(Ok(report("done")));
    sim.is_ledger_stuck = false;
    sim.recorded(second, LedgerEntry::Open);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(second), 1);
}

#[test]
fn a_server_tracks_an_order_again_that_was_given_up() {
    let mut sim = server();
    track_as(&mut sim, ORDER);
    sim.pass_answering(seconds(120), &Err(http(404)));
    assert_eq!(sim.failures().len(), 1);
    track_as(&mut sim, ORDER);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn players_of_a_server_are_forgotten_with_their_last_order() {
    let mut sim = server();
    track_as(&mut sim, ORDER);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert!(sim.machine.players.is_empty());
    track_as(&mut sim, ORDER);
    assert!(sim.machine.players.is_empty(), "that one is over");
    assert!(sim.machine.is_idle());
}

#[test]
fn the_state_is_that_of_the_player_who_is_worst_off_at_any_time() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut sim = server();
        let names = ["alice", "bob", "carol", "dave"];
        let mut orders = 0;
        for _ in 0..300 {
            orders += 1;
            track_of(
                &mut sim,
                names[random.usize(..names.len())],
                OrderId(orders),
            );
            let user = UserId::new('e', names[random.usize(..names.len())]);
            let player = sim.machine.players.get(&user);
            if let Some(connection) = player.and_then(|player| player.connection()) {
                sim.handle(match random.bool() {
                    true => Input::Subscribed {
                        user,
                        connection,
                        recovered: true,
                        heard_all: true,
                    },
                    false => Input::Ended {
                        user,
                        connection,
                        reason: lost(),
                    },
                });
            }
            sim.pass_answering(seconds(random.u64(..20)), &Ok(report("new")));
            if random.u8(..10) == 0 {
                sim.pass_answering(seconds(70), &Ok(report("done")));
            }
            let states = sim.machine.players.values().map(|player| player.state());
            let worst = states.max_by_key(severity).unwrap_or_default();
            assert_eq!(sim.machine.state, worst, "seed {seed}");
            assert!(sim.machine.standings.len() <= 2 * names.len() + 64 + 1);
        }
    }
}
