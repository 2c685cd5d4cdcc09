//! Xsolla Login's refresh token: it is exchanged, changed, kept by the game, and refused.

#![allow(clippy::panic, reason = "a test that cannot go on is to stop")]

mod support;

use std::time::Duration;

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use bevy_xsolla::{RefreshToken, RefreshTokenChanged, XsollaLogin};
use support::{Game, hurried, sword_order};

/// What the game keeps, and what it was told.
#[derive(Resource, Default)]
struct Keychain {
    kept: Vec<RefreshTokenChanged>,
    messages: usize,
    logins: Vec<LoginRequired>,
}

fn game(emulator: &XsollaEmulator, login: XsollaLogin) -> Game {
    let mut config = hurried(emulator.config());
    config.token_notice = Duration::from_millis(1_500);
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, TokenProvider::xsolla_login(login)))
        .insert_resource(config)
        .init_resource::<Keychain>()
        .add_observer(
            |changed: On<RefreshTokenChanged>, mut keys: ResMut<Keychain>| {
                keys.kept.push(changed.clone());
            },
        )
        .add_observer(|required: On<LoginRequired>, mut keys: ResMut<Keychain>| {
            keys.logins.push(required.clone());
        })
        .add_systems(
            Update,
            |mut changed: MessageReader<RefreshTokenChanged>, mut keys: ResMut<Keychain>| {
                keys.messages += changed.read().count();
            },
        );
    let mut game = Game::of(app);
    game.commands(|commands| commands.request_token());
    game
}

fn keychain(game: &Game) -> &Keychain {
    game.app.world().resource()
}

fn is_logged_in(game: &Game) -> bool {
    game.app.world().contains_resource::<XsollaUser>()
}

fn wait_until_logged_in(game: &mut Game) {
    game.wait_until("alice is logged in", |world| {
        world.contains_resource::<XsollaUser>()
    });
}

#[test]
fn each_exchange_gives_the_next_refresh_token_and_the_game_keeps_the_last() {
    let emulator = XsollaEmulator::start();
    emulator.set_token_lifetime(Duration::from_secs(3));
    let mut game_of_today = game(&emulator, emulator.xsolla_login("alice"));
    let order = sword_order(&emulator);
    game_of_today.track(order);
    game_of_today.wait_until("the third refresh token is kept", |world| {
        world.resource::<Keychain>().kept.len() == 3
    });
    emulator.deliver(order);
    game_of_today.wait_until_granted(order);
    let keys = keychain(&game_of_today);
    assert_eq!((keys.messages, keys.logins.len()), (keys.kept.len(), 0));
    let Some(last) = keys.kept.last() else {
        panic!("nothing is kept");
    };
    assert_eq!(&last.user, emulator.user("alice").id());
    let kept = last.refresh_token.secret().to_owned();
    game_of_today.quit();

    // The next start.
    let login = XsollaLogin::new(57)
        .with_api(emulator.login_url())
        .with_refresh_token(RefreshToken::new(kept));
    let mut game_of_tomorrow = game(&emulator, login);
    wait_until_logged_in(&mut game_of_tomorrow);
    assert_eq!(keychain(&game_of_tomorrow).logins, []);
}

#[test]
fn a_refresh_token_that_xsolla_refuses_is_not_sent_again() {
    let emulator = XsollaEmulator::start();
    let login = emulator.xsolla_login("alice");
    emulator.revoke_refresh_tokens("alice");
    let mut game = game(&emulator, login);
    let order = sword_order(&emulator);
    emulator.deliver(order);
    game.track(order);
    game.wait_until("a log-in is required", |world| {
        !world.resource::<Keychain>().logins.is_empty()
    });
    game.run_for(Duration::from_millis(1_500));
    let [required] = keychain(&game).logins.as_slice() else {
        panic!("{:?}", keychain(&game).logins);
    };
    assert!(required.failure.reason.contains("010-023"), "{required:?}");
    assert_eq!(emulator.token_requests(), 1);
    assert_eq!(game.grants(order), 0);

    // The player logs in.
    let login = emulator.xsolla_login("alice");
    game.app.insert_resource(TokenProvider::xsolla_login(login));
    game.wait_until_granted(order);
    assert_eq!(emulator.token_requests(), 2);
}

#[test]
fn a_player_who_has_never_logged_in_is_asked_for_that_without_a_request() {
    let emulator = XsollaEmulator::start();
    let login = XsollaLogin::new(57).with_api(emulator.login_url());
    let plain_text = XsollaLogin::new(57)
        .with_api("http://login.xsolla.com/api")
        .with_refresh_token(RefreshToken::new("geheim"));
    for login in [login, plain_text] {
        let mut game = game(&emulator, login);
        game.wait_until("a log-in is required", |world| {
            world.resource::<Keychain>().logins.len() == 1
        });
    }
    assert_eq!(emulator.token_requests(), 0);
}

#[test]
fn an_exchange_without_an_answer_is_tried_again_with_the_same_refresh_token() {
    let emulator = XsollaEmulator::start();
    emulator.drop_requests(true);
    let mut game = game(&emulator, emulator.xsolla_login("alice"));
    game.wait_until("it was tried twice", |_| emulator.token_requests() == 2);
    assert!(!is_logged_in(&game));
    emulator.heal();
    wait_until_logged_in(&mut game);
    assert_eq!(keychain(&game).logins, []);
    assert_eq!(keychain(&game).kept.len(), 1);
}

#[test]
fn the_answer_of_a_proxy_ends_nothing() {
    let emulator = XsollaEmulator::start();
    emulator.fail_requests(bevy_xsolla::emulator::Fault::status(403).times(2));
    let mut game = game(&emulator, emulator.xsolla_login("alice"));
    wait_until_logged_in(&mut game);
    assert_eq!(emulator.token_requests(), 3);
    assert_eq!(keychain(&game).logins, []);
}

#[test]
fn a_new_refresh_token_is_told_though_the_player_has_logged_out_meanwhile() {
    let emulator = XsollaEmulator::start();
    emulator.delay_requests(Duration::from_millis(500));
    let mut game = game(&emulator, emulator.xsolla_login("alice"));
    game.wait_until("it is asked", |_| emulator.token_requests() == 1);
    game.log_in(&emulator.user("bob"));
    game.update();
    game.log_out();
    game.wait_until("it is told", |world| {
        world.resource::<Keychain>().kept.len() == 1
    });
    game.run_for(Duration::from_millis(200));
    assert!(!is_logged_in(&game));
}
