//! The webhooks of a server.

use std::net::SocketAddr;
use std::sync::Arc;

use bevy::ecs::system::SystemId;
use bevy::prelude::*;
use crossbeam_channel::{Receiver, unbounded};

use crate::game::plugin::{XsollaOrderPlugin, XsollaOrderSystems};
use crate::game::tracking::Tracking;
use crate::model::user::UserId;
use crate::model::webhook::{Notification, WebhookSecrets, WebhookUser};
use crate::platform::runtime;
use crate::tracker::source::webhook::senders::WebhookSenders;
use crate::tracker::source::webhook::{self, Listen, ToGame};

/// Listens for the webhooks that Xsolla sends to a studio's server. Add it after [`XsollaOrderPlugin`].
///
/// - `order_paid` becomes [`OrderDone`](crate::OrderDone) for the player whom it names, whether or not the server has
///   ever heard of them. It is answered once the ledger has the game's acknowledgement. A server that dies before that
///   is told again by Xsolla.
/// - `order_canceled` becomes [`OrderCanceled`](crate::OrderCanceled).
/// - `user_validation` runs the system that was given by [`with_user_validation`](Self::with_user_validation).
/// - All else becomes [`WebhookReceived`].
///
/// It speaks HTTP, for a proxy in front of it that speaks HTTPS with Xsolla, and takes webhooks at any path. Set
/// [`trusts_proxy`](Self::trusts_proxy) there. [`WebhookState`] says whether it listens.
///
/// ```no_run
/// use bevy::prelude::*;
/// use bevy_xsolla::prelude::*;
/// use bevy_xsolla::webhook::{WebhookUser, XsollaWebhookPlugin};
///
/// #[derive(Component)]
/// struct Account(String);
///
/// fn has_account(user: In<WebhookUser>, accounts: Query<&Account>) -> bool {
///     accounts.iter().any(|account| account.0 == user.id)
/// }
///
/// let address = "127.0.0.1:8080".parse().unwrap();
/// let secret = std::env::var("XSOLLA_WEBHOOK_SECRET").unwrap_or_default();
/// let mut webhooks = XsollaWebhookPlugin::new(address, secret).with_user_validation(has_account);
/// webhooks.trusts_proxy = true;
/// App::new()
///     .add_plugins((MinimalPlugins, XsollaOrderPlugin, webhooks))
///     .insert_resource(XsollaConfig::new(77640));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct XsollaWebhookPlugin {
    /// The address to listen at. With port 0 the system chooses one: see [`WebhookState::Listening`].
    pub listen: SocketAddr,
    /// The project's secrets. Each of them is accepted.
    pub secrets: WebhookSecrets,
    /// Who may send webhooks. The default is anybody, because the signature decides.
    pub senders: WebhookSenders,
    /// Whether every connection comes from a proxy of the studio's, so that the sender is the last address in
    /// `X-Forwarded-For`. The default is `false`.
    pub trusts_proxy: bool,
    /// The number of connections that are kept. When one more comes, the oldest that has sent no whole request is
    /// closed. The default is 1,024.
    pub max_connections: usize,
    /// Makes the id of the player from the text in the webhook, for an order that no player tracks here. The default is
    /// [`UserId::from_subject`]: the webhook has the id that the player has in Xsolla Login. A studio that makes tokens
    /// of its own uses [`UserId::from_external_id`].
    pub user_id: fn(&str) -> UserId,
    register_validation: Option<RegisterValidation>,
}

type Validation = SystemId<In<WebhookUser>, bool>;
type RegisterValidation = Arc<dyn Fn(&mut World) -> Validation + Send + Sync>;

impl XsollaWebhookPlugin {
    /// Listens at this address for webhooks that are signed with one of these secrets.
    pub fn new(listen: SocketAddr, secrets: impl Into<WebhookSecrets>) -> Self {
        Self {
            listen,
            secrets: secrets.into(),
            senders: WebhookSenders::anybody(),
            trusts_proxy: false,
            max_connections: 1024,
            user_id: UserId::from_subject,
            register_validation: None,
        }
    }

