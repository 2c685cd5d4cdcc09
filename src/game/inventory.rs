//! What a player owns, and the commands that read it and use it up.

use std::sync::Arc;

use bevy::prelude::*;

use crate::game::answers::{Answers, add_answers};
use crate::game::commands::with_tracking;
use crate::game::deliver::send;
use crate::game::plugin::XsollaOrderSystems;
use crate::game::resources::resource_or_default;
use crate::game::tracking::Tracking;
use crate::model::error::RequestError;
use crate::model::inventory::{
    ConsumeError, ConsumeFailed, ConsumptionId, Inventory, InventoryError, InventoryItem,
    InventoryState, ItemConsumed,
};
use crate::model::user::{UserId, XsollaUser};
use crate::tracker::source::inventory::{self, Owner};

/// Reads what the logged-in player owns, and uses it up. Add it after
/// [`XsollaOrderPlugin`](crate::XsollaOrderPlugin), which it adds if it is missing. See [the chapter of the
/// guide](crate::guide::owned).
///
/// It adds the resource [`Inventory`], and the messages [`ItemConsumed`] and [`ConsumeFailed`], each of which is an
/// [`Event`], too. In a unit test it goes after `XsollaTestPlugin`.
#[derive(Clone, Copy, Debug, Default)]
pub struct XsollaInventoryPlugin;

impl Plugin for XsollaInventoryPlugin {
    fn build(&self, app: &mut App) {
        add_answers(app);
        let world = app.world_mut();
        resource_or_default::<Inventory>(world);
        resource_or_default::<Consumptions>(world);
        app.add_message::<ItemConsumed>()
            .add_message::<ConsumeFailed>()
            .add_systems(
                PreUpdate,
                // The system is exclusive, and may run before or after any other system of this schedule.
                follow_player
                    .run_if(has_work)
                    .ambiguous_with_all()
                    .in_set(XsollaOrderSystems),
            );
    }
}

/// Commands for what the logged-in player owns, which extend [`Commands`]. They need the [`XsollaInventoryPlugin`].
pub trait InventoryCommands {
    /// Fills the [`Inventory`] with what the logged-in player owns. Its [state](Inventory::state) says what became of it.
    ///
    /// Of several fetches the last one counts. The store may take a moment to add what was just bought.
    fn fetch_inventory(&mut self);

    /// Uses up so many pieces of an item of the logged-in player. The answer is one [`ItemConsumed`] or [`ConsumeFailed`]
    /// with the id that is returned here, and the [`Inventory`] has what is left.
    ///
    /// The pieces are used up once, whatever becomes of the store's answer: where it is lost, the inventory is read back,
    /// which takes a second if the item was used up, and some minutes in the worst case. A player's items are used up one
    /// after the other. Nothing of this survives the process: see [the guide](crate::guide::owned).
    ///
    /// If the player logs out meanwhile, the answer to what has begun is sent when they are logged in again, as with
    /// purchases, and what waits for its turn fails.
    fn consume_item(&mut self, sku: impl Into<String>, quantity: u64) -> ConsumptionId;
}

impl InventoryCommands for Commands<'_, '_> {
    fn fetch_inventory(&mut self) {
        self.queue(|world: &mut World| {
            if is_added(world) {
                fetch(world);
            }
        });
    }

    fn consume_item(&mut self, sku: impl Into<String>, quantity: u64) -> ConsumptionId {
        let call = Call {
            id: ConsumptionId::next(),
            sku: sku.into(),
            quantity,
        };
        let id = call.id;
        self.queue(move |world: &mut World| {
            if is_added(world) {
                consume(world, call);
            }
        });
        id
    }
}

fn is_added(world: &World) -> bool {
    let is_added = world.contains_resource::<Consumptions>();
    if !is_added {
        log::error!("nothing is known of what the player owns: XsollaInventoryPlugin is not added");
    }
    is_added
}

/// A call of `consume_item`.
#[derive(Clone, Debug)]
struct Call {
    id: ConsumptionId,
    sku: String,
    quantity: u64,
}

impl Call {
    fn check(&self) -> Result<(), ConsumeError> {
        match (self.sku.is_empty(), self.quantity) {
            (true, _) => Err(ConsumeError::Invalid("the SKU is empty")),
            (_, 0) => Err(ConsumeError::Invalid("the quantity is zero")),
            _ => Ok(()),
        }
    }

    fn failed(self, user: Option<UserId>, error: ConsumeError) -> ConsumeFailed {
        ConsumeFailed {
            consumption_id: self.id,
            user,
            sku: self.sku,
            quantity: self.quantity,
            error,
        }
    }
}

