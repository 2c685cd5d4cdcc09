//! The plugin works however the game puts it together, and says what it waits for.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bevy::prelude::*;
use bevy_tokio_tasks::TokioTasksPlugin;
use bevy_xsolla::ConfigError;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::process::own_process;
use support::{Game, runtime, runtime_without_io, shop, sword_order};

#[test]
fn config_user_and_orders_may_come_in_any_order() {
    let emulator = XsollaEmulator::start();
    for sequence in ["cuo", "cou", "uco", "uoc", "ocu", "ouc"] {
        let order = sword_order(&emulator);
        emulator.deliver(order);
        let mut game = Game::bare();
        for step in sequence.chars() {
            match step {
                'c' => {
                    game.app.insert_resource(emulator.config());
                }
                'u' => game.log_in(&emulator.user("alice")),
                _ => game.track(order),
            }
            // Some games set all of it up before the first frame, others over minutes.
            if sequence.starts_with('u') {
                game.update();
            }
        }
        game.wait_until_granted(order);
        game.run_for(Duration::from_millis(100));
        assert_eq!(game.grants(order), 1, "{sequence}");
    }
}

#[test]
fn the_config_may_be_there_before_the_plugin_is() {
    let emulator = XsollaEmulator::start();
    let order = sword_order(&emulator);
    emulator.deliver(order);
    let mut app = App::new();
    app.add_plugins(MinimalPlugins)
        .insert_resource(emulator.config())
        .insert_resource(emulator.user("alice"))
        .add_plugins(XsollaOrderPlugin);
    let mut game = Game::of(app);
    game.track(order);
    game.wait_until_granted(order);
}

#[test]
fn tracking_runs_on_the_games_own_runtime_where_it_has_one() {
    let emulator = XsollaEmulator::start();
    let order = sword_order(&emulator);
    emulator.deliver(order);
    let runtimes = Arc::new(AtomicUsize::new(0));
    let made = runtimes.clone();
    let own = runtime(move || {
        made.fetch_add(1, Ordering::Relaxed);
        (TokioTasksPlugin::default().make_runtime)()
    });
    let mut game = Game::with((MinimalPlugins, own, XsollaOrderPlugin), &emulator);
    game.track(order);
    game.wait_until_granted(order);
    assert_eq!(runtimes.load(Ordering::Relaxed), 1);
}

#[test]
fn a_runtime_that_cannot_do_io_is_reported_and_nothing_panics() {
    let emulator = XsollaEmulator::start();
    let order = sword_order(&emulator);
    let plugins = (MinimalPlugins, runtime_without_io(), XsollaOrderPlugin);
    let mut game = Game::with(plugins, &emulator);
    game.track(order);
    game.wait_until("the failure is told", has_failed);
    game.track(order);
    game.update();
}

#[test]
fn a_runtime_with_time_and_without_io_is_reported_and_so_is_each_order() {
    let emulator = XsollaEmulator::start();
    let with_time = runtime(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_time().build().unwrap()
    });
    let plugins = (MinimalPlugins, with_time, XsollaOrderPlugin);
    let mut game = Game::with(plugins, &emulator);
    game.track(OrderId(1));
    game.wait_until("the failure is told", has_failed);
    game.wait_until_failed(OrderId(1));
    game.track(OrderId(2));
    game.wait_until_failed(OrderId(2));
}

