//! This plays what happens elsewhere in reality: players order and pay, and Xsolla delivers. Unlike Xsolla
//! the emulator forgets its orders when it ends, so they are made anew from the database.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bevy::prelude::*;
use bevy::time::common_conditions::on_timer;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;

use crate::args::Args;
use crate::say;
use crate::sqlite::{Database, Ordered};

/// How often a player does something.
const BEAT: Duration = Duration::from_millis(100);

#[derive(Resource)]
pub struct Players {
    emulator: XsollaEmulator,
    number: usize,
    /// Whether the players stop buying, and the server ends, when all is granted.
    once: bool,
    /// The next steps of the players.
    plan: VecDeque<Step>,
    /// The number of the player who bought last, once the plan is done.
    last_buyer: usize,
}

#[derive(Clone, Copy)]
enum Step {
    Pay(OrderId),
    Deliver(OrderId),
    /// This step lasts until the server has heard of the refund.
    Refund(OrderId),
}

impl Players {
    pub fn start(args: &Args) -> io::Result<Self> {
        Ok(Self {
            emulator: XsollaEmulator::try_start()?,
            number: args.players,
            once: args.once,
            plan: VecDeque::new(),
            last_buyer: 0,
        })
    }

    pub fn config(&self) -> XsollaConfig {
        self.emulator.config()
    }

    pub fn join(self, app: &mut App) {
        app.insert_resource(self)
            .add_systems(Startup, (remember, log_in, order_first).chain())
            .add_systems(Update, live.run_if(on_timer(BEAT)))
            .add_systems(PostUpdate, leave.run_if(on_timer(BEAT)));
    }

    /// A player makes an order and tells the server about it.
    fn order(
        &mut self,
        number: usize,
        (sku, quantity): (&str, u64),
        database: &mut Database,
        commands: &mut Commands,
    ) -> rusqlite::Result<OrderId> {
        let player = name(number);
        let user = self.emulator.user(&player);
        let order_id = self.emulator.create_order(&user, &[(sku, quantity)]);
        say(format_args!(
            "order {order_id}: {player} orders {quantity} {sku}"
        ));
        database.note_order(&Ordered {
            order_id,
            player,
            sku: sku.to_owned(),
            quantity,
            is_granted: false,
            is_refunded: false,
        })?;
        commands.track_order_as(&user, order_id);
        Ok(order_id)
    }
}

fn name(number: usize) -> String {
    format!("player-{number:03}")
}

/// Every fourth player sends their sword back.
fn sends_back(order: &Ordered) -> bool {
    let number = order.player.strip_prefix("player-");
    let number: Option<usize> = number.and_then(|number| number.parse().ok());
    order.sku == "sword" && number.is_some_and(|number| number % 4 == 0)
}

/// Gives the emulator the orders of earlier runs, which Xsolla would remember.
fn remember(players: Res<Players>, mut database: ResMut<Database>) -> Result {
    let emulator = &players.emulator;
    for order in database.orders()? {
        let user = emulator.user(&order.player);
        emulator.set_next_order_id(order.order_id);
        emulator.create_order(&user, &[(&order.sku, order.quantity)]);
        match (order.is_granted, order.is_refunded) {
            (_, true) => emulator.cancel(order.order_id),
            (true, false) => emulator.deliver(order.order_id),
            (false, false) => {}
        }
    }
    Ok(())
}

/// The players are back, each with a new token. The server follows their orders again; a granted one too,
/// because it may be refunded.
fn log_in(players: Res<Players>, mut database: ResMut<Database>, mut commands: Commands) -> Result {
    let orders = database.orders()?;
    let granted = orders.iter().filter(|order| order.is_granted).count();
    say(format_args!(
        "{} players; {} orders from earlier runs, of which {granted} are granted",
        players.number,
        orders.len()
    ));
    for order in orders.iter().filter(|order| !order.is_refunded) {
        let user = players.emulator.user(&order.player);
        commands.track_order_as(&user, order.order_id);
    }
    Ok(())
}

/// Every player orders a sword, and every fourth one orders potions too.
fn order_first(
    mut players: ResMut<Players>,
    mut database: ResMut<Database>,
    mut commands: Commands,
) -> Result {
    let old = database.orders()?;
    for number in 1..=players.number {
        let player = name(number);
        let has = |sku| old.iter().any(|o| o.player == player && o.sku == sku);
        if !has("sword") {
            players.order(number, ("sword", 1), &mut database, &mut commands)?;
        }
        if number % 4 == 0 && !has("potion") {
            players.order(number, ("potion", 3), &mut database, &mut commands)?;
        }
    }
    let orders = database.orders()?;
    let (swords, others): (Vec<_>, Vec<_>) = orders.iter().partition(|o| o.sku == "sword");
    let buy = |order: &&&Ordered| !order.is_granted;
    let pay = |order: &&Ordered| [Step::Pay(order.order_id), Step::Deliver(order.order_id)];
    let refund = |order: &&Ordered| Step::Refund(order.order_id);
    // The refunds come before the potions are paid: the news of a refund comes over a socket, and the
    // potions' open orders keep the sockets open.
    players.plan.extend(swords.iter().filter(buy).flat_map(pay));
    let unhappy = swords.iter().filter(|o| sends_back(o) && !o.is_refunded);
    players.plan.extend(unhappy.map(refund));
    players.plan.extend(others.iter().filter(buy).flat_map(pay));
    Ok(())
}

/// Takes the next step of the plan.
fn live(
    mut players: ResMut<Players>,
    mut database: ResMut<Database>,
    mut commands: Commands,
) -> Result {
    let is_over = match players.plan.front().copied() {
        Some(Step::Pay(order_id)) => {
            players.emulator.pay(order_id);
            true
        }
        Some(Step::Deliver(order_id)) => {
            players.emulator.deliver(order_id);
            true
        }
        Some(Step::Refund(order_id)) => {
            let is_refunded = database.is_refunded(order_id)?;
            if is_refunded == Some(false) && players.emulator.status(order_id) == OrderStatus::Done
            {
                players.emulator.refund(order_id);
            }
            is_refunded == Some(true)
        }
        None if players.once => false,
        None => {
            players.last_buyer = players.last_buyer % players.number + 1;
            let buyer = players.last_buyer;
            let order_id = players.order(buyer, ("potion", 1), &mut database, &mut commands)?;
            players
                .plan
                .extend([Step::Pay(order_id), Step::Deliver(order_id)]);
            false
        }
    };
    if is_over {
        players.plan.pop_front();
    }
    Ok(())
}

/// With `--once` the server ends when it has granted all that was paid.
fn leave(
    players: Res<Players>,
    mut database: ResMut<Database>,
    mut exit: MessageWriter<AppExit>,
) -> Result {
    if players.once
        && players.plan.is_empty()
        && database.orders()?.iter().all(|order| order.is_granted)
    {
        exit.write(AppExit::Success);
    }
    Ok(())
}
