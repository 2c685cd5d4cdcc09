//! Tests that need another process.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::ops::{Deref, DerefMut};
use std::process::{Child, ChildStdout, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use serde_json::Value;

use super::folder::Folder;
use super::wait::wait_until;
use super::{Game, config_for, sword_order};

/// The command that runs the test of this name in a process of its own. `None` in that process.
pub fn own_process(test: &str) -> Option<Command> {
    const CHILD: &str = "BEVY_XSOLLA_TEST_CHILD";
    if std::env::var_os(CHILD).is_some_and(|name| name == test) {
        return None;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command.env(CHILD, test);
    Some(command)
}

/// What a game in a process of its own needs to know.
#[derive(Clone, Debug)]
pub struct Task {
    pub project_id: u64,
    pub store_url: String,
    pub socket_url: String,
    pub token: String,
    pub order: OrderId,
}

impl Task {
    const NAME: &str = "BEVY_XSOLLA_TEST_TASK";

    /// An order of alice's.
    pub fn new(emulator: &XsollaEmulator) -> Self {
        Self {
            project_id: emulator.project_id(),
            store_url: emulator.store_url(),
            socket_url: emulator.socket_url(),
            token: emulator.token("alice"),
            order: sword_order(emulator),
        }
    }

    pub fn give(&self, process: &mut Command) {
        let Self {
            project_id,
            store_url,
            socket_url,
            token,
            order,
        } = self;
        let words = format!("{project_id} {store_url} {socket_url} {token} {order}");
        process.env(Self::NAME, words);
    }

    /// The game of the process that was given a task, and the order. It has no ledger.
    pub fn game() -> (Game, OrderId) {
        let words = std::env::var(Self::NAME).unwrap();
        let words: Vec<&str> = words.split(' ').collect();
        let config = config_for(words[0].parse().unwrap(), words[1], words[2]);
        let game = Game::logged_in(config, &XsollaUser::new(words[3]));
        (game, OrderId(words[4].parse().unwrap()))
    }

    /// Plays the game until the order is granted, and prints how far it is.
    pub fn tell_of_grant() {
        let (mut game, order) = Self::game();
        game.track(order);
        game.wait_for_status(order, "new");
        game.wait_until_live();
        println!("\nlive");
        // By frames, because the clock goes on while the process is stopped.
        let mut frames = 0..30_000;
        while game.grants(order) == 0 {
            assert!(frames.next().is_some(), "the order is not granted");
            game.update();
            std::thread::sleep(Duration::from_millis(1));
        }
        println!("\ngranted");
    }
}

/// Stops the process of a game that runs [`Task::tell_of_grant`]. Its order is paid meanwhile, of which its socket tells
/// nothing. Returns the time from when it goes on until it has granted the order. For Unix, which can stop a process.
pub fn grant_after_a_stop(test: &mut Command, meanwhile: impl FnOnce()) -> Duration {
    use std::process::Stdio;
    use std::time::Instant;

    let emulator = XsollaEmulator::start();
    let task = Task::new(&emulator);
    task.give(test);
    let mut game = Process::start(test.stdout(Stdio::piped()));
    let mut lines = BufReader::new(game.stdout.take().unwrap()).lines();
    let mut wait_for = |word: &str| {
        assert!(lines.any(|line| line.unwrap() == word), "it says no {word}");
    };
    let id = game.id().to_string();
    let signal = |signal: &str| {
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success());
    };
    wait_for("live");
    signal("-STOP");
    emulator.set_status_silently(task.order, "done");
    meanwhile();
    let goes_on = Instant::now();
    signal("-CONT");
    wait_for("granted");
    let time = goes_on.elapsed();
    assert!(game.wait_for_end().success());
    time
}

/// Runs the command to its end, and fails with what it printed where it fails.
#[track_caller]
pub fn run(command: &mut Command) {
    let ended = command.output().unwrap();
    let printed = [ended.stdout, ended.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert!(ended.status.success(), "{}: {printed}", ended.status);
}

/// Does the same in a view of the file system in which the name server never answers. Where that is not to be had, it
/// says so and runs nothing.
#[track_caller]
pub fn run_where_names_hang(command: &mut Command) {
    // It takes in the questions and says nothing. Port 53 and a mount need privileges.
    let Ok(_name_server) = UdpSocket::bind("127.0.0.77:53") else {
        println!("SKIPPED: the name server's port cannot be had");
        return;
    };
    let folder = Folder::new("dns");
    let file = folder.join("resolv.conf");
    // The look-up is to hang for longer than any test.
    std::fs::write(
        &file,
        "nameserver 127.0.0.77\noptions timeout:30 attempts:5\n",
    )
    .unwrap();
    let mount = r#"mount --bind "$1" /etc/resolv.conf"#;
    let in_view = |script: &str| {
        let mut view = Command::new("unshare");
        view.args(["--mount", "sh", "-c", script, "sh"]).arg(&file);
        view
    };
    if !in_view(mount)
        .output()
        .is_ok_and(|tried| tried.status.success())
    {
        println!("SKIPPED: the system's name server cannot be replaced");
        return;
    }
    let set = command
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let script = format!(r#"{mount} && shift && exec "$@""#);
    run(in_view(&script)
        .arg(command.get_program())
        .args(command.get_args())
        .envs(set));
}

/// A process that is killed when this is dropped, also by a panic.
pub struct Process(Child);

impl Process {
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// Waits until the process has ended by itself.
    #[track_caller]
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the process ends", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Deref for Process {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines of a process, each of which is JSON. A line that is not is given as a string.
pub fn json_lines(stdout: ChildStdout) -> Receiver<Value> {
    let lines = BufReader::new(stdout).lines();
    let (sender, values) = channel();
    // It ends with the process, whose end closes the pipe.
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
            if sender.send(value).is_err() {
                return;
            }
        }
    });
    values
}
