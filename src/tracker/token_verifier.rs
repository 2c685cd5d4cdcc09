//! Checks players' tokens with the keys of a Login project.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;

use crate::model::address::Address;
use crate::model::error::RequestError;
use crate::model::http::Request;
use crate::model::token::{TokenError, VerifiedUser};
use crate::model::user::XsollaUser;
use crate::platform::http::Network;
use crate::platform::time::{Instant, calendar};
use crate::wire::rest;
use crate::wire::token::{Expected, Keys, PublicKey, check, read_keys};

const ISSUER: &str = "https://login.xsolla.com";
const LOGIN_API: &str = "https://login.xsolla.com/api";
/// The shortest time between two requests for the keys, so that forged tokens cannot make a server ask without end.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(60);
/// The same after a request that failed: nobody can play without keys.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// The time after which the keys are asked for again, because one may have been withdrawn.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60 * 60);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Checks the tokens that players bring to a server.
///
/// A server that takes an [`XsollaUser`] from the network has to know that the token is the player's: an unchecked
/// token with somebody else's `sub` claim would have the server grant to them, or spend for them.
///
/// The keys of the Login project are fetched from Xsolla when they are needed for the first time, once an hour, and when
/// a token names a key that is not among them, but not more than once a minute. A clone shares them.
///
/// ```no_run
/// use bevy::prelude::*;
/// use bevy_tokio_tasks::TokioTasksRuntime;
/// use bevy_xsolla::prelude::*;
/// use bevy_xsolla::token::TokenVerifier;
///
/// #[derive(Resource)]
/// struct Verifier(TokenVerifier);
///
/// /// A player has sent their token, and the order that they opened.
/// fn join(verifier: Res<Verifier>, runtime: Res<TokioTasksRuntime>, token: String, order: OrderId) {
///     let verifier = verifier.0.clone();
///     runtime.spawn_background_task(async move |mut context| {
///         match verifier.verify(&token).await {
///             Ok(user) => {
///                 let track = move |world: &mut World| {
///                     world.commands().track_order_as(&user, order);
///                 };
///                 context.run_on_main_thread(move |context| track(context.world)).await;
///             }
///             Err(error) => warn!("a player is sent away: {error}"),
///         }
///     });
/// }
/// ```
#[derive(Clone)]
pub struct TokenVerifier {
    login_project: String,
    issuer: String,
    api: String,
    /// The secret of a project whose tokens are signed by HS256.
    secret: Option<Arc<[u8]>>,
    keys: Arc<SharedKeys>,
}

/// The public keys, as they were fetched last.
#[derive(Default)]
struct SharedKeys {
    known: RwLock<Arc<[PublicKey]>>,
    /// It is locked while the keys are being fetched.
    fetched: Mutex<Fetched>,
    network: Network,
}

#[derive(Default)]
struct Fetched {
    at: Option<Instant>,
    error: Option<RequestError>,
}

impl Fetched {
    /// Whether the keys may be asked for, because a token names one that is not known.
    fn may_be_asked(&self, now: Instant) -> bool {
        let interval = match self.error {
            Some(_) => RETRY_INTERVAL,
            None => SHORTEST_INTERVAL,
        };
        self.at.is_none_or(|at| now.duration_since(at) >= interval)
    }

    /// Whether the keys are to be asked for, whatever tokens name.
    fn is_old(&self, now: Instant) -> bool {
        let age = self.at.map(|at| now.duration_since(at));
        age.is_some_and(|age| age >= LONGEST_INTERVAL)
    }
}

impl TokenVerifier {
    /// Checks tokens of the Login project with this id, which Publisher Account shows, by its public keys (RS256).
    pub fn new(login_project: impl Into<String>) -> Self {
        Self {
            login_project: login_project.into(),
            issuer: ISSUER.to_owned(),
            api: LOGIN_API.to_owned(),
            secret: None,
            keys: Arc::default(),
        }
    }

    /// Checks tokens of a Login project that signs them by HS256, with its secret. Nothing is fetched. An empty secret
    /// lets no token pass.
    pub fn with_secret(login_project: impl Into<String>, secret: impl AsRef<[u8]>) -> Self {
        Self {
            secret: Some(secret.as_ref().into()),
            ..Self::new(login_project)
        }
    }

    /// Sets the address of the Login API, such as that of a proxy. The default is `https://login.xsolla.com/api`.
    #[must_use]
    pub fn with_api(self, api: impl Into<String>) -> Self {
        Self {
            api: api.into(),
            keys: Arc::default(),
            ..self
        }
    }

