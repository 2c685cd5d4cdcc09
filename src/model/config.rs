//! Which Xsolla project, which servers, and every timing.

use std::time::Duration;

use bevy::prelude::{Reflect, Resource};
use thiserror::Error;
use url::{Host, Url};

use crate::model::ledger::Ledger;

/// The environment variable that [`XsollaConfig::from_env`] reads the project id from.
const PROJECT_ID_VAR: &str = "XSOLLA_PROJECT_ID";

/// What the plugin needs to know: the Xsolla project, the servers, the timings.
///
/// Insert it before or after the plugin; change it while the game runs. While it is missing or
/// [invalid](Self::validate) nothing is tracked, and [`TrackerState`](crate::TrackerState) says why.
///
/// ```
/// use bevy_xsolla::prelude::*;
/// use std::time::Duration;
///
/// let mut config = XsollaConfig::new(77640);
/// config.tracking_timeout = Duration::from_secs(60 * 60);
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Resource)]
#[non_exhaustive]
pub struct XsollaConfig {
    /// The project's id in Xsolla Publisher Account.
    pub project_id: u64,

    /// Where Get Order is: `https://store.xsolla.com/api` unless changed. `v2/project/…` is appended.
    pub store_url: String,

    /// The order-status socket: `wss://ws-store.xsolla.com/connection/websocket` unless changed.
    pub socket_url: String,

    /// Xsolla's payment page, to which the order's token is added: `https://secure.xsolla.com/paystation4/`
    /// unless changed.
    pub payment_url: String,

    /// The same for test payments: `https://sandbox-secure.xsolla.com/paystation4/` unless changed.
    pub sandbox_payment_url: String,

    /// Whether a purchase opens the payment page in the player's browser (feature `browser`). A game
    /// that shows it otherwise takes the address from `PurchaseStarted`. Yes.
    pub open_payment_page: bool,

    /// How long an order waits for its first socket before short-polling begins. 4 s.
    pub socket_grace: Duration,

    /// How long the socket may take for each step of connecting: the address and the TCP connection,
    /// TLS and the WebSocket handshake, the answer to `connect`, the subscription. 10 s.
    pub connect_timeout: Duration,

    /// How long a socket is waited on without a final status before it is opened anew, and the order
    /// asked for. 5 min: "The maximum waiting time for a response via websocket is 5 minutes"
    /// (Xsolla's documentation).
    pub socket_lifetime: Duration,

    /// How much later than announced a server's ping may come before the socket counts as dead.
    /// 10 s, as in the Centrifuge SDKs.
    pub ping_grace: Duration,

    /// The delay between two Get Order requests for one order, while there is no socket. 3 s, which
    /// Xsolla recommends.
    pub poll_interval: Duration,

    /// The delay that polling of an unpaid order slows down to. 1 min.
    pub poll_interval_max: Duration,

    /// How long an order may see no news before polling slows down. 10 min.
    pub poll_slow_after: Duration,

    /// How long one Get Order request may take. 15 s.
    pub request_timeout: Duration,

    /// The first delay after a failed request or a dropped socket; it doubles with each failure, with
    /// full jitter. 500 ms.
    pub retry_min: Duration,

    /// The longest such delay. 20 s.
    pub retry_max: Duration,

    /// How often an order may be answered "not found", or another refusal that repeating hardly
    /// mends, before tracking fails. 5: a fresh order may lag behind its creation.
    pub refusals_max: u32,

    /// How long an order may stay without news before tracking fails. 24 h, the life of a payment
    /// token: until then the order can still be paid.
    pub tracking_timeout: Duration,

    /// How long before the token's `exp` [`AuthorizationRequired`](crate::AuthorizationRequired) is
    /// sent. 5 min.
    pub token_notice: Duration,

    /// Where orders are kept while the game is not running.
    pub ledger: Ledger,

    /// How long after its acknowledgement an order is asked for once at each start, to tell of a
    /// refund. 30 days; zero for never.
    pub refund_window: Duration,

    /// How long the delivery of news may hold up one frame, with the observers that it runs. 1 ms, of the
    /// 16 that a frame has at 60 Hz; a frame delivers one piece of news at least. What is left waits for the
    /// next frame. The end of an order overtakes what is for the user interface alone, but for some thousand
    /// pieces that lie ready.
    pub frame_budget: Duration,
}

