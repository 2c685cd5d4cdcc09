//! A local stand-in for Xsolla's servers, to test a shop without Xsolla. It needs no account, no network and no
//! payment. The feature `emulator` belongs among the `[dev-dependencies]`:
//!
//! ```toml
//! [dev-dependencies]
//! bevy_xsolla = { version = "0.1", features = ["emulator"] }
//! ```
//!
//! [`XsollaEmulator::start`] opens a server on a free port of this machine's loopback, with a thread
//! of its own. A clone is another handle to the same server. Its [`config`](XsollaEmulator::config) and its
//! [`user`](XsollaEmulator::user)s are given to the game; nothing else in the game changes. Then the test is the
//! player, the payment page and Xsolla in one:
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
//! It answers on one port, in Xsolla's formats:
//!
//! | | |
//! |---|---|
//! | `GET /api/v2/project/{id}/order/{order_id}` | Get Order |
//! | `POST /api/v3/project/{id}/admin/order/search` | the order search, for a server with [the key](XsollaEmulator::store_key) |
//! | `POST …/payment/item/{sku}`, `…/payment/cart` | creates an order: its id and a payment token |
//! | `POST …/payment/item/{sku}/virtual/{currency_sku}` | buys for virtual currency: the order is done at once |
//! | `POST …/free/item/{sku}`, `…/free/cart` | takes free items: the order is done at once |
//! | `GET …/items/virtual_items?limit=50&offset=0` | the virtual items [for sale](XsollaEmulator::set_items); also `/group/{external_id}`, `/all`, and `sku[]=…` for some of them |
//! | `GET …/items/bundle`, `…/items/virtual_currency`, `…/items/virtual_currency/package` | the other kinds in the same form; `…/items` has all of them, and `/sku/{sku}` after any of these has one item |
//! | `GET …/items/groups` | the groups that the items name |
//! | `GET …/user/inventory/items?limit=50&offset=0` | [what the player owns](#what-players-own) |
//! | `GET …/user/time_limited_items` | the subscriptions that are for sale, and until when the player has them |
//! | `POST …/user/inventory/item/consume` | uses an item up: `{"sku": "potion", "quantity": 1}` |
//! | `GET /webshop/?user=alice` | a [Web Shop](XsollaEmulator::web_shop_url), which sells without a game |
//! | `GET /v2.0/events?project_id={id}&after_id=…` | the player's [queue of events](XsollaEmulator::queue_events), 50 at a time |
//! | `POST /v2.0/events/{event_id}/processed?project_id={id}` | takes an event out of the queue |
//! | `GET /paystation4/?token=…` | the [payment page](#the-payment-page), and `/sandbox/paystation4/` for orders with `"sandbox": true` |
//! | `GET /connection/websocket` | the order-status socket: Centrifuge protocol v2, JSON |
//! | `POST /emulator/webhooks` | sends a [webhook](#webhooks) by hand; Xsolla has no such address |
//!
//! Requests carry a token as `Authorization: Bearer …`: a user's, or the payment token of an order.
//! Limits of items are kept: a purchase beyond them is refused with 422 and 0401-1460, and a payment that uses a limit up
//! cancels the unpaid orders that cannot be filled any more. Bonus items of promotions are in the order.
//! A cart is the request's own `{"items":[{"sku":"sword","quantity":1}]}`. Order ids exceed 32 bits,
//! as Xsolla's do, and begin at a number made from the time of the start, so that they are not those of
//! an earlier run; [`set_next_order_id`](XsollaEmulator::set_next_order_id) sets them.
//!
//! # What players own
//!
//! A paid order brings its items, the contents of bundles, and bonus items; a canceled one takes them away. Consumables
//! add up until they are used up, and what is not consumable is there once. A subscription lasts longer with each piece,
//! by its `inventory_options.expiration_period`, which is a month where it is missing; it is listed until its end, which
//! [`end_subscription`](XsollaEmulator::end_subscription) brings about. An item that is not for sale is a consumable.
//! Virtual currencies are not listed. An item is used up by a quantity: 422 answers a request with both a quantity and an
//! `instance_id`, or with neither, and for an item that is no consumable, and 404 one for more pieces than there are.
//! [`lose_answers`](XsollaEmulator::lose_answers) is the fault in which an item is used up and nobody hears of it.
//!
//! # Browsers and the socket
//!
//! A game in a browser may use the REST API from any origin. As with Xsolla's store it may send the headers
//! `Authorization` and `Content-Type` and none of its own. It cannot read the headers of answers, and so not
//! `Retry-After`.
//!
//! The socket keeps the rules of the servers that Xsolla runs, so a client that breaks them is found
//! out: it wants a `connect` within ten seconds (3502) and a pong for each ping and none without (3012, 3501),
//! closes on a malformed frame (3501) and on a message of more than 64 KiB (1009), joins messages that are due
//! at once in one frame, and recovers what a client has missed where epoch and history allow it. Every other
//! command is answered as a Centrifugo answers it that allows its clients to read the history of their own channel
//! and nothing else. Pages of every origin may connect, unless the test
//! [says otherwise](XsollaEmulator::allow_origins).
//!
//! # The payment page
//!
//! The page takes the place of Pay Station. Any browser shows it, with the order and its price. Its buttons
//! pay (delivery follows after a [moment](XsollaEmulator::set_delivery_delay)), pay
//! [slowly](XsollaEmulator::set_slow_payment) as by mobile phone, decline the card, cancel, and refund.
//! [`payment_url`](XsollaEmulator::payment_url) is its address for an order; a shop that creates orders
//! itself adds the token to [`payment_page_url`](XsollaEmulator::payment_page_url). Tests that need
//! no browser post the buttons' forms, or move the order by code as above.
//!
//! Any page may show it in a frame. As Pay Station does, it posts messages to the window that shows it in a
//! frame or has opened it, each of them JSON as text: `{"command":"widget-detection","data":{}}` when it is
//! loaded, `{"command":"status","data":{"paymentInfo":{"status":"done","invoice":1234567890,"userId":"…"}}}`
//! with the statuses `invoice` (the payment is under way), `delivering`, `done` and `troubled`, and in a frame
//! `{"command":"close","data":{}}` when the player wants to go back. It reloads itself while something is
//! under way, and then repeats them. Outside of a frame a button leads back to the order's
//! `settings.return_url`, to which it adds `user_id`, and `invoice_id` and `status` once the player has tried to
//! pay.
//!
//! `cargo run --example emulator` runs the emulator alone, for any client.
//!
//! # Webhooks
//!
//! [`webhooks_to`](XsollaEmulator::webhooks_to) names the server that hears of orders as a studio's server hears of
//! them from Xsolla, in any language:
//!
//! ```no_run
//! # use bevy_xsolla::emulator::XsollaEmulator;
//! # let emulator = XsollaEmulator::start();
//! # let order_id = bevy_xsolla::OrderId(1);
//! emulator.webhooks_to("http://127.0.0.1:8080/webhooks", "the project's secret");
//! emulator.pay(order_id);
//! while emulator.webhook_attempts_for(order_id).is_empty() {
//!     std::thread::yield_now();
//! }
//! assert_eq!(emulator.webhook_attempts_for(order_id)[0].status(), Some(204));
//! ```
//!
//! | | is sent when |
//! |---|---|
//! | `user_validation` | the player is about to pay on the payment page. Any answer but a 2xx declines the payment |
//! | `order_paid` | an order becomes `paid`, or `done` without having been paid, such as a free one |
//! | `order_canceled` | an order that was paid or done is canceled |
//! | `payment`, `refund` | before them, with [separate webhooks](XsollaEmulator::separate_webhooks). `order_paid` is sent once `payment` was accepted |
//!
//! They are sent over plain HTTP, signed, one after the other. The next one is sent when the last was answered, failed,
//! or was not answered within 3 seconds. 200, 201 and 204 accept a webhook. 400, 401, 402, 403, 404, 409, 415 and 422
//! refuse it for good. After anything else it is sent again: twice after 5 minutes each, 7 times after 15, and 10 times
//! after 60; `payment` and `refund` 12 times after 4 hours. Meanwhile others are sent.
//! [`pass_webhook_time`](XsollaEmulator::pass_webhook_time) saves a test the hours. With [automatic
//! refunds](XsollaEmulator::refund_automatically), an order whose webhook was refused or given up is canceled, which
//! `order_canceled` tells as it tells any refund: a server may have granted the order and answered too late.
//!
//! The bodies are those that Xsolla documents, in both [versions](XsollaEmulator::set_webhook_version). Players are
//! named by the `sub` of their tokens. What a game puts into `custom_parameters` is not kept.
//!
//! [`duplicate_webhooks`](XsollaEmulator::duplicate_webhooks), [`reorder_webhooks`](XsollaEmulator::reorder_webhooks),
//! [`sign_webhooks_wrongly`](XsollaEmulator::sign_webhooks_wrongly), [`hold_webhooks`](XsollaEmulator::hold_webhooks),
//! [`cut_webhooks`](XsollaEmulator::cut_webhooks) and [`slow_webhooks`](XsollaEmulator::slow_webhooks) are the faults.
//!
//! [`send_webhook`](XsollaEmulator::send_webhook) and its siblings send one by hand. Programs in other languages post
//! to the emulator's port, and read in the answer what theirs was answered:
//!
//! ```text
//! curl -d '{"notification_type": "order_paid", "order_id": 5881112340}' http://127.0.0.1:PORT/emulator/webhooks
//! {"attempt":1,"body":"","error":null,"is_duplicate":false,"notification_type":"order_paid", ... "status":204}
//! ```
//!
//! `"user": "alice"` in place of the order's id asks for `user_validation`, and `{"body": {...}}` sends any body. A
//! `GET` lists all attempts. `cargo run --example emulator -- --webhooks http://127.0.0.1:8080/` runs it alone.
//!
//! # What it does not
//!
//! No money moves: an order is paid when the test or a button says so, and signatures of tokens mean
//! nothing. Balances of virtual currencies are kept where they are [set](XsollaEmulator::set_balance), and guests
//! without a token are not known. Where Xsolla's behaviour is not published, the emulator does what a Centrifuge
//! server does: a token that the socket refuses is answered with error 101, an expired one with 109. It proves
//! that a game copes with what Xsolla sends, not that Xsolla is set up for the game; Xsolla's own test payments
//! prove that.

mod control;
mod http;
mod socket;
mod webhooks;
mod world;

pub use control::emulator::XsollaEmulator;
pub use world::counters::Connect;
pub use world::error::EmulatorError;
pub use world::faults::Fault;
pub use world::webhook_bodies::WebhookVersion;
pub use world::webhook_records::{WebhookAttempt, WebhookCounts, WebhookFailure, WebhookId};