/// A call that has no answer yet.
#[derive(Debug)]
struct Pending {
    owner: UserId,
    call: Call,
    /// Whether the store may have heard of it. Of each player's calls only the oldest has begun.
    has_begun: bool,
}

impl Pending {
    /// Whether it waits for its turn, and its player has gone.
    fn is_deserted(&self, user: Option<&UserId>) -> bool {
        !self.has_begun && Some(&self.owner) != user
    }
}

/// What is under way, and what is to be told.
#[derive(Debug, Default, Resource)]
struct Consumptions {
    /// The oldest first.
    pending: Vec<Pending>,
    /// Answers for a player who has logged out.
    held: Vec<(UserId, Outcome)>,
    /// What failed in this frame, to be told in the next.
    failed: Vec<ConsumeFailed>,
    /// The number of the last fetch.
    fetch: u64,
}

impl Consumptions {
    /// Whether there is something to tell this player, or nobody.
    fn has_news(&self, user: Option<&UserId>) -> bool {
        let (mut held, mut pending) = (self.held.iter(), self.pending.iter());
        !self.failed.is_empty()
            || held.any(|(owner, _)| Some(owner) == user)
            || pending.any(|pending| pending.is_deserted(user))
    }
}

#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Consumed(ItemConsumed),
    Failed(ConsumeFailed),
}

fn has_work(
    user: Option<Res<XsollaUser>>,
    inventory: Option<Res<Inventory>>,
    consumptions: Res<Consumptions>,
) -> bool {
    let user = user.as_deref().map(XsollaUser::id);
    let is_of_another = inventory.is_some_and(|inventory| is_of_another(&inventory, user));
    is_of_another || consumptions.has_news(user)
}

fn is_of_another(inventory: &Inventory, user: Option<&UserId>) -> bool {
    inventory.user.is_some() && inventory.user.as_ref() != user
}

fn player(world: &World) -> Option<UserId> {
    let user = world.get_resource::<XsollaUser>()?;
    Some(user.id().clone())
}

/// Empties the inventory of a player who has gone, and tells what is to be told.
fn follow_player(world: &mut World) {
    let user = player(world);
    let mut inventory = resource_or_default::<Inventory>(world);
    if is_of_another(&inventory, user.as_ref()) {
        *inventory = Inventory::default();
    }
    let mut consumptions = world.resource_mut::<Consumptions>();
    let mut failed = std::mem::take(&mut consumptions.failed);
    let pending = consumptions.pending.iter();
    if pending.clone().any(|it| it.is_deserted(user.as_ref())) {
        let pending = std::mem::take(&mut consumptions.pending).into_iter();
        let (deserted, others) = pending.partition(|it| it.is_deserted(user.as_ref()));
        consumptions.pending = others;
        let deserted: Vec<Pending> = deserted;
        failed.extend(deserted.into_iter().map(|Pending { owner, call, .. }| {
            call.failed(Some(owner), ConsumeError::NotLoggedIn)
        }));
    }
    let held = std::mem::take(&mut consumptions.held);
    let (theirs, others) = held
        .into_iter()
        .partition(|(owner, _)| Some(owner) == user.as_ref());
    consumptions.held = others;
    let theirs: Vec<(UserId, Outcome)> = theirs;
    for (_, outcome) in theirs {
        tell(world, outcome);
    }
    for failed in failed {
        tell(world, Outcome::Failed(failed));
    }
}

/// Updates the inventory, then triggers the event and sends the message.
pub(super) fn tell(world: &mut World, outcome: Outcome) {
    match outcome {
        Outcome::Consumed(consumed) => {
            let mut inventory = resource_or_default::<Inventory>(world);
            if inventory.user.as_ref() == Some(&consumed.user) {
                inventory.set_left(&consumed.sku, consumed.left);
            }
            send(world, consumed);
        }
        Outcome::Failed(failed) => send(world, failed),
    }
}

/// The player and the config with which something is asked for.
fn owner(tracking: &Tracking) -> Result<Owner, InventoryError> {
    let user = tracking.settings.user.clone();
    let config = tracking.settings.config.clone();
    Ok(Owner {
        user: user.ok_or(InventoryError::NotLoggedIn)?,
        config: Arc::new(config.ok_or(RequestError::NotConfigured)?),
    })
}

