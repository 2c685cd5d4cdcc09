//! The network between a server and its database, which drops what it carries.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How late what a slow network carries may be. A transaction has several questions and answers.
const LATENESS: Duration = Duration::from_millis(120);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Open,
    /// What is carried arrives late.
    Slow,
    /// Nothing gets through, and nobody is told.
    Stalled,
    /// The next answer of the database is lost, and its connection with it: what was asked has happened.
    LosesAnswer,
}

#[derive(Default)]
struct State {
    mode: Mode,
    /// Both ends of each connection.
    streams: Vec<TcpStream>,
}

type Shared = Arc<(Mutex<State>, Condvar)>;

pub struct Network {
    pub port: u16,
    shared: Shared,
}

impl Network {
    /// Carries what comes to a port of its own to this port.
    pub fn start(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Shared::default();
        let state = shared.clone();
        // The threads end with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                // Nobody listens while the database is down.
                let _ = client.and_then(|client| connect(client, target, &state));
            }
        });
        Self { port, shared }
    }

    pub fn set(&self, mode: Mode) {
        self.shared.0.lock().unwrap().mode = mode;
        self.shared.1.notify_all();
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        for stream in self.shared.0.lock().unwrap().streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn connect(client: TcpStream, target: u16, shared: &Shared) -> io::Result<()> {
    let database = TcpStream::connect((Ipv4Addr::LOCALHOST, target))?;
    for stream in [&client, &database] {
        stream.set_nodelay(true)?;
        let stream = stream.try_clone()?;
        shared.0.lock().unwrap().streams.push(stream);
    }
    for (from, to, is_answer) in [
        (client.try_clone()?, database.try_clone()?, false),
        (database, client, true),
    ] {
        let shared = shared.clone();
        std::thread::spawn(move || {
            let _ = carry(&from, &to, is_answer, &shared);
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}

fn carry(
    mut from: &TcpStream,
    mut to: &TcpStream,
    is_answer: bool,
    (state, changed): &(Mutex<State>, Condvar),
) -> io::Result<()> {
    let mut piece = [0; 16 * 1024];
    loop {
        let count = from.read(&mut piece)?;
        if count == 0 {
            return Ok(());
        }
        let state = state.lock().unwrap();
        let mut state = changed
            .wait_while(state, |state| state.mode == Mode::Stalled)
            .unwrap();
        if is_answer && state.mode == Mode::LosesAnswer {
            state.mode = Mode::Open;
            return Ok(());
        }
        let is_slow = state.mode == Mode::Slow;
        drop(state);
        if is_slow {
            std::thread::sleep(LATENESS.mul_f64(fastrand::f64()));
        }
        to.write_all(&piece[..count])?;
    }
}
