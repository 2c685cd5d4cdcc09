//! The store's news, made into resources, messages and events.

use bevy::prelude::World;

use crate::game::checkout::Checkout;
use crate::game::deliver::send;
use crate::machine::notice::StoreNotice;
use crate::model::catalog::{Catalog, CatalogState};
use crate::model::error::RequestError;
use crate::model::order::OrderId;
use crate::model::purchase::{PaymentPageFailed, PurchaseFailed, PurchaseStarted};
use crate::model::user::UserId;

pub(crate) fn deliver(world: &mut World, notice: StoreNotice) {
    match notice {
        StoreNotice::Catalog(result) => {
            let mut catalog = world.get_resource_or_init::<Catalog>();
            match result {
                Ok(items) => {
                    catalog.items = items;
                    catalog.state = CatalogState::Ready;
                }
                Err(error) => catalog.state = CatalogState::Failed(error),
            }
        }
        StoreNotice::Started {
            order_id,
            user,
            purchase,
            payment_url,
        } => {
            world
                .get_resource_or_init::<Checkout>()
                .is_made(&user, &purchase);
            plugin_order(world, order_id, &user);
            send(
                world,
                PurchaseStarted {
                    order_id,
                    user,
                    purchase,
                    payment_url,
                },
            );
        }
        StoreNotice::Failed {
            user,
            purchase,
            error,
        } => {
            world
                .get_resource_or_init::<Checkout>()
                .has_failed(&user, &purchase);
            let sku = purchase.items().first().map(|(sku, _)| sku.clone());
            send(
                world,
                PurchaseFailed {
                    sku: sku.unwrap_or_default(),
                    purchase,
                    error,
                },
            );
        }
        StoreNotice::PageFailed { order_id, error } => {
            send(world, PaymentPageFailed { order_id, error });
        }
    }
}

/// The background task has ended: what it was asked for fails.
pub(crate) fn fail_all(world: &mut World, reason: &str) {
    let error = RequestError::Network(reason.to_owned());
    let under_way = std::mem::take(&mut world.get_resource_or_init::<Checkout>().under_way);
    for (user, purchase) in under_way {
        let error = error.clone().into();
        deliver(
            world,
            StoreNotice::Failed {
                user,
                purchase,
                error,
            },
        );
    }
    if world.get_resource_or_init::<Catalog>().state == CatalogState::Loading {
        deliver(world, StoreNotice::Catalog(Err(error)));
    }
}

/// The order is in `Orders` from its first message on.
fn plugin_order(world: &mut World, order_id: OrderId, user: &UserId) {
    let mut orders = world.get_resource_or_init::<crate::game::orders::Orders>();
    let order = orders.entry(order_id);
    if order.user.is_none() {
        order.user = Some(user.clone());
    }
}
