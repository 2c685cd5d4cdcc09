//! A game with a provider of tokens: it is asked when a token is needed, once at a time, and not in a loop.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on is to stop"
)]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use bevy_xsolla::{AuthorizationError, TokenReason};
use support::{Game, hurried, sword_order};

type Answer = Result<XsollaUser, TokenFailure>;

/// The studio's server, which gives tokens.
#[derive(Clone, Default)]
struct Server {
    calls: Arc<Mutex<Vec<(TokenRequest, Instant)>>>,
    /// Whether it is silent.
    is_held: Arc<AtomicBool>,
}

impl Server {
    /// A provider that asks it, which answers the call of this number so.
    fn provider(&self, answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> TokenProvider {
        let (server, answer) = (self.clone(), Arc::new(answer));
        TokenProvider::new(move |request| {
            let (server, answer) = (server.clone(), answer.clone());
            async move {
                let number = {
                    let mut calls = server.calls.lock().unwrap();
                    calls.push((request, Instant::now()));
                    calls.len()
                };
                while server.is_held.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                answer(number)
            }
        })
    }

    /// A provider that gives alice's tokens.
    fn of_alice(&self, emulator: &XsollaEmulator) -> TokenProvider {
        let emulator = emulator.clone();
        self.provider(move |_| Ok(emulator.user("alice")))
    }

    fn hold(&self, is_held: bool) {
        self.is_held.store(is_held, Ordering::Relaxed);
    }

    fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    fn request(&self, number: usize) -> TokenRequest {
        self.calls.lock().unwrap()[number - 1].0.clone()
    }

    /// The times from each call to the next.
    fn intervals(&self) -> Vec<Duration> {
        let calls = self.calls.lock().unwrap();
        let pairs = calls.windows(2);
        pairs.map(|pair| pair[1].1 - pair[0].1).collect()
    }
}

/// What the game was told besides.
#[derive(Resource, Default)]
struct Heard {
    logins: Vec<LoginRequired>,
    started: Vec<PurchaseId>,
    failed: Vec<(PurchaseId, PurchaseError)>,
}

/// A game with short intervals, in which nobody is logged in.
fn game(emulator: &XsollaEmulator, provider: TokenProvider) -> Game {
    game_with(hurried(emulator.config()), provider)
}

fn game_with(config: XsollaConfig, provider: TokenProvider) -> Game {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, XsollaOrderPlugin, provider))
        .insert_resource(config)
        .init_resource::<Heard>()
        .add_observer(|required: On<LoginRequired>, mut heard: ResMut<Heard>| {
            heard.logins.push(required.clone());
        })
        .add_observer(|started: On<PurchaseStarted>, mut heard: ResMut<Heard>| {
            heard.started.push(started.purchase_id);
        })
        .add_observer(|failed: On<PurchaseFailed>, mut heard: ResMut<Heard>| {
            heard
                .failed
                .push((failed.purchase_id, failed.error.clone()));
        });
    Game::of(app)
}

fn heard(game: &Game) -> &Heard {
    game.app.world().resource()
}

fn user(game: &Game) -> Option<XsollaUser> {
    game.app.world().get_resource::<XsollaUser>().cloned()
}

fn wait_until_logged_in(game: &mut Game) {
    game.wait_until("somebody is logged in", |world| {
        world.contains_resource::<XsollaUser>()
    });
}

fn was_unauthorized(game: &Game) -> bool {
    let states = &game.told().states;
    states
        .iter()
        .any(|state| matches!(state, TrackerState::Unauthorized { .. }))
}

/// Waits until a call is under way, which is held.
fn wait_for_call(game: &mut Game, server: &Server) {
    let calls = server.calls();
    game.wait_until("the provider is asked", |_| server.calls() > calls);
}

/// Makes an order that is done at once, and has it tracked and granted.
#[track_caller]
fn grant_a_sword(game: &mut Game, emulator: &XsollaEmulator) -> OrderId {
    let order = sword_order(emulator);
    emulator.deliver(order);
    game.track(order);
    game.wait_until_granted(order);
    order
}

