//! The player and their token.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bevy::prelude::{Reflect, ReflectSerialize, Resource};
use serde::{Serialize, Serializer};

use rust_decimal::prelude::ToPrimitive;

use crate::model::json::Object;
use crate::model::secret::Secret;

/// The logged-in player whose orders are tracked.
///
/// Insert it at log-in, replace it to refresh the token, and remove it at log-out.
///
/// The token is the player's JWT from [Xsolla Login](https://developers.xsolla.com/login-api/authentication/). Get
/// Order also accepts a Pay Station token. The token never appears in `Debug`, logs, errors, reflection or files.
/// The type itself is not reflected, so that no tool can read the token from the world.
///
/// Two values are the same player if their tokens have the same `sub` claim, or, for tokens that are not readable
/// JWTs, if they have the same [external id](Self::with_external_id). A token with neither is a player of its own.
/// Set an external id if such a token is to be refreshed while orders are open.
#[derive(Clone, PartialEq, Eq, Resource)]
// Nobody clones the entity of a resource, and a game in a browser would load the code.
#[component(clone_behavior = Ignore)]
pub struct XsollaUser {
    token: Secret,
    external_id: Option<Arc<str>>,
    id: UserId,
    expires_at: Option<SystemTime>,
}

impl XsollaUser {
    /// Creates a player with this token. A leading `Bearer ` and white space are removed.
    pub fn new(token: impl AsRef<str>) -> Self {
        let token = token.as_ref().trim();
        let token = token.strip_prefix("Bearer ").unwrap_or(token).trim();
        let claims = Claims::of(token);
        let id = match claims.subject {
            Some(sub) => UserId::new('s', &sub),
            None => UserId::of_opaque(token),
        };
        Self {
            id,
            expires_at: claims.expires_at,
            token: Secret::new(token),
            external_id: None,
        }
    }

    /// Sets the id that is sent as `user_external_id` when the socket connects, as the documentation shows.
    /// Xsolla's current SDKs do not send it.
    #[must_use]
    pub fn with_external_id(mut self, id: impl Into<String>) -> Self {
        let id = id.into();
        // An empty id would make one player of all players that have none.
        if id.is_empty() {
            return self;
        }
        if self.id.subject().is_none() {
            self.id = UserId::new('e', &id);
        }
        self.external_id = Some(id.into());
        self
    }

    /// Creates the player whose token is in the environment variable `XSOLLA_USER_TOKEN`, with the external id in
    /// `XSOLLA_USER_EXTERNAL_ID` if it is set. Returns `None` if the token is missing or empty.
    pub fn from_env() -> Option<Self> {
        let token = std::env::var("XSOLLA_USER_TOKEN").ok()?;
        if token.trim().is_empty() {
            return None;
        }
        let user = Self::new(token);
        Some(match std::env::var("XSOLLA_USER_EXTERNAL_ID") {
            Ok(id) if !id.is_empty() => user.with_external_id(id),
            _ => user,
        })
    }

    /// The external id, if one was set.
    pub fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    /// The time at which the token expires by its `exp` claim, or `None` if it has no claim that can be read.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    /// The player's id, which stays the same when the token is refreshed.
    pub fn id(&self) -> &UserId {
        &self.id
    }

    /// Removes the token from a text that comes from outside.
    pub(crate) fn redact(&self, text: String) -> String {
        self.token.redact(text)
    }

    /// The token. It is for the `Authorization` header and the connect frame only.
    pub(crate) fn token(&self) -> &str {
        self.token.text()
    }
}

impl fmt::Debug for XsollaUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XsollaUser")
            .field("token", &self.token)
            .field("external_id", &self.external_id)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

/// The id of a player, which stays the same when their token is refreshed. It contains no secret, so it may be
/// logged and written to files.
///
/// Its text is `s:` and the token's `sub` claim, or `e:` and the external id, or `o:` and a hash of a token that
/// cannot be read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Reflect)]
#[reflect(no_auto_register, opaque, Clone, Debug, PartialEq, Hash, Serialize)]
// A thin pointer. An id is in each order, timer and piece of news.
pub struct UserId(Arc<Box<str>>);

impl UserId {
    /// Creates an id of one of the kinds `s` (subject of the token), `e` (external id), and `o` (hash of an opaque
    /// token). The kind separates a subject from an external id with the same text.
    pub(crate) fn new(kind: char, id: &str) -> Self {
        Self(Arc::new(format!("{kind}:{id}").into()))
    }

    /// The id of the player whose tokens have this `sub` claim.
    pub fn from_subject(subject: &str) -> Self {
        Self::new('s', subject)
    }

