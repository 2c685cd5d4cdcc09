//! The listener for webhooks. It belongs to the project, and tells the machine what it hears of orders.

pub(crate) mod senders;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use tokio::sync::{mpsc, oneshot};

use crate::machine::input::{Input, Receipt};
use crate::model::message::NewsSource;
use crate::model::order::{OrderStatus, Report};
use crate::model::user::UserId;
use crate::model::webhook::{
    Notification, WebhookAnswer, WebhookOrder, WebhookRefusal, WebhookSecrets, WebhookUser,
};
use crate::platform::http_server::{Limits, Post, Server};
use crate::tracker::receipts::Receipts;
use crate::tracker::services::Services;
use crate::tracker::source::inbox::put;
use crate::tracker::source::webhook::senders::WebhookSenders;
use crate::tracker::waker::EventLoopWaker;
use crate::wire::webhook::verify_with;

/// How long an order waits for the ledger. Xsolla waits for an answer for 3 s.
const ORDER_PATIENCE: Duration = Duration::from_millis(2_500);
/// How long the game has to say whether it knows a player.
const PLAYER_PATIENCE: Duration = Duration::from_secs(2);
/// How long the head and the body of a webhook may take each.
const READ_PATIENCE: Duration = Duration::from_secs(10);
/// The pause before an address that is in use is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// The largest body of a webhook.
const MAX_BODY: usize = 1024 * 1024;

/// What the listener needs to know.
#[derive(Debug)]
pub(crate) struct Listen {
    pub(crate) address: SocketAddr,
    pub(crate) secrets: WebhookSecrets,
    pub(crate) senders: WebhookSenders,
    pub(crate) trusts_proxy: bool,
    pub(crate) max_connections: usize,
    /// Makes a player's id of the text that a webhook has.
    pub(crate) user_id: fn(&str) -> UserId,
    pub(crate) game: Sender<ToGame>,
    pub(crate) waker: EventLoopWaker,
}

/// What the listener tells the game directly.
#[derive(Debug)]
pub(crate) enum ToGame {
    /// It listens, or cannot for this reason.
    Bound(Result<SocketAddr, String>),
    /// Whether the game has this player.
    Validate(WebhookUser, oneshot::Sender<bool>),
    /// Something that nothing is granted for.
    Notification(Notification),
}

/// Listens until the game ends.
pub(crate) async fn run(listen: Listen, services: Services) {
    let limits = Limits {
        connections: listen.max_connections.max(1),
        body: MAX_BODY,
        patience: READ_PATIENCE,
    };
    let server = loop {
        let bound = Server::bind(listen.address, limits).await;
        match bound.and_then(|server| Ok((server.address()?, server))) {
            Ok((address, server)) => {
                listen.tell(ToGame::Bound(Ok(address)));
                break server;
            }
            Err(error) => {
                // Another process may be about to end.
                listen.tell(ToGame::Bound(Err(error.to_string())));
                tokio::time::sleep(RETRY).await;
            }
        }
    };
    let webhooks = Arc::new(Webhooks {
        listen,
        inbox: services.inbox,
        receipts: services.receipts,
    });
    let at_the_door = webhooks.clone();
    // Behind a proxy every peer is the proxy.
    let is_allowed =
        move |peer| at_the_door.listen.trusts_proxy || at_the_door.listen.senders.allow(peer);
    let answer = move |post| {
        let webhooks = webhooks.clone();
        async move { webhooks.answer(post).await }
    };
    server.run(is_allowed, answer).await;
}

impl Listen {
    fn tell(&self, news: ToGame) {
        // The game may be ending.
        let _ = self.game.send(news);
        self.waker.wake();
    }
}

struct Webhooks {
    listen: Listen,
    inbox: mpsc::Sender<Input>,
    receipts: Arc<Receipts>,
}

impl Webhooks {
    async fn answer(&self, post: Post) -> WebhookAnswer {
        if !self.is_from_a_sender(&post) {
            // No refusal: Xsolla may send from a new address, and a refusal gives the player's money back.
            log::warn!("a webhook from {} is not answered", sender(&post));
            return WebhookAnswer::trouble();
        }
        let notification = verify_with(&post.body, &post.authorization, &self.listen.secrets);
        match notification {
            Ok(Notification::UserValidation(user)) => self.validate(user).await,
            Ok(Notification::OrderPaid(order)) => self.order(order, OrderStatus::Done).await,
            Ok(Notification::OrderCanceled(order)) => {
                self.order(order, OrderStatus::Canceled).await
            }
            Ok(other) => {
                self.listen.tell(ToGame::Notification(other));
                WebhookAnswer::accepted()
            }
            Err(error) => {
                log::warn!("from {}: {error}", sender(&post));
                error.answer()
            }
        }
    }

    fn is_from_a_sender(&self, post: &Post) -> bool {
        // Where a proxy is trusted and names nobody, the request is the proxy's own or comes past it.
        !self.listen.trusts_proxy
            || self
                .listen
                .senders
                .allow(post.forwarded_for.unwrap_or(post.peer))
    }

    async fn validate(&self, user: WebhookUser) -> WebhookAnswer {
        let (answer, answered) = oneshot::channel();
        self.listen.tell(ToGame::Validate(user, answer));
        match tokio::time::timeout(PLAYER_PATIENCE, answered).await {
            Ok(Ok(true)) => WebhookAnswer::accepted(),
            Ok(Ok(false)) => WebhookRefusal::InvalidUser.answer("the game has no such player"),
            Ok(Err(_)) | Err(_) => {
                log::warn!("the game did not say in time whether it has a player");
                WebhookAnswer::trouble()
            }
        }
    }

    /// Tells the machine of an order, and waits until the ledger has what became of it.
    async fn order(&self, order: WebhookOrder, status: OrderStatus) -> WebhookAnswer {
        let order_id = order.order_id;
        let (receipt, confirmed) = self.receipts.add();
        // Also where the sender goes away, and this future with it.
        let _waiting = Waiting(&self.receipts, receipt);
        let input = Input::Pushed {
            user: (self.listen.user_id)(&order.user.id),
            project_id: order.project_id,
            report: Report {
                order_id,
                status: Some(status),
                items: Some(order.items),
                price: order.price,
            },
            source: NewsSource::Webhook,
            receipt: Some(receipt),
        };
        let told = async {
            put(&self.inbox, input).await;
            confirmed.await
        };
        match tokio::time::timeout(ORDER_PATIENCE, told).await {
            Ok(Ok(())) => WebhookAnswer::accepted(),
            Ok(Err(_)) | Err(_) => {
                log::warn!(
                    "the webhook of order {order_id} has to come again: the game has not acknowledged the order, or \
                     the ledger has not recorded that"
                );
                WebhookAnswer::trouble()
            }
        }
    }
}

/// A webhook that waits for an answer until this is dropped.
struct Waiting<'a>(&'a Receipts, Receipt);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.forget(self.1);
    }
}

/// Who sent it, as far as is known.
fn sender(post: &Post) -> IpAddr {
    post.forwarded_for.unwrap_or(post.peer)
}