#[test]
fn an_order_is_followed_through_tokens_that_live_for_seconds() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    // It is polled for, so that each of the tokens is used.
    emulator.refuse_sockets(true);
    let mut config = hurried(emulator.config());
    config.token_notice = Duration::from_millis(1_500);
    let tokens = emulator.clone();
    let life = Duration::from_secs(3);
    let provider = server.provider(move |_| Ok(tokens.user_for("alice", life)));
    let mut game = game_with(config, provider);
    game.log_in(&emulator.user_for("alice", life));
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_until("four tokens were asked for", |_| server.calls() == 4);
    emulator.deliver(order);
    game.wait_until_granted(order);
    assert!(!was_unauthorized(&game), "{:?}", game.told().states);
    let request = server.request(1);
    assert_eq!(request.user.as_ref(), Some(emulator.user("alice").id()));
    let TokenReason::Required(AuthorizationError::ExpiresSoon(_)) = request.reason else {
        panic!("{request:?}");
    };
}

#[test]
fn a_refused_token_is_replaced_and_the_order_goes_on() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    let mut game = game(&emulator, server.of_alice(&emulator));
    let alice = emulator.user("alice").with_external_id("a-1");
    game.log_in(&alice);
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_until_live();
    emulator.revoke_tokens("alice");
    emulator.drop_sockets();
    emulator.deliver(order);
    game.wait_until_granted(order);
    assert_eq!(server.calls(), 1);
    let request = server.request(1);
    assert_eq!(request.user.as_ref(), Some(alice.id()));
    let TokenReason::Required(error) = request.reason else {
        panic!("{request:?}");
    };
    assert!(error.is_refusal());
    let external_id = user(&game).unwrap().external_id().map(str::to_owned);
    assert_eq!(external_id.as_deref(), Some("a-1"), "it is kept");
}

#[test]
fn nobody_is_logged_in_before_the_game_asks() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    let mut game = game(&emulator, server.of_alice(&emulator));
    game.run_for(Duration::from_millis(300));
    assert_eq!((server.calls(), user(&game)), (0, None));
    game.commands(|commands| commands.request_token());
    wait_until_logged_in(&mut game);
    let request = server.request(1);
    assert_eq!((request.user, request.reason), (None, TokenReason::Absent));
    game.commands(|commands| commands.request_token());
    game.run_for(Duration::from_millis(1_300));
    assert_eq!(server.calls(), 1, "somebody is logged in");
}

#[test]
fn an_order_that_waits_for_a_player_has_one_logged_in() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    let mut game = game(&emulator, server.of_alice(&emulator));
    grant_a_sword(&mut game, &emulator);
    assert_eq!(server.calls(), 1);
}

#[test]
fn a_purchase_waits_for_its_player() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    server.hold(true);
    let mut game = game(&emulator, server.of_alice(&emulator));
    let purchase = game.commands(|commands| commands.purchase("sword"));
    wait_for_call(&mut game, &server);
    game.run_for(Duration::from_millis(100));
    assert_eq!(heard(&game).failed, []);
    server.hold(false);
    game.wait_until("the order is made", |world| {
        !world.resource::<Heard>().started.is_empty()
    });
    assert_eq!(heard(&game).started, [purchase]);
    assert_eq!(server.calls(), 1);
}

#[test]
fn a_purchase_that_waits_goes_on_if_the_game_logs_somebody_in_itself() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    server.hold(true);
    let mut game = game(&emulator, server.of_alice(&emulator));
    let purchase = game.commands(|commands| commands.purchase("sword"));
    wait_for_call(&mut game, &server);
    game.log_in(&emulator.user("bob"));
    game.wait_until("the order is made", |world| {
        world.resource::<Heard>().started == [purchase]
    });
    server.hold(false);
    game.run_for(Duration::from_millis(200));
    let bob = emulator.user("bob").id().clone();
    assert_eq!(user(&game).map(|user| user.id().clone()), Some(bob));
}

#[test]
fn a_purchase_fails_if_there_is_no_token() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    let provider = server.provider(|number| match number {
        1 => Err(TokenFailure::new("the server is down")),
        _ => Err(TokenFailure::log_in_again("the session is over")),
    });
    let mut game = game(&emulator, provider);
    // It fails for a moment, then until the player logs in, and then at once.
    for (calls, number) in [(1, 1), (2, 2), (2, 3)] {
        let purchase = game.commands(|commands| commands.purchase("sword"));
        game.wait_until("the purchase is answered", |world| {
            world.resource::<Heard>().failed.len() == number
        });
        let answer = heard(&game).failed[number - 1].clone();
        assert_eq!(answer, (purchase, PurchaseError::NotLoggedIn));
        assert_eq!(server.calls(), calls);
    }
    game.app.world_mut().remove_resource::<TokenProvider>();
    game.commands(|commands| commands.purchase("sword"));
    game.wait_until("it is answered without a provider", |world| {
        world.resource::<Heard>().failed.len() == 4
    });
}