fn fetch(world: &mut World) {
    with_tracking(world, |world, tracking| {
        let fetch = {
            let mut consumptions = world.resource_mut::<Consumptions>();
            consumptions.fetch += 1;
            consumptions.fetch
        };
        let owner = owner(tracking);
        let user = tracking.settings.user_id();
        let mut inventory = resource_or_default::<Inventory>(world);
        if inventory.user != user {
            *inventory = Inventory::default();
            inventory.user = user;
        }
        match owner {
            Ok(owner) => {
                inventory.state = InventoryState::Loading;
                world.resource::<Answers>().start(
                    &tracking.handle,
                    move |services| inventory::fetch(services, owner),
                    move |world, answer| take_items(world, fetch, answer),
                );
            }
            Err(error) => inventory.state = InventoryState::Failed(error),
        }
    });
}

fn take_items(
    world: &mut World,
    fetch: u64,
    answer: Option<Result<Vec<InventoryItem>, RequestError>>,
) {
    follow_player(world);
    // A later fetch makes the answer an old one. It is another player's if the inventory was emptied.
    let inventory = resource_or_default::<Inventory>(world);
    let is_awaited = inventory.state == InventoryState::Loading;
    if is_awaited && world.resource::<Consumptions>().fetch == fetch {
        let answer = answer.map_or(Err(InventoryError::TaskEnded), |it| it.map_err(Into::into));
        show(world, answer);
    }
}

/// Has the inventory of the player who is logged in show what came of a fetch.
pub(super) fn show(world: &mut World, answer: Result<Vec<InventoryItem>, InventoryError>) {
    let user = player(world);
    let mut inventory = resource_or_default::<Inventory>(world);
    inventory.user = user;
    match answer {
        Ok(items) => {
            inventory.items = items;
            inventory.state = InventoryState::Ready;
        }
        Err(error) => inventory.state = InventoryState::Failed(error),
    }
}

fn consume(world: &mut World, call: Call) {
    with_tracking(world, |world, tracking| {
        let user = tracking.settings.user_id();
        let mut consumptions = world.resource_mut::<Consumptions>();
        let player = user.clone().ok_or(ConsumeError::NotLoggedIn);
        match call.check().and(player) {
            Ok(owner) => {
                consumptions.pending.push(Pending {
                    owner: owner.clone(),
                    call,
                    has_begun: false,
                });
                start_next(world, tracking, &owner);
            }
            Err(error) => {
                consumptions.failed.push(call.failed(user, error));
                tracking.handle.waker.wake();
            }
        }
    });
}

/// Starts the oldest call of a player who is logged in, unless one has begun.
fn start_next(world: &mut World, tracking: &Tracking, player: &UserId) {
    let mut consumptions = world.resource_mut::<Consumptions>();
    let consumptions = &mut *consumptions;
    while let Some(place) = consumptions
        .pending
        .iter()
        .position(|it| it.owner == *player)
        && let Some(pending) = consumptions.pending.get_mut(place)
        && !pending.has_begun
    {
        let error = match owner(tracking) {
            Ok(owner) if owner.user.id() == player => {
                pending.has_begun = true;
                let Call { id, sku, quantity } = pending.call.clone();
                return world.resource::<Answers>().start(
                    &tracking.handle,
                    move |services| inventory::consume(services, owner, sku, quantity),
                    move |world, answer| take_consumed(world, id, answer),
                );
            }
            Ok(_) | Err(InventoryError::NotLoggedIn) => ConsumeError::NotLoggedIn,
            Err(InventoryError::Request(error)) => ConsumeError::Request(error),
            Err(InventoryError::TaskEnded) => ConsumeError::TaskEnded,
        };
        let Pending { owner, call, .. } = consumptions.pending.remove(place);
        consumptions.failed.push(call.failed(Some(owner), error));
        tracking.handle.waker.wake();
    }
}

fn take_consumed(world: &mut World, id: ConsumptionId, answer: Option<Result<u64, ConsumeError>>) {
    let mut consumptions = world.resource_mut::<Consumptions>();
    let pending = &mut consumptions.pending;
    let Some(place) = pending.iter().position(|it| it.call.id == id) else {
        return;
    };
    let Pending { owner, call, .. } = pending.remove(place);
    let outcome = match answer.unwrap_or(Err(ConsumeError::TaskEnded)) {
        Ok(left) => Outcome::Consumed(ItemConsumed {
            consumption_id: call.id,
            user: owner.clone(),
            sku: call.sku,
            quantity: call.quantity,
            left,
        }),
        Err(error) => Outcome::Failed(call.failed(Some(owner.clone()), error)),
    };
    consumptions.held.push((owner.clone(), outcome));
    with_tracking(world, |world, tracking| start_next(world, tracking, &owner));
    follow_player(world);
    // A fetch that began before may not know of it.
    let is_loading = |inventory: &Inventory| inventory.state == InventoryState::Loading;
    if world.get_resource::<Inventory>().is_some_and(is_loading) {
        fetch(world);
    }
}