    /// The id of the player with this [external id](XsollaUser::with_external_id), whose tokens have no `sub` claim.
    pub fn from_external_id(id: &str) -> Self {
        Self::new('e', id)
    }

    fn of_opaque(token: &str) -> Self {
        Self::new('o', &format!("{:016x}", fnv1a(token)))
    }

    /// A hash of the id that may be stored.
    pub(crate) fn lasting_hash(&self) -> u64 {
        fnv1a(&self.0)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The `sub` claim of the player's token, if it has one.
    pub fn subject(&self) -> Option<&str> {
        self.0.strip_prefix("s:")
    }

    /// The player's [external id](XsollaUser::with_external_id), if they are identified by it.
    pub fn external_id(&self) -> Option<&str> {
        self.0.strip_prefix("e:")
    }
}

/// FNV-1a, because the hash is stored: the standard library's may change with the compiler.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl Serialize for UserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The claims of a JWT that are read. The signature is not checked, because nothing is granted by a claim.
#[derive(Default)]
struct Claims {
    subject: Option<String>,
    expires_at: Option<SystemTime>,
}

impl Claims {
    fn of(token: &str) -> Self {
        let payload = token.split('.').nth(1).unwrap_or_default();
        let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('='));
        let payload = payload.unwrap_or_default();
        let claims = Object::read(&payload).unwrap_or_default();
        // Seconds since 1970, as a number or a text, possibly with a fraction.
        let expires_at = claims.decimal("exp").and_then(|seconds| {
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds.trunc().to_u64()?))
        });
        Self {
            subject: claims.text("sub").filter(|subject| !subject.is_empty()),
            expires_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_refreshed_token_is_the_same_player() {
        let old = XsollaUser::new(jwt(r#"{"sub":"u1","exp":1000}"#));
        let new = XsollaUser::new(jwt(r#"{"sub":"u1","exp":2000}"#)).with_external_id("x");
        assert_eq!(old.id(), new.id());
        assert_ne!(old, new);
        let exp = SystemTime::UNIX_EPOCH + Duration::from_secs(2000);
        assert_eq!(new.expires_at(), Some(exp));
    }

    #[test]
    fn opaque_tokens_are_told_apart_unless_an_external_id_joins_them() {
        let (a, b) = (XsollaUser::new("aaa"), XsollaUser::new("bbb"));
        assert_ne!(a.id(), b.id());
        let (a, b) = (a.with_external_id("x"), b.with_external_id("x"));
        assert_eq!(a.id(), b.id());
    }

    #[test]
    fn a_token_of_any_shape_is_read_without_a_panic() {
        for token in [
            "",
            ".",
            "..",
            "a.b.c",
            "a.!!!!.c",
            "Bearer ",
            "e30.bnVsbA.x",
            "e30.W10.x",
        ] {
            assert_eq!(XsollaUser::new(token).expires_at(), None, "{token}");
        }
        let huge = jwt(r#"{"sub":5,"exp":"99999999999999999999"}"#);
        assert_eq!(XsollaUser::new(huge).expires_at(), None);
    }

    #[test]
    fn debug_shows_no_token() {
        let user = XsollaUser::new("very-secret");
        assert!(!format!("{user:?} {:#?} {:?}", user, user.id()).contains("very-secret"));
    }

    #[test]
    fn a_token_that_somebody_repeats_is_taken_out_though_it_was_cut() {
        let token = jwt(r#"{"sub":"u1"}"#);
        let user = XsollaUser::new(&token);
        let (start, end) = token.split_at(20);
        for (text, redacted) in [
            (
                format!("bad: Bearer {token}, sorry"),
                "bad: Bearer [hidden], sorry",
            ),
            (format!("{token}{token}"), "[hidden][hidden]"),
            (format!("cut: {start}"), "cut: [hidden]"),
            (format!("cut: {start}…"), "cut: [hidden]…"),
            ("nothing".to_owned(), "nothing"),
        ] {
            assert_eq!(user.redact(text), redacted);
        }
        assert!(!user.redact(format!("{token} {end}")).contains(start));
    }

    #[test]
    fn an_empty_id_does_not_make_two_players_one() {
        let (a, b) = (XsollaUser::new("aaa"), XsollaUser::new("bbb"));
        assert_ne!(a.with_external_id("").id(), b.with_external_id("").id());
        let [a, b] = ["a", "b"].map(|signature| {
            let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":""}"#);
            XsollaUser::new(format!("e30.{claims}.{signature}"))
        });
        assert_ne!(a.id(), b.id());
    }
}