#[test]
fn it_is_asked_once_however_many_things_need_the_token() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    server.hold(true);
    let mut game = game(&emulator, server.of_alice(&emulator));
    let orders: Vec<OrderId> = (0..5).map(|_| sword_order(&emulator)).collect();
    for order in &orders {
        emulator.deliver(*order);
        game.track(*order);
        game.commands(|commands| {
            commands.request_token();
            commands.purchase(Purchase::cart([("sword", 1 + order.0 % 5)]));
        });
        game.update();
    }
    game.run_for(Duration::from_millis(1_500));
    assert_eq!(server.calls(), 1);
    server.hold(false);
    for order in orders {
        game.wait_until_granted(order);
    }
    game.wait_until("all orders are made", |world| {
        world.resource::<Heard>().started.len() == 5
    });
    assert_eq!(server.calls(), 1);
}

#[test]
fn a_provider_that_fails_is_asked_less_and_less_and_is_believed_when_it_recovers() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    let tokens = emulator.clone();
    let provider = server.provider(move |number| match number {
        1..=3 => Err(TokenFailure::new("the server is down")),
        _ => Ok(tokens.user("alice")),
    });
    let mut game = game(&emulator, provider);
    grant_a_sword(&mut game, &emulator);
    assert_eq!(server.calls(), 4);
    let shortest = Duration::from_millis(990);
    assert!(
        server
            .intervals()
            .iter()
            .all(|interval| *interval >= shortest)
    );
    assert_eq!(heard(&game).logins, []);
}

#[test]
fn a_provider_whose_tokens_are_always_refused_is_not_asked_in_a_loop() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    // Another emulator's tokens are of the same player, and unknown to the first.
    let provider = server.of_alice(&XsollaEmulator::start());
    let mut game = game(&emulator, provider);
    game.track(sword_order(&emulator));
    game.wait_until("it was asked three times", |_| server.calls() == 3);
    // With one a second it would be asked nine times.
    game.run_for(Duration::from_secs(7));
    assert!(server.calls() <= 7, "{:?}", server.intervals());
    let shortest = Duration::from_millis(990);
    assert!(
        server
            .intervals()
            .iter()
            .all(|interval| *interval >= shortest)
    );
}

#[test]
fn a_token_that_is_the_old_one_is_no_token() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    let (alice, tokens) = (emulator.user("alice"), emulator.clone());
    let old = alice.clone();
    let provider = server.provider(move |number| match number {
        1 => Ok(old.clone()),
        _ => Ok(tokens.user("alice")),
    });
    let mut game = game(&emulator, provider);
    game.log_in(&alice);
    emulator.revoke_tokens("alice");
    grant_a_sword(&mut game, &emulator);
    assert_eq!(server.calls(), 2);
}

#[test]
fn a_token_that_comes_after_a_log_out_is_dropped() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    server.hold(true);
    let mut game = game(&emulator, server.of_alice(&emulator));
    game.log_in(&emulator.user("alice"));
    emulator.revoke_tokens("alice");
    game.track(sword_order(&emulator));
    wait_for_call(&mut game, &server);
    game.log_out();
    game.update();
    server.hold(false);
    game.run_for(Duration::from_millis(1_500));
    assert_eq!((user(&game), server.calls()), (None, 1));

    // The same for somebody who was not logged in when it was asked, and was meanwhile.
    server.hold(true);
    game.commands(|commands| commands.request_token());
    wait_for_call(&mut game, &server);
    game.log_in(&emulator.user("bob"));
    game.update();
    game.log_out();
    game.update();
    server.hold(false);
    game.run_for(Duration::from_millis(1_500));
    assert_eq!((user(&game), server.calls()), (None, 2));
}

#[test]
fn a_token_that_comes_after_another_player_has_logged_in_is_dropped() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    server.hold(true);
    let tokens = emulator.clone();
    let provider =
        server.provider(move |number| Ok(tokens.user(if number == 1 { "alice" } else { "bob" })));
    let mut game = game(&emulator, provider);
    game.log_in(&emulator.user("alice"));
    emulator.revoke_tokens("alice");
    game.track(sword_order(&emulator));
    wait_for_call(&mut game, &server);
    let bob = emulator.user("bob");
    game.log_in(&bob);
    // Bob needs one, too. That waits until the first call has ended.
    emulator.revoke_tokens("bob");
    let order = emulator.create_order(&bob, &[("sword", 1)]);
    emulator.deliver(order);
    game.track(order);
    game.run_for(Duration::from_millis(1_500));
    assert_eq!(server.calls(), 1);
    server.hold(false);
    game.wait_until_granted(order);
    assert_eq!(server.calls(), 2);
    assert_eq!(server.request(2).user.as_ref(), Some(bob.id()));
    assert_eq!(user(&game).unwrap().id(), bob.id());
}