impl XsollaConfig {
    /// The project with this id, on Xsolla's servers, with the documented timings.
    pub fn new(project_id: u64) -> Self {
        Self {
            project_id,
            store_url: "https://store.xsolla.com/api".to_owned(),
            socket_url: "wss://ws-store.xsolla.com/connection/websocket".to_owned(),
            payment_url: "https://secure.xsolla.com/paystation4/".to_owned(),
            sandbox_payment_url: "https://sandbox-secure.xsolla.com/paystation4/".to_owned(),
            open_payment_page: true,
            socket_grace: Duration::from_secs(4),
            connect_timeout: Duration::from_secs(10),
            socket_lifetime: Duration::from_secs(5 * 60),
            ping_grace: Duration::from_secs(10),
            poll_interval: Duration::from_secs(3),
            poll_interval_max: Duration::from_secs(60),
            poll_slow_after: Duration::from_secs(10 * 60),
            request_timeout: Duration::from_secs(15),
            retry_min: Duration::from_millis(500),
            retry_max: Duration::from_secs(20),
            refusals_max: 5,
            tracking_timeout: Duration::from_secs(24 * 60 * 60),
            token_notice: Duration::from_secs(5 * 60),
            ledger: Ledger::default(),
            refund_window: Duration::from_secs(30 * 24 * 60 * 60),
            frame_budget: Duration::from_millis(1),
        }
    }

    /// The project whose id is in the environment variable `XSOLLA_PROJECT_ID`. `XSOLLA_STORE_URL`
    /// and `XSOLLA_SOCKET_URL` replace the servers where they are set.
    pub fn from_env() -> Result<Self, ConfigError> {
        let id = std::env::var(PROJECT_ID_VAR).map_err(|_| ConfigError::NoProjectId)?;
        let id = id.trim().parse().map_err(|_| ConfigError::BadProjectId)?;
        let mut config = Self::new(id);
        if let Ok(url) = std::env::var("XSOLLA_STORE_URL") {
            config.store_url = url;
        }
        if let Ok(url) = std::env::var("XSOLLA_SOCKET_URL") {
            config.socket_url = url;
        }
        config.validate()?;
        Ok(config)
    }

    /// Whether tracking can work with this; the error names the field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.endpoints().map(drop)?;
        endpoint("payment_url", &self.payment_url, ["https", "http"])?;
        endpoint(
            "sandbox_payment_url",
            &self.sandbox_payment_url,
            ["https", "http"],
        )?;
        if self.project_id == 0 {
            return Err(ConfigError::BadProjectId);
        }
        let durations = [
            ("socket_grace", self.socket_grace),
            ("connect_timeout", self.connect_timeout),
            ("socket_lifetime", self.socket_lifetime),
            ("ping_grace", self.ping_grace),
            ("poll_interval", self.poll_interval),
            ("poll_interval_max", self.poll_interval_max),
            ("poll_slow_after", self.poll_slow_after),
            ("request_timeout", self.request_timeout),
            ("retry_min", self.retry_min),
            ("retry_max", self.retry_max),
            ("tracking_timeout", self.tracking_timeout),
            ("token_notice", self.token_notice),
        ];
        for (field, value) in durations {
            // Longer than a year is a mistake, and far from where adding to a clock overflows.
            if value.is_zero() || value > Duration::from_secs(366 * 24 * 60 * 60) {
                return Err(ConfigError::OutOfRange { field });
            }
        }
        if self.poll_interval_max < self.poll_interval {
            return Err(ConfigError::OutOfRange {
                field: "poll_interval_max",
            });
        }
        if self.retry_max < self.retry_min {
            return Err(ConfigError::OutOfRange { field: "retry_max" });
        }
        if self.refusals_max == 0 {
            return Err(ConfigError::OutOfRange {
                field: "refusals_max",
            });
        }
        Ok(())
    }

    /// The payment page of an order with this token.
    pub(crate) fn payment_page(&self, token: &str, sandbox: bool) -> Option<String> {
        let base = match sandbox {
            true => &self.sandbox_payment_url,
            false => &self.payment_url,
        };
        let mut url = Url::parse(base).ok()?;
        url.query_pairs_mut().append_pair("token", token);
        Some(url.into())
    }

    pub(crate) fn endpoints(&self) -> Result<Endpoints, ConfigError> {
        Ok(Endpoints {
            store: endpoint("store_url", &self.store_url, ["https", "http"])?,
            socket: endpoint("socket_url", &self.socket_url, ["wss", "ws"])?,
        })
    }
}