    /// Sets the issuer that tokens have to name. The default is `https://login.xsolla.com`.
    #[must_use]
    pub fn with_issuer(self, issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            ..self
        }
    }

    /// Checks a token: its signature, its issuer, its Login project, and that it is valid now (a minute is allowed for
    /// clocks that differ). It is called on a Tokio runtime.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong. [`TokenError::NoKeys`] alone may be different soon.
    pub async fn verify(&self, token: impl AsRef<str>) -> Result<VerifiedUser, TokenError> {
        // What is checked is the text that is sent later.
        let user = XsollaUser::new(token);
        self.check(user.token()).await?;
        Ok(VerifiedUser(user))
    }

    async fn check(&self, token: &str) -> Result<(), TokenError> {
        if let Some(secret) = &self.secret {
            return self.check_with(token, &Keys::Secret(secret));
        }
        let keys = self.known_keys();
        let result = self.check_with(token, &Keys::Public(&keys));
        let is_known = !matches!(result, Err(TokenError::UnknownKey));
        if is_known && !self.is_old() {
            return result;
        }
        let error = self.fetch().await;
        let keys = self.known_keys();
        let result = self.check_with(token, &Keys::Public(&keys));
        match (result, error) {
            (Err(TokenError::UnknownKey), Some(error)) => Err(TokenError::NoKeys(error)),
            (result, _) => result,
        }
    }

    fn check_with(&self, token: &str, keys: &Keys<'_>) -> Result<(), TokenError> {
        let expected = Expected {
            issuer: &self.issuer,
            login_project: &self.login_project,
            now: calendar(),
        };
        check(token, keys, &expected)
    }

    fn known_keys(&self) -> Arc<[PublicKey]> {
        let keys = self.keys.known.read();
        keys.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the keys are to be asked for again. While they are, the old ones count.
    fn is_old(&self) -> bool {
        let fetched = self.keys.fetched.try_lock();
        fetched.is_ok_and(|fetched| fetched.is_old(Instant::now()))
    }

    /// Fetches the keys, unless that was done just now. Returns the error of the last request.
    async fn fetch(&self) -> Option<RequestError> {
        let mut fetched = self.keys.fetched.lock().await;
        if fetched.may_be_asked(Instant::now()) {
            fetched.error = self.ask().await.err();
            fetched.at = Some(Instant::now());
            if let Some(error) = &fetched.error {
                log::warn!("the keys of the Login project cannot be had: {error}");
            }
        }
        fetched.error.clone()
    }

    async fn ask(&self) -> Result<(), RequestError> {
        let api = Address::parse(&self.api).map_err(RequestError::Network)?;
        let path = ["projects", self.login_project.as_str(), "keys"];
        let request = Request {
            address: api.below(&path).map_err(RequestError::Network)?,
            credentials: None,
            body: None,
            timeout: TIMEOUT,
        };
        let response = self.keys.network.send(request).await?;
        let body = rest::body(response, calendar())?;
        let keys = read_keys(&body).map_err(RequestError::Malformed)?;
        if keys.is_empty() {
            return Err(RequestError::Malformed("it has no RSA key".to_owned()));
        }
        let known = self.keys.known.write();
        *known.unwrap_or_else(PoisonError::into_inner) = keys.into();
        Ok(())
    }
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifier")
            .field("login_project", &self.login_project)
            .field("issuer", &self.issuer)
            .field("api", &self.api)
            .field("has_secret", &self.secret.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(error: Option<RequestError>) -> (Fetched, impl Fn(u64) -> Instant) {
        let now = Instant::now();
        let at = Some(now);
        (Fetched { at, error }, move |seconds| {
            now + Duration::from_secs(seconds)
        })
    }

    #[test]
    fn keys_are_asked_for_once_a_minute_at_most_and_once_an_hour_at_least() {
        assert!(Fetched::default().may_be_asked(Instant::now()));
        let (fetched, after) = fetched(None);
        assert!(!fetched.may_be_asked(after(59)) && fetched.may_be_asked(after(60)));
        assert!(!fetched.is_old(after(3_599)) && fetched.is_old(after(3_600)));
    }

    #[test]
    fn keys_that_could_not_be_had_are_asked_for_again_soon() {
        let (fetched, after) = fetched(Some(RequestError::TimedOut));
        assert!(!fetched.may_be_asked(after(4)) && fetched.may_be_asked(after(5)));
    }
}
