//! What the game asks of the store.

use bevy::prelude::{Commands, World};

use crate::game::checkout::Checkout;
use crate::game::commands::{fail_purchases_if_dead, tell};
use crate::game::deliver::send;
use crate::model::catalog::{Catalog, CatalogRequest, CatalogState};
use crate::model::order::OrderId;
use crate::model::purchase::{Purchase, PurchaseError, PurchaseFailed};
use crate::model::user::XsollaUser;
use crate::tracker::shop::StoreCommand;
use crate::tracker::task::Command;

/// Buying, on [`Commands`].
pub trait StoreCommands {
    /// Fills the [`Catalog`] with all virtual items of the project.
    fn fetch_catalog(&mut self);

    /// The same in another language, or with another country's prices.
    fn fetch_catalog_for(&mut self, request: CatalogRequest);

    /// Creates an order for the logged-in [`XsollaUser`], tracks it, and then opens the payment page in
    /// the player's browser. [`PurchaseStarted`](crate::PurchaseStarted) or [`PurchaseFailed`] says how
    /// that went; [`OrderDone`](crate::OrderDone) comes when it is paid and delivered.
    ///
    /// The same purchase a second time, while the first is being made or within a second of it, is a
    /// double click and does nothing.
    fn purchase(&mut self, purchase: impl Into<Purchase>);

    /// Opens the payment page of an order of this run again, for a player who has closed it. The page
    /// works for 24 h. [`PaymentPageFailed`](crate::PaymentPageFailed) says that there is none to open.
    ///
    /// A game that shows the page itself has its address from [`PurchaseStarted`](crate::PurchaseStarted);
    /// then this does nothing.
    fn resume_payment(&mut self, order_id: OrderId);

    /// Stops following an order that the player does not want to pay now. If it is paid all the same,
    /// it is granted: over a socket that is open for another order, or at the next start.
    fn abandon_order(&mut self, order_id: OrderId);
}

impl StoreCommands for Commands<'_, '_> {
    fn fetch_catalog(&mut self) {
        self.fetch_catalog_for(CatalogRequest::new());
    }

    fn fetch_catalog_for(&mut self, request: CatalogRequest) {
        self.queue(move |world: &mut World| {
            let user = world.get_resource::<XsollaUser>();
            let user = user.map(|user| user.id().clone());
            let command = StoreCommand::FetchCatalog { user, request };
            tell(world, Command::Store(command));
            if let Some(mut catalog) = world.get_resource_mut::<Catalog>() {
                catalog.state = CatalogState::Loading;
            }
            fail_purchases_if_dead(world);
        });
    }

    fn purchase(&mut self, purchase: impl Into<Purchase>) {
        let purchase = purchase.into();
        self.queue(move |world: &mut World| make(world, purchase));
    }

    fn resume_payment(&mut self, order_id: OrderId) {
        self.queue(move |world: &mut World| {
            let command = StoreCommand::ResumePayment(order_id);
            tell(world, Command::Store(command));
        });
    }

    fn abandon_order(&mut self, order_id: OrderId) {
        self.queue(move |world: &mut World| abandon(world, order_id));
    }
}

fn make(world: &mut World, purchase: Purchase) {
    let problem = match purchase.items() {
        [] => Some(PurchaseError::Invalid("it has no items")),
        items if items.iter().any(|(sku, _)| sku.is_empty()) => {
            Some(PurchaseError::Invalid("an SKU is empty"))
        }
        items if items.iter().any(|(_, quantity)| *quantity == 0) => {
            Some(PurchaseError::Invalid("a quantity is zero"))
        }
        _ => None,
    };
    let user = world
        .get_resource::<XsollaUser>()
        .map(|user| user.id().clone());
    let (None, Some(user)) = (&problem, user) else {
        let sku = purchase.items().first().map(|(sku, _)| sku.clone());
        let error = problem.unwrap_or(PurchaseError::NotLoggedIn);
        return send(
            world,
            PurchaseFailed {
                sku: sku.unwrap_or_default(),
                purchase,
                error,
            },
        );
    };
    let mut checkout = world.get_resource_or_init::<Checkout>();
    if !checkout.admits(&user, &purchase) {
        log::debug!("the same purchase is being made already");
        return;
    }
    let command = StoreCommand::Purchase { user, purchase };
    tell(world, Command::Store(command));
    fail_purchases_if_dead(world);
}

fn abandon(world: &mut World, order_id: OrderId) {
    // To buy the same again now is no double click.
    world.get_resource_or_init::<Checkout>().forget_last();
    tell(world, Command::Abandon(order_id));
}