#[test]
fn a_token_of_another_player_is_dropped_and_asked_for_again() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    let tokens = emulator.clone();
    let provider =
        server.provider(move |number| Ok(tokens.user(if number == 1 { "bob" } else { "alice" })));
    let mut game = game(&emulator, provider);
    let alice = emulator.user("alice");
    game.log_in(&alice);
    emulator.revoke_tokens("alice");
    let order = sword_order(&emulator);
    emulator.deliver(order);
    game.track(order);
    while game.grants(order) == 0 {
        game.update();
        assert_eq!(user(&game).unwrap().id(), alice.id());
        assert!(server.calls() <= 2);
    }
    assert_eq!(server.calls(), 2);
}

#[test]
fn a_player_who_has_to_log_in_is_asked_for_that_once() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    let failure = TokenFailure::log_in_again("the session is over, token=geheim");
    let provider = server.provider(move |_| Err(failure.clone()));
    let mut game = game(&emulator, provider);
    let alice = emulator.user("alice");
    game.log_in(&alice);
    emulator.revoke_tokens("alice");
    let order = sword_order(&emulator);
    emulator.deliver(order);
    game.track(order);
    game.wait_until("it is told", |world| {
        !world.resource::<Heard>().logins.is_empty()
    });
    game.run_for(Duration::from_millis(1_500));
    let [required] = heard(&game).logins.as_slice() else {
        panic!("{:?}", heard(&game).logins);
    };
    assert_eq!(required.user.as_ref(), Some(alice.id()));
    let reason = "the session is over, token=[hidden]";
    assert_eq!(required.failure.to_string(), reason);
    assert_eq!(server.calls(), 1);
    game.log_in(&emulator.user("alice"));
    game.wait_until_granted(order);
    assert_eq!(server.calls(), 1);
}

#[test]
fn a_provider_that_hangs_or_panics_is_asked_again() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    let tokens = emulator.clone();
    let provider = server.provider(move |number| match number {
        1 => panic!("the game's own fault"),
        _ => Ok(tokens.user("alice")),
    });
    let mut game = game(&emulator, provider.with_timeout(Duration::from_millis(300)));
    let order = sword_order(&emulator);
    emulator.deliver(order);
    game.track(order);
    wait_for_call(&mut game, &server);
    server.hold(true);
    wait_for_call(&mut game, &server);
    // The future of this call is dropped.
    game.run_for(Duration::from_millis(500));
    assert_eq!(user(&game), None);
    server.hold(false);
    game.wait_until_granted(order);
    assert_eq!(server.calls(), 3);
}

#[test]
fn another_provider_is_asked_for_what_the_first_did_not_give() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    let over = server.provider(|_| Err(TokenFailure::log_in_again("the session is over")));
    let mut game = game(&emulator, over);
    game.log_in(&emulator.user("alice"));
    emulator.revoke_tokens("alice");
    let order = sword_order(&emulator);
    emulator.deliver(order);
    game.track(order);
    game.wait_until("it is told", |world| {
        !world.resource::<Heard>().logins.is_empty()
    });
    game.app.insert_resource(server.of_alice(&emulator));
    game.wait_until_granted(order);
    assert_eq!(server.calls(), 2);
}

#[test]
fn it_brings_the_plugin_that_it_needs() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, server.of_alice(&emulator)))
        .insert_resource(emulator.config());
    let mut game = Game::of(app);
    grant_a_sword(&mut game, &emulator);
}

#[test]
fn a_background_task_that_has_ended_leaves_no_purchase_without_an_answer() {
    let (emulator, server) = (XsollaEmulator::start(), Server::default());
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, support::runtime_without_io()))
        .add_plugins(server.of_alice(&emulator))
        .insert_resource(emulator.config())
        .init_resource::<Heard>()
        .add_observer(|failed: On<PurchaseFailed>, mut heard: ResMut<Heard>| {
            heard
                .failed
                .push((failed.purchase_id, failed.error.clone()));
        });
    let mut game = Game::of(app);
    for number in 1..=2 {
        game.commands(|commands| commands.purchase("sword"));
        game.wait_until("the purchase is answered", |world| {
            world.resource::<Heard>().failed.len() == number
        });
    }
    assert_eq!(server.calls(), 0);
}
