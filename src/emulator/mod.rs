//! A local stand-in for Xsolla's servers, to test a shop without Xsolla: no account, no network, no
//! payment. Needs the feature `emulator`; belongs among the `[dev-dependencies]`:
//!
//! ```toml
//! [dev-dependencies]
//! bevy_xsolla = { version = "0.1", features = ["emulator"] }
//! ```
//!
//! [`XsollaEmulator::start`] opens a server on a free port of this machine's loopback, with a thread
//! of its own. Its [`config`](XsollaEmulator::config) and its [`user`](XsollaEmulator::user)s are
//! given to the game; nothing else in the game changes. Then the test is the player, the payment
//! page and Xsolla in one:
//!
//! ```no_run
//! use std::time::{Duration, Instant};
//!
//! use bevy::prelude::*;
//! use bevy_xsolla::emulator::XsollaEmulator;
//! use bevy_xsolla::prelude::*;
//!
//! // The shop under test.
//! #[derive(Default, Resource)]
//! struct Bag(Vec<String>);
//!
//! fn unlock_items(
//!     mut done: MessageReader<OrderDone>,
//!     mut bag: ResMut<Bag>,
//!     mut commands: Commands,
//! ) {
//!     for order in done.read() {
//!         bag.0.extend(order.items.iter().map(|item| item.sku.clone()));
//!         commands.acknowledge_order(order.order_id);
//!     }
//! }
//!
//! // The test.
//! let emulator = XsollaEmulator::start();
//! let alice = emulator.user("alice");
//! let order_id = emulator.create_order(&alice, &[("sword", 1)]);
//!
//! let mut app = App::new();
//! app.add_plugins((MinimalPlugins, XsollaOrderPlugin))
//!     .insert_resource(emulator.config())
//!     .insert_resource(alice)
//!     .init_resource::<Bag>()
//!     .add_systems(Update, unlock_items);
//! app.world_mut().commands().track_order(order_id);
//!
//! emulator.pay(order_id);
//! emulator.drop_sockets(); // trouble, at the worst time
//! emulator.deliver(order_id);
//!
//! let deadline = Instant::now() + Duration::from_secs(10);
//! while app.world().resource::<Bag>().0.is_empty() {
//!     assert!(Instant::now() < deadline, "the sword was not granted");
//!     app.update();
//! }
//! assert_eq!(app.world().resource::<Bag>().0, ["sword"]);
//! ```
//!
//! # What it does
//!
//! On one port, in Xsolla's formats:
//!
//! | | |
//! |---|---|
//! | `GET /api/v2/project/{id}/order/{order_id}` | Get Order |
//! | `POST …/payment/item/{sku}`, `…/payment/cart` | creates an order: its id and a payment token |
//! | `POST …/payment/item/{sku}/virtual/{currency_sku}` | buys for virtual currency: the order is done at once |
//! | `POST …/free/item/{sku}`, `…/free/cart` | takes free items: the order is done at once |
//! | `GET …/items/virtual_items?limit=50&offset=0` | the [items for sale](XsollaEmulator::set_items) |
//! | `GET /paystation4/?token=…` | the [payment page](#the-payment-page), and `/sandbox/paystation4/` for orders with `"sandbox": true` |
//! | `GET /connection/websocket` | the order-status socket: Centrifuge protocol v2, JSON |
//!
//! Requests carry a token as `Authorization: Bearer …`: a user's, or the payment token of an order.
//! A cart is the request's own `{"items":[{"sku":"sword","quantity":1}]}`. Order ids exceed 32 bits,
//! as Xsolla's do, and begin at a number made from the time of the start, so that they are not those of
//! an earlier run; [`set_next_order_id`](XsollaEmulator::set_next_order_id) sets them.
//!
//! The socket keeps the rules of the servers that Xsolla runs, so a client that breaks them is found
//! out: it wants a pong for each ping and none without (3012, 3501), closes on a malformed frame
//! (3501), joins messages that are due at once in one frame, and recovers what a client has missed
//! where epoch and history allow it.
//!
//! # The payment page
//!
//! What Pay Station is to the player: a page for any browser, with the order and its price. Its buttons
//! pay (delivery follows after a [moment](XsollaEmulator::set_delivery_delay)), pay
//! [slowly](XsollaEmulator::set_slow_payment) as by mobile phone, decline the card, cancel, and refund.
//! [`payment_url`](XsollaEmulator::payment_url) is its address for an order; a shop that creates orders
//! itself adds the token to [`payment_page_url`](XsollaEmulator::payment_page_url). Tests that need
//! no browser post the buttons' forms, or move the order by code as above.
//!
//! `cargo run --example emulator` runs the emulator alone, for any client.
//!
//! # What it does not
//!
//! It takes anyone's word that an order was paid: there is no money, and signatures of tokens mean
//! nothing. Balances of virtual currencies are kept where they are
//! [set](XsollaEmulator::set_balance), and guests without a token are not known. Where Xsolla's behaviour is not published it does what a Centrifuge server does: a token
//! that the socket refuses is answered with error 101, an expired one with 109. It proves that a game copes
//! with what Xsolla sends, not that Xsolla is set up for the game; for that there are Xsolla's own
//! test payments.