/// The parsed addresses of a valid config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoints {
    pub(crate) store: Url,
    pub(crate) socket: Url,
}

/// The user's token travels to these addresses, so they are encrypted, or this machine's own.
fn endpoint(
    field: &'static str,
    text: &str,
    [secure, plain]: [&str; 2],
) -> Result<Url, ConfigError> {
    let url = Url::parse(text).map_err(|source| ConfigError::BadUrl { field, source })?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ConfigError::Credentials { field });
    }
    match url.scheme() {
        scheme if scheme == secure => Ok(url),
        scheme if scheme == plain && loopback => Ok(url),
        scheme if scheme == plain => Err(ConfigError::NotEncrypted { field }),
        _ => Err(ConfigError::WrongScheme { field }),
    }
}

/// Why an [`XsollaConfig`] cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq, Reflect)]
#[reflect(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The environment names no project.
    #[error("the environment variable XSOLLA_PROJECT_ID is not set")]
    NoProjectId,
    /// The project id is no positive number.
    #[error("the Xsolla project id is not a positive number")]
    BadProjectId,
    /// An address cannot be parsed.
    #[error("`{field}` is not a URL: {source}")]
    BadUrl {
        /// The field of [`XsollaConfig`].
        field: &'static str,
        /// What the parser says.
        #[reflect(ignore, default = "any_parse_error")]
        source: url::ParseError,
    },
    /// An address would send the player's token in plain text to another machine.
    #[error("`{field}` must be encrypted (https, wss): plain text is for this machine's loopback")]
    NotEncrypted {
        /// The field of [`XsollaConfig`].
        field: &'static str,
    },
    /// An address has a scheme of another protocol.
    #[error("`{field}` has the scheme of another protocol")]
    WrongScheme {
        /// The field of [`XsollaConfig`].
        field: &'static str,
    },
    /// An address carries a user name or a password, which would end up in logs.
    #[error("`{field}` carries a user name or a password")]
    Credentials {
        /// The field of [`XsollaConfig`].
        field: &'static str,
    },
    /// A number or a duration is zero, too large, or contradicts its companion.
    #[error("`{field}` is out of range")]
    OutOfRange {
        /// The field of [`XsollaConfig`].
        field: &'static str,
    },
}

/// For reflection, which does not know the parser's type.
fn any_parse_error() -> url::ParseError {
    url::ParseError::EmptyHost
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_urls(store: &str, socket: &str) -> Result<(), ConfigError> {
        let mut config = XsollaConfig::new(1);
        config.store_url = store.to_owned();
        config.socket_url = socket.to_owned();
        config.validate()
    }

    #[test]
    fn plain_text_is_for_loopback_only() {
        assert_eq!(
            with_urls("http://127.0.0.1:1/api", "ws://[::1]:2/x"),
            Ok(())
        );
        assert_eq!(with_urls("http://localhost:1", "wss://example.com"), Ok(()));
        for (store, socket, field) in [
            ("http://example.com", "wss://example.com", "store_url"),
            ("https://example.com", "ws://10.0.0.1/x", "socket_url"),
            // A name that only looks like loopback may be anybody's.
            (
                "http://127.0.0.1.example.com",
                "wss://example.com",
                "store_url",
            ),
        ] {
            let error = ConfigError::NotEncrypted { field };
            assert_eq!(with_urls(store, socket), Err(error));
        }
    }

    #[test]
    fn a_config_that_cannot_work_names_its_field() {
        let mut config = XsollaConfig::new(1);
        config.poll_interval = Duration::ZERO;
        let error = ConfigError::OutOfRange {
            field: "poll_interval",
        };
        assert_eq!(config.validate(), Err(error));
        assert_eq!(
            XsollaConfig::new(0).validate(),
            Err(ConfigError::BadProjectId)
        );
        assert!(matches!(
            with_urls("nonsense", "wss://example.com"),
            Err(ConfigError::BadUrl {
                field: "store_url",
                ..
            })
        ));
    }
}
