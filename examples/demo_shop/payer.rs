//! With the emulator the demo also plays the player who pays and Xsolla that delivers. The game hears of
//! both through the plugin only.
//!
//! Unlike Xsolla the emulator forgets its orders when it ends. So they are kept in a file beside the game's,
//! and time passes for them while the game is closed.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use serde::{Deserialize, Serialize};

use crate::save;

/// How long the player takes to pay, and how long Xsolla then takes to deliver.
const PAID_AFTER: Duration = Duration::from_millis(1500);
const DONE_AFTER: Duration = Duration::from_millis(1500);

/// How long a slow payment takes. A real one, by the phone bill, may take minutes.
const PAID_SLOWLY_AFTER: Duration = Duration::from_secs(20);

/// Does nothing in an app without an [`XsollaEmulator`].
pub struct PayerPlugin;

impl Plugin for PayerPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Payer>()
            .add_systems(Update, open_pages)
            // This runs in `Last`, so that the file has what the last frame saw.
            .add_systems(
                Last,
                pay_and_deliver.run_if(resource_exists::<XsollaEmulator>),
            );
    }
}

#[derive(Default, Resource)]
pub struct Payer {
    /// Where the demo pays; `None` where Xsolla's servers are.
    emulator: Option<XsollaEmulator>,
    pub is_slow: bool,
    /// Whether the player pays in a browser, on the emulator's payment page.
    pub is_by_hand: bool,
    bought: Vec<Bought>,
    file: PathBuf,
}

/// An order, as Xsolla remembers it.
#[derive(Clone, Serialize, Deserialize)]
struct Bought {
    order_id: u64,
    items: Vec<(String, u64)>,
    status: String,
    /// When it will be paid or delivered by itself.
    next: Option<SystemTime>,
}

impl Payer {
    /// Brings back what was ordered in earlier runs.
    pub fn open(folder: &Path, emulator: &XsollaEmulator, user: &XsollaUser) -> io::Result<Self> {
        let file = folder.join(save::EMULATOR);
        let bought: Vec<Bought> = save::read(&file)?.unwrap_or_default();
        for order in &bought {
            let items: Vec<_> = order
                .items
                .iter()
                .map(|(sku, n)| (sku.as_str(), *n))
                .collect();
            let order_id = OrderId(order.order_id);
            emulator.set_next_order_id(order_id);
            emulator.create_order(user, &items);
            emulator.set_status(order_id, &order.status);
        }
        Ok(Self {
            emulator: Some(emulator.clone()),
            bought,
            file,
            ..default()
        })
    }

    /// Keeps an order that was made and paid without the game.
    pub fn keep(&mut self, order_id: OrderId, sku: &str) {
        self.bought.push(Bought {
            order_id: order_id.0,
            items: vec![(sku.to_owned(), 1)],
            status: String::new(),
            next: None,
        });
    }

    /// Whether a payment or a delivery is to come.
    pub fn is_busy(&self) -> bool {
        self.bought.iter().any(|order| order.next.is_some())
    }

    /// Whether this order waits for the player to pay it in the browser.
    pub fn leaves_to_player(&self, order_id: OrderId) -> bool {
        if self.emulator.is_none() {
            return true;
        }
        let order = self.bought.iter().find(|o| o.order_id == order_id.0);
        order.is_some_and(|order| order.status == "new" && order.next.is_none())
    }

    /// Cancels an unpaid order on the payment page, and returns whether the demo stands in for it.
    pub fn cancel(&self, order_id: OrderId) -> bool {
        if let Some(emulator) = &self.emulator
            && emulator.status(order_id) == OrderStatus::New
        {
            emulator.cancel(order_id);
        }
        self.emulator.is_some()
    }

    /// Pays now what would be paid slowly.
    pub fn hurry(&mut self) {
        self.is_slow = false;
        for order in &mut self.bought {
            order.next = order.next.map(|next| next.min(SystemTime::now()));
        }
    }

    /// Says whether the player pays in the browser. That counts for unpaid orders too.
    pub fn set_by_hand(&mut self, is_by_hand: bool) {
        self.is_by_hand = is_by_hand;
        let when = self.paid_at();
        let unpaid = self.bought.iter_mut().filter(|order| order.status == "new");
        for order in unpaid {
            order.next = when;
        }
    }

    fn paid_at(&self) -> Option<SystemTime> {
        let after = match self.is_slow {
            true => PAID_SLOWLY_AFTER,
            false => PAID_AFTER,
        };
        (!self.is_by_hand).then(|| SystemTime::now() + after)
    }
}

fn open_pages(mut started: MessageReader<PurchaseStarted>, mut payer: ResMut<Payer>) {
    for order in started.read() {
        let next = payer.paid_at();
        payer.bought.push(Bought {
            order_id: order.order_id.0,
            items: order.purchase.items().to_vec(),
            status: String::new(),
            next,
        });
    }
}

fn pay_and_deliver(mut payer: ResMut<Payer>, emulator: Res<XsollaEmulator>) {
    let payer = payer.bypass_change_detection();
    let mut has_changed = false;
    for order in &mut payer.bought {
        let order_id = OrderId(order.order_id);
        let is_due = order.next.is_some_and(|next| next <= SystemTime::now());
        match emulator.status(order_id) {
            OrderStatus::New if is_due => emulator.pay(order_id),
            OrderStatus::Paid if is_due && order.status == "paid" => emulator.deliver(order_id),
            _ => {}
        }
        let status = emulator.status(order_id);
        if order.status != status.as_str() {
            status.as_str().clone_into(&mut order.status);
            has_changed = true;
            order.next = match status {
                OrderStatus::New => order.next,
                // A payment that was due while the game was closed counts as made at that time.
                OrderStatus::Paid => Some(order.next.unwrap_or_else(SystemTime::now) + DONE_AFTER),
                _ => None,
            };
        }
    }
    if has_changed && let Err(error) = save::write(&payer.file, &payer.bought) {
        warn!("{}: {error}", payer.file.display());
    }
}
