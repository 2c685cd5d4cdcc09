//! The body that Get Order answers with.

use serde::Serialize;

use crate::emulator::world::catalog::Price;
use crate::emulator::world::order::Order;
use crate::model::order::OrderId;

#[derive(Serialize)]
pub(crate) struct OrderBody<'a> {
    order_id: OrderId,
    status: &'a str,
    content: ContentBody<'a>,
}

impl<'a> OrderBody<'a> {
    pub(crate) fn new(order_id: OrderId, order: &'a Order, status: &'a str) -> Self {
        let is_virtual = order.virtual_price.is_some();
        Self {
            order_id,
            status,
            content: ContentBody {
                is_free: order.is_free(),
                price: order.total().filter(|_| !is_virtual),
                virtual_price: order.virtual_price.as_ref().map(|price| VirtualPriceBody {
                    amount: price.amount.to_string(),
                    currency: &price.sku,
                }),
                items: order
                    .lines
                    .iter()
                    .flat_map(|line| {
                        let bought = ItemBody {
                            sku: &line.sku,
                            quantity: line.quantity,
                            is_free: line.offer.is_free,
                            price: line.offer.price.as_ref().filter(|_| !is_virtual),
                        };
                        let bonus = line.offer.bonus.iter().map(|bonus| ItemBody {
                            sku: &bonus.sku,
                            quantity: bonus.quantity.saturating_mul(line.quantity),
                            is_free: true,
                            price: None,
                        });
                        std::iter::once(bought).chain(bonus)
                    })
                    .collect(),
            },
        }
    }
}

#[derive(Serialize)]
struct ContentBody<'a> {
    is_free: bool,
    price: Option<Price>,
    virtual_price: Option<VirtualPriceBody<'a>>,
    items: Vec<ItemBody<'a>>,
}

#[derive(Serialize)]
struct VirtualPriceBody<'a> {
    amount: String,
    currency: &'a str,
}

#[derive(Serialize)]
struct ItemBody<'a> {
    sku: &'a str,
    quantity: u64,
    is_free: bool,
    price: Option<&'a Price>,
}