    /// Sets the system that says whether the game has a player, before they can pay. It has two seconds, and runs in
    /// the frame after the question. Without one, no player can pay.
    #[must_use]
    pub fn with_user_validation<M, S>(mut self, system: S) -> Self
    where
        S: IntoSystem<In<WebhookUser>, bool, M> + Clone + Send + Sync + 'static,
    {
        let register = move |world: &mut World| world.register_system(system.clone());
        self.register_validation = Some(Arc::new(register));
        self
    }
}

impl std::fmt::Debug for XsollaWebhookPlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("XsollaWebhookPlugin")
            .field("listen", &self.listen)
            .field("secrets", &self.secrets)
            .field("senders", &self.senders)
            .field("trusts_proxy", &self.trusts_proxy)
            .field("max_connections", &self.max_connections)
            .field("validates_users", &self.register_validation.is_some())
            .finish_non_exhaustive()
    }
}

/// Whether the server takes webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Resource)]
#[non_exhaustive]
pub enum WebhookState {
    /// The listener has not started yet.
    #[default]
    Starting,
    /// It listens at this address.
    Listening(SocketAddr),
    /// It cannot listen, for this reason, and tries again every second.
    Failed(String),
}

/// A webhook that is about no order, such as `refund`. It was answered, and does not come again.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
pub struct WebhookReceived {
    /// The webhook.
    pub notification: Notification,
}

#[derive(Resource)]
struct Webhooks {
    news: Receiver<ToGame>,
    validation: Option<Validation>,
}

impl Plugin for XsollaWebhookPlugin {
    fn build(&self, app: &mut App) {
        if !app.is_plugin_added::<XsollaOrderPlugin>() {
            app.add_plugins(XsollaOrderPlugin);
        }
        let (game, news) = unbounded();
        let validation = self.register_validation.as_ref();
        let validation = validation.map(|register| register(app.world_mut()));
        app.init_resource::<WebhookState>()
            .insert_resource(Webhooks { news, validation })
            .add_message::<WebhookReceived>()
            .add_systems(
                PreUpdate,
                take_webhooks
                    .run_if(|webhooks: Res<Webhooks>| !webhooks.news.is_empty())
                    .ambiguous_with_all()
                    .in_set(XsollaOrderSystems),
            );
        let tracking = app.world().resource::<Tracking>();
        let listen = Listen {
            address: self.listen,
            secrets: self.secrets.clone(),
            senders: self.senders.clone(),
            trusts_proxy: self.trusts_proxy,
            max_connections: self.max_connections,
            user_id: self.user_id,
            game,
            waker: tracking.handle.waker.clone(),
        };
        let start = |services| runtime::spawn(webhook::run(listen, services));
        tracking.handle.start(start);
    }
}

fn take_webhooks(world: &mut World) {
    let webhooks = world.resource::<Webhooks>();
    let validation = webhooks.validation;
    let news: Vec<ToGame> = webhooks.news.try_iter().collect();
    for news in news {
        match news {
            ToGame::Bound(bound) => {
                let state = match bound {
                    Ok(address) => WebhookState::Listening(address),
                    Err(error) => WebhookState::Failed(error),
                };
                let mut known = world.get_resource_or_init::<WebhookState>();
                if known.set_if_neq(state)
                    && let WebhookState::Failed(error) = &*known
                {
                    log::error!("no webhooks can be taken: {error}");
                }
            }
            ToGame::Validate(user, answer) => {
                let Some(validation) = validation else {
                    log::error!("no system says which players the game has, so nobody can pay");
                    continue;
                };
                match world.run_system_with(validation, user) {
                    // The sender may have gone meanwhile.
                    Ok(is_known) => drop(answer.send(is_known)),
                    Err(error) => log::error!("whether the game has a player is unknown: {error}"),
                }
            }
            ToGame::Notification(notification) => {
                let received = WebhookReceived { notification };
                world.write_message(received.clone());
                world.trigger(received);
            }
        }
    }
}
