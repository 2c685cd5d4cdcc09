//! What gives tokens: a function of the game, or Xsolla Login.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bevy::ecs::lifecycle::HookContext;
use bevy::ecs::world::DeferredWorld;
use bevy::prelude::*;
use bevy::tasks::{BoxedFuture, ConditionalSendFuture};

use crate::game::deliver::send;
use crate::game::tracking::Tracking;
use crate::model::login::{RefreshTokenChanged, XsollaLogin};
use crate::model::renewal::{TokenFailure, TokenRequest};
use crate::model::user::XsollaUser;
use crate::tracker::services::Services;
use crate::tracker::source::login::Login;

/// The time that a provider has, unless the game sets another.
const LIMIT: Duration = Duration::from_secs(60);
/// The shortest time limit of an exchange, which ends by itself after 30 s. One that is cut off may have used up its
/// refresh token.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(60);

type Provide = dyn Fn(TokenRequest, Services) -> BoxedFuture<'static, Provided> + Send + Sync;

type Tell = Box<dyn FnOnce(&mut World) + Send>;

/// What a provider gives.
pub(super) struct Provided {
    pub(super) user: Result<XsollaUser, TokenFailure>,
    /// What the game is told besides.
    pub(super) tell: Option<Tell>,
}

impl From<Result<XsollaUser, TokenFailure>> for Provided {
    fn from(user: Result<XsollaUser, TokenFailure>) -> Self {
        Self { user, tell: None }
    }
}

/// Asks the game, or Xsolla Login, for a token of the logged-in player when one is needed, and inserts the
/// [`XsollaUser`].
///
/// This is both a plugin and the resource with the settings of that plugin. Add it after
/// [`XsollaOrderPlugin`](crate::XsollaOrderPlugin), or alone: then it adds that one.
///
/// ```
/// use bevy::prelude::*;
/// use bevy_xsolla::prelude::*;
///
/// /// Asks the studio's server.
/// async fn fetch_token() -> Result<String, std::io::Error> {
///     # Ok("token".to_owned())
///     // …
/// }
///
/// let provider = TokenProvider::new(|_: TokenRequest| async {
///     let token = fetch_token().await.map_err(TokenFailure::new)?;
///     Ok(XsollaUser::new(token))
/// });
/// App::new()
///     .add_plugins((MinimalPlugins, XsollaOrderPlugin, provider))
///     .insert_resource(XsollaConfig::new(77640))
///     .add_systems(Startup, |mut commands: Commands| commands.request_token());
/// ```
///
/// # When it is asked
///
/// - The token of the logged-in player is about to expire, has expired, or was refused: whenever
///   [`AuthorizationRequired`](crate::AuthorizationRequired) is sent for them.
/// - Nobody is logged in, and somebody is needed: an order is [tracked](crate::OrderCommands::track_order), an item is
///   [bought](crate::StoreCommands::purchase), or the game [asks](crate::TokenCommands::request_token). After a log-out nobody
///   is logged in before that. A purchase waits for the answer, and fails with
///   [`NotLoggedIn`](crate::PurchaseError::NotLoggedIn) if there is none.
///
/// It is asked once at a time, however many things need the token. After a failure it is asked again, after a random
/// delay that doubles from a second to five minutes; an item that is bought, or the game's wish, shortens the delay to ten
/// seconds. Four things are failures: an error, no answer within the [time limit](Self::with_timeout), a token that is
/// the old one or another player's, and a token that is refused within a minute.
///
/// A token that comes after the player has logged out, or another one has logged in, is dropped.
///
/// A provider that has to have the player log in says so ([`TokenFailure::log_in_again`]). Then
/// [`LoginRequired`](crate::LoginRequired) is sent, and it is not asked again until the game inserts a new
/// [`XsollaUser`], [asks](crate::TokenCommands::request_token), or inserts another provider as the resource.
///
/// Without the resource nothing is asked. A server's players, who are known by
/// [`track_order_as`](crate::OrderCommands::track_order_as), are not asked for: each has a provider in their own game.
#[derive(Clone, Resource)]
// Nobody clones the entity of a resource, and a game in a browser would load the code.
#[component(clone_behavior = Ignore, on_insert = find_plugin)]
pub struct TokenProvider {
    provide: Arc<Provide>,
    limit: Duration,
    limit_min: Duration,
}

