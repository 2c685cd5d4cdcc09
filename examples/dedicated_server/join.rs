//! Takes the games of the players, which send the player's token and the orders that they have opened.
//!
//! A game sends lines `TOKEN ORDER`, each of which is answered with a line, and sends them again whenever it
//! comes to a server: one that dies may not have come to write down that it follows an order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bevy::prelude::*;
use bevy_xsolla::prelude::*;
use crossbeam_channel::{Receiver, Sender, bounded};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::{background, say};

/// A token has a few hundred bytes, sometimes some thousands.
const LONGEST_CONNECTION: u64 = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECTIONS: usize = 256;
/// How many orders may wait for the next frame.
const WAITING: usize = 1024;

struct Joined {
    user: XsollaUser,
    order_id: OrderId,
}

#[derive(Resource)]
struct Arrivals(Receiver<Joined>);

/// Has the app follow the orders of players who come to this address. It prints the port that it has.
pub fn listen(address: SocketAddr, app: &mut App) -> std::io::Result<()> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    say(format_args!("players join at {}", listener.local_addr()?));
    let (arrivals, arrived) = bounded(WAITING);
    background::spawn("join", run(listener, arrivals))?;
    app.insert_resource(Arrivals(arrived))
        .add_systems(Update, follow);
    Ok(())
}

fn follow(arrivals: Res<Arrivals>, mut commands: Commands) {
    for Joined { user, order_id } in arrivals.0.try_iter() {
        commands.track_order_as(&user, order_id);
    }
}

async fn run(listener: std::net::TcpListener, arrivals: Sender<Joined>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return error!("no players can join: {error}"),
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // The system has no more sockets to give. Some will be closed.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let arrivals = arrivals.clone();
        tokio::spawn(async move {
            let _ = timeout(PATIENCE, serve(stream, &arrivals)).await;
            drop(place);
        });
    }
}

async fn serve(mut stream: TcpStream, arrivals: &Sender<Joined>) {
    let (input, mut output) = stream.split();
    let mut lines = BufReader::new(input.take(LONGEST_CONNECTION)).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let answer: &[u8] = match read(&line).map(|joined| arrivals.try_send(joined)) {
            Some(Ok(())) => b"ok\n",
            Some(Err(_)) => b"error: the server is busy, try again\n",
            None => b"error: a line is `TOKEN ORDER`\n",
        };
        if output.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// Reads a line.
///
/// A real server verifies the token here, or one player could take another's orders away from their server:
/// `bevy_xsolla::token::TokenVerifier` does it. The emulator does not sign its tokens.
fn read(line: &[u8]) -> Option<Joined> {
    let line = str::from_utf8(line).ok()?;
    let (token, order_id) = line.trim().split_once(' ')?;
    Some(Joined {
        user: XsollaUser::new(token),
        order_id: order_id.parse().ok()?,
    })
}