mod catalog;
mod control;
mod counters;
mod faults;
mod frames;
mod order;
mod page;
mod payment;
mod rest;
mod server;
mod socket;
mod state;
mod stream;
mod token;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use bevy::prelude::Resource;
use tokio::sync::oneshot;

pub use control::EmulatorError;
pub use counters::Connect;
pub use faults::Fault;

use crate::model::config::XsollaConfig;
use crate::model::ledger::Ledger;
use crate::model::user::XsollaUser;

/// A local stand-in for Xsolla's servers. See the [module](self) for what it does and a worked
/// example.
///
/// Every method can be called from any thread, takes effect before it returns unless it says
/// otherwise, and does not wait for the network. Dropping the emulator closes every connection and
/// frees the port; as a resource it lives as long as its app.
#[derive(Resource)]
pub struct XsollaEmulator {
    shared: Arc<state::Shared>,
    address: SocketAddr,
    /// Dropping it stops the server.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl XsollaEmulator {
    /// Starts the server.
    ///
    /// # Panics
    ///
    /// Where [`try_start`](Self::try_start) fails.
    #[track_caller]
    #[expect(
        clippy::panic,
        reason = "without a loopback no test can run, and each would say the same"
    )]
    pub fn start() -> Self {
        match Self::try_start() {
            Ok(emulator) => emulator,
            Err(error) => panic!("the emulator cannot start: {error}"),
        }
    }

    /// Starts the server.
    ///
    /// # Errors
    ///
    /// The system has no port on the loopback, or no thread, to give.
    pub fn try_start() -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = state::Shared::new();
        let (stop, stopped) = oneshot::channel();
        let (report, started) = mpsc::channel();
        let server = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("xsolla-emulator".to_owned())
            .spawn(move || {
                // Made here, where it is dropped too: tokio forbids that within another runtime.
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                let ready = runtime.and_then(|runtime| {
                    let context = runtime.enter();
                    let listener = tokio::net::TcpListener::from_std(listener)?;
                    drop(context);
                    Ok((runtime, listener))
                });
                match ready {
                    Ok((runtime, listener)) => {
                        let _ = report.send(Ok(()));
                        runtime.block_on(server::serve(listener, server, stopped));
                    }
                    Err(error) => {
                        let _ = report.send(Err(error));
                    }
                }
            })?;
        started.recv().map_err(io::Error::other)??;
        Ok(Self {
            shared,
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The configuration of a game that is to use the emulator: its project and addresses, no ledger
    /// (the emulator's orders are gone with it), and otherwise the usual timings.
    pub fn config(&self) -> XsollaConfig {
        let mut config = XsollaConfig::new(self.project_id());
        config.store_url = self.store_url();
        config.socket_url = self.socket_url();
        config.ledger = Ledger::disabled();
        config.open_payment_page = false;
        config.payment_url = self.payment_page_url();
        config.sandbox_payment_url = self.sandbox_payment_page_url();
        config
    }

    /// The address for [`XsollaConfig::store_url`].
    pub fn store_url(&self) -> String {
        format!("http://{}/api", self.address)
    }

    /// The address for [`XsollaConfig::socket_url`].
    pub fn socket_url(&self) -> String {
        format!("ws://{}/connection/websocket", self.address)
    }

    /// The id of the one project that the emulator knows.
    pub fn project_id(&self) -> u64 {
        state::PROJECT_ID
    }

    /// A logged-in player, with a fresh token that is good for a day. The same name is the same
    /// player, with the same orders.
    pub fn user(&self, name: &str) -> XsollaUser {
        XsollaUser::new(self.token(name))
    }

    /// A logged-in player whose token is accepted for this long. The token's own `exp` claim is in
    /// whole seconds, rounded up.
    pub fn user_for(&self, name: &str, lifetime: Duration) -> XsollaUser {
        XsollaUser::new(self.token_for(name, lifetime))
    }

    /// A fresh token of this player as text, for shops that talk to Xsolla's servers themselves.
    pub fn token(&self, name: &str) -> String {
        self.token_for(name, token::LIFETIME)
    }

    /// A fresh token as text that is accepted for this long.
    pub fn token_for(&self, name: &str, lifetime: Duration) -> String {
        self.shared.lock().issue_token(name, lifetime)
    }

    /// Takes back every token of this player, as when they log out elsewhere: requests and new
    /// sockets are refused as unauthorized. Open sockets stay open.
    pub fn revoke_tokens(&self, name: &str) {
        self.shared.lock().revoke_tokens(name);
    }
}

impl Drop for XsollaEmulator {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It ended by a panic, which the test has seen on the terminal.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for XsollaEmulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XsollaEmulator")
            .field("address", &self.address)
            .field("orders", &self.orders().len())
            .field("open_sockets", &self.open_sockets())
            .finish_non_exhaustive()
    }
}