/// Tells a game that has inserted the resource and not added the plugin.
fn find_plugin(world: DeferredWorld, _: HookContext) {
    let tracking = world.get_resource::<Tracking>();
    if tracking.is_none_or(|tracking| tracking.held.is_none()) {
        log::error!("no token will be asked for: add the TokenProvider as a plugin first");
    }
}

impl TokenProvider {
    /// Asks this function. Its future runs on the Tokio runtime of the plugin's task; in a browser it runs on the page's
    /// thread and need not be `Send`. It has a minute: see [`with_timeout`](Self::with_timeout).
    ///
    /// A token without a `sub` claim needs the player's [external id](XsollaUser::with_external_id), by which the plugin
    /// knows that it is the same player's.
    pub fn new<F, P>(provide: P) -> Self
    where
        P: Fn(TokenRequest) -> F + Send + Sync + 'static,
        F: ConditionalSendFuture<Output = Result<XsollaUser, TokenFailure>> + 'static,
    {
        let provide = Arc::new(provide);
        let boxed = move |request, _| -> BoxedFuture<'static, Provided> {
            let provide = provide.clone();
            // A panic of the function is one of the future.
            Box::pin(async move { provide(request).await.into() })
        };
        Self {
            provide: Arc::new(boxed),
            limit: LIMIT,
            limit_min: Duration::ZERO,
        }
    }

    /// Exchanges the player's refresh token at Xsolla Login, by [Generate
    /// JWT](https://developers.xsolla.com/api/login/operation/generate-jwt/).
    ///
    /// Each exchange may give a new refresh token, which is used from then on and told by [`RefreshTokenChanged`], for the
    /// game to keep. An exchange that has no answer is tried again with the same refresh token. If Xsolla refuses it, or
    /// there is none, [`LoginRequired`](crate::LoginRequired) is sent. Once the player has logged in, the game inserts the new [`XsollaUser`],
    /// and a provider with the new refresh token.
    ///
    /// ```
    /// use bevy::prelude::*;
    /// use bevy_xsolla::prelude::*;
    /// use bevy_xsolla::{RefreshToken, RefreshTokenChanged, XsollaLogin};
    ///
    /// # fn read_from_keychain() -> Option<String> { None }
    /// # fn write_to_keychain(_: &str) {}
    /// fn keep(changed: On<RefreshTokenChanged>) {
    ///     write_to_keychain(changed.refresh_token.secret());
    /// }
    ///
    /// let mut login = XsollaLogin::new(57).with_redirect_uri("https://login.xsolla.com/api/blank");
    /// if let Some(kept) = read_from_keychain() {
    ///     login = login.with_refresh_token(RefreshToken::new(kept));
    /// }
    /// App::new()
    ///     .add_plugins((MinimalPlugins, XsollaOrderPlugin, TokenProvider::xsolla_login(login)))
    ///     .add_observer(keep);
    /// ```
    pub fn xsolla_login(login: XsollaLogin) -> Self {
        let login = Arc::new(Login::new(login));
        let boxed = move |_, services: Services| -> BoxedFuture<'static, Provided> {
            let login = login.clone();
            Box::pin(async move {
                let exchanged = login.exchange(&services.network).await;
                let tell = exchanged.changed.map(|changed| {
                    let tell = move |world: &mut World| send::<RefreshTokenChanged>(world, changed);
                    Box::new(tell) as Tell
                });
                Provided {
                    user: exchanged.user,
                    tell,
                }
            })
        };
        Self {
            provide: Arc::new(boxed),
            limit: LIMIT,
            limit_min: EXCHANGE_LIMIT,
        }
    }

    /// Sets the time after which an answer is not waited for any more, and its future is dropped. The default is 60 s; a
    /// provider that shows the player a dialogue needs more. An exchange with Xsolla Login has no less than that.
    #[must_use]
    pub fn with_timeout(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    pub(super) fn ask(
        &self,
        request: TokenRequest,
        services: Services,
    ) -> BoxedFuture<'static, Provided> {
        (self.provide)(request, services)
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit.max(self.limit_min)
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.provide, &other.provide)
    }
}

impl fmt::Debug for TokenProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenProvider")
            .field("timeout", &self.limit())
            .finish_non_exhaustive()
    }
}