/// In a process of its own, of a user who may have no second thread. The limit does not hold for root, so the process
/// is another user's. It reaches the program by its open file, because that user may not see the folder.
#[test]
fn a_system_that_starts_no_thread_is_reported_and_nothing_panics() {
    const NAME: &str = "a_system_that_starts_no_thread_is_reported_and_nothing_panics";
    let Some(test) = own_process(NAME) else {
        let thread = std::thread::Builder::new().spawn(|| ());
        assert!(thread.is_err(), "no thread can be started");
        // The game's own plugins would need threads as well.
        let mut app = App::new();
        app.add_plugins(XsollaOrderPlugin);
        let TrackerState::Failed { reason } = app.world().resource() else {
            panic!("{:?}", app.world().resource::<TrackerState>());
        };
        println!("failed as it should: {reason}");
        return;
    };
    let script = r#"exec 3<"$1" && shift && exec setpriv --reuid=54321 --regid=54321 --clear-groups \
        prlimit --nproc=1 /proc/self/fd/3 "$@""#;
    let set = test
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let started = std::process::Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(test.get_program())
        .args(test.get_args())
        .arg("--test-threads=1")
        .envs(set)
        .output();
    let ended = match started {
        Err(error) if cfg!(windows) => {
            println!("SKIPPED: {error}");
            return;
        }
        started => started.unwrap(),
    };
    let printed = [ended.stdout, ended.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    if printed.contains("setpriv:") || printed.contains("prlimit:") || printed.contains("sh:") {
        println!("SKIPPED: {printed}");
        return;
    }
    assert!(printed.contains("failed as it should"), "{printed}");
    assert!(ended.status.success(), "{printed}");
}

fn has_failed(world: &World) -> bool {
    matches!(
        world.resource::<TrackerState>(),
        TrackerState::Failed { .. }
    )
}

#[test]
fn what_is_missing_is_said() {
    let emulator = XsollaEmulator::start();
    let mut game = Game::bare();
    assert_eq!(game.state(), TrackerState::NoConfig);
    game.update();
    assert_eq!(game.state(), TrackerState::NoConfig);

    let mut config = emulator.config();
    config.store_url = "http://example.com".to_owned();
    game.app.insert_resource(config);
    game.update();
    let error = ConfigError::NotEncrypted { field: "store_url" };
    assert_eq!(game.state(), TrackerState::InvalidConfig(error));

    game.app.insert_resource(emulator.config());
    game.update();
    assert_eq!(game.state(), TrackerState::NoUser);

    game.log_in(&emulator.user("alice"));
    game.update();
    assert_eq!(game.state(), TrackerState::Idle);

    game.log_out();
    game.update();
    assert_eq!(game.state(), TrackerState::NoUser);

    game.app.world_mut().remove_resource::<XsollaConfig>();
    game.update();
    assert_eq!(game.state(), TrackerState::NoConfig);
}

#[test]
fn a_config_that_moves_to_other_servers_takes_the_orders_along() {
    let (here, there) = (XsollaEmulator::start(), XsollaEmulator::start());
    let order = sword_order(&here);
    there.set_next_order_id(order);
    assert_eq!(sword_order(&there), order);
    let mut game = Game::logged_in(here.config(), &here.user("alice"));
    game.track(order);
    game.wait_until_live();
    there.deliver(order);
    game.log_in(&there.user("alice"));
    game.app.insert_resource(there.config());
    game.wait_until_granted(order);
    game.wait_until("the old socket is closed", |_| here.open_sockets() == 0);
}

#[test]
fn commands_without_the_plugin_do_nothing() {
    let mut app = App::new();
    app.add_plugins(MinimalPlugins);
    let mut commands = app.world_mut().commands();
    commands.track_order(OrderId(1));
    commands.acknowledge_order(OrderId(1));
    commands.untrack_order(OrderId(1));
    app.world_mut().flush();
    app.update();
}

#[test]
fn a_game_that_takes_the_plugins_resources_away_goes_on() {
    let (emulator, mut game) = shop();
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_until_live();
    game.app.insert_resource(Orders::default());
    emulator.deliver(order);
    game.wait_until_granted(order);
    game.app.insert_resource(Orders::default());
    game.acknowledge(order);
    game.wait_until_acknowledged(order);

    let (emulator, game) = shop();
    let mut app = game.app;
    app.world_mut().remove_resource::<TrackerState>();
    app.world_mut().remove_resource::<Orders>();
    app.world_mut()
        .commands()
        .track_order(sword_order(&emulator));
    app.update();
}
