//! The configuration: the Xsolla project, the servers, and the timings.

use std::time::Duration;

use bevy::prelude::{Reflect, Resource};
use thiserror::Error;

use crate::model::address::Address;
use crate::model::ledger::Ledger;
use crate::model::page::PaymentPage;
use crate::model::source::OrderSource;

const PROJECT_ID_VAR: &str = "XSOLLA_PROJECT_ID";

/// The plugin's configuration: the Xsolla project, the servers, and the timings.
///
/// Insert it before or after the plugin; change it while the game runs. While it is missing or
/// [invalid](Self::validate), nothing is tracked, and [`TrackerState`](crate::TrackerState) gives the reason.
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
// Nobody clones the entity of a resource, and a game in a browser would load the code.
#[component(clone_behavior = Ignore)]
#[non_exhaustive]
pub struct XsollaConfig {
    /// The project's id in Xsolla Publisher Account.
    pub project_id: u64,

    /// The base of the store's REST API, to which `v2/project/…` is appended. The default is
    /// `https://store.xsolla.com/api`. A host's name in another script is written in its ASCII form (`xn--…`), here as
    /// in the other addresses.
    pub store_url: String,

    /// The address of the order-status socket. The default is `wss://ws-store.xsolla.com/connection/websocket`.
    pub socket_url: String,

    /// The base of the Event API, to which `events` is appended. The default is `https://getupdate.xsolla.com/v2.0`.
    #[cfg(feature = "event_queue")]
    pub events_url: String,

    /// The address of Xsolla's payment page, to which the order's token is added. The default is
    /// `https://secure.xsolla.com/paystation4/`.
    pub payment_url: String,

    /// The address of the payment page for test payments. The default is
    /// `https://sandbox-secure.xsolla.com/paystation4/`.
    pub sandbox_payment_url: String,

    /// Whether a purchase opens the payment page in the player's browser (feature `browser`). A game that shows
    /// the page in another way takes its address from [`PurchaseStarted`](crate::PurchaseStarted). The default is
    /// `true`.
    pub open_payment_page: bool,

    /// How a game in a browser shows the payment page. The default is a new tab.
    pub payment_page: PaymentPage,

    /// How long an order waits for its first socket before short-polling begins. The default is 4 s.
    pub socket_grace: Duration,

    /// How long each step of opening the socket may take: the host look-up and the TCP connection, TLS and the
    /// WebSocket handshake, the answer to `connect`, and the subscription. The default is 10 s.
    pub connect_timeout: Duration,

    /// How long a socket may be open without a final status before it is opened again and the order is requested.
    /// The default is 5 min: "The maximum waiting time for a response via websocket is 5 minutes" (Xsolla's
    /// documentation).
    pub socket_lifetime: Duration,

    /// How much later than announced a server's ping may come before the socket counts as lost. The default is
    /// 10 s, as in the Centrifuge SDKs.
    pub ping_grace: Duration,

    /// The delay between two Get Order requests for one order while there is no socket. The default is 3 s, which
    /// Xsolla recommends.
    pub poll_interval: Duration,

    /// The delay that the polling of an unpaid order slows down to. The default is 1 min.
    pub poll_interval_max: Duration,

    /// How long an order may have no news before its polling slows down. The default is 10 min.
    pub poll_slow_after: Duration,

    /// How long one Get Order request may take. The default is 15 s.
    pub request_timeout: Duration,

    /// The first delay after a failed request or a lost socket. It doubles with each failure, with full jitter.
    /// The default is 500 ms.
    pub retry_min: Duration,

    /// The longest delay after a failed request or a lost socket. The default is 20 s.
    pub retry_max: Duration,

    /// How many times a request for an order may be answered with "not found", or with another refusal that a
    /// repetition is unlikely to change, before tracking fails. The default is 5, because a new order may not be
    /// available at once.
    pub refusals_max: u32,

    /// How long an order may have no news before tracking fails. The default is 24 h, the lifetime of a payment
    /// token: the order can be paid until then.
    pub tracking_timeout: Duration,

    /// How long before the token's `exp` claim [`AuthorizationRequired`](crate::AuthorizationRequired) is sent.
    /// The default is 5 min.
    pub token_notice: Duration,

    /// When the game is told to grant an order. The default is [`GrantAt::Done`].
    pub grant_at: GrantAt,

    /// Where the news of orders comes from. The default is [`OrderSource::Socket`].
    pub source: OrderSource,

    /// When there is an order-status socket. The default is [`Listen::WhileOrdersAreOpen`].
    pub listen: Listen,

    /// Whether an order that was made elsewhere, such as in the Web Shop, is tracked by itself once it is
    /// [discovered](crate::OrderDiscovered). The default is `false`.
    ///
    /// Each device of a player tracks and grants such an order. A game that keeps what a player owns on a server
    /// grants there, and leaves this off.
    pub adopt_orders: bool,

    /// Whether orders that were over before this [ledger](Self::ledger) was first used are
    /// [discovered](crate::OrderDiscovered), too. The default is `false`: the player was given them elsewhere, or in an
    /// earlier installation.
    pub discover_past_orders: bool,

    /// The place where orders are stored while the game is not running.
    pub ledger: Ledger,

    /// How long after its acknowledgement an order is requested once at each start, to notice a refund. The
    /// default is 30 days; zero turns it off.
    pub refund_window: Duration,

    /// How long the delivery of news may take in one frame, including the observers that it runs. The default is
    /// 1 ms of the 16 ms that a frame has at 60 Hz. A frame delivers at least one piece of news, and the rest
    /// waits for the next frame. The end of an order is delivered before news that is for the user interface only,
    /// except for about a thousand pieces that are already queued.
    pub frame_budget: Duration,
}

/// When the game is told to grant an order, by [`OrderDone`](crate::OrderDone). It is told once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GrantAt {
    /// At the status `done`: the order is paid and all deliveries are made. This is the documented end of tracking.
    #[default]
    Done,
    /// At the status `paid`, of which Xsolla says that the item can be granted to the user. It is for shops whose `done`
    /// waits for something, such as a webhook that their server answers late.
    Paid,
}

/// When there is an order-status socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listen {
    /// While an order of the player is open, as Xsolla's documentation shows.
    #[default]
    WhileOrdersAreOpen,
    /// As long as the player is logged in. An order that is made elsewhere is [discovered](crate::OrderDiscovered) at
    /// once. It costs one socket, which is opened anew every [`socket_lifetime`](XsollaConfig::socket_lifetime), and no
    /// request. A player who is known by [`track_order_as`](crate::OrderCommands::track_order_as) alone does not
    /// count as logged in.
    WhileLoggedIn,
}

impl XsollaConfig {
    /// Configures the project with this id, Xsolla's servers, and the documented timings.
    pub fn new(project_id: u64) -> Self {
        Self {
            project_id,
            store_url: "https://store.xsolla.com/api".to_owned(),
            socket_url: "wss://ws-store.xsolla.com/connection/websocket".to_owned(),
            #[cfg(feature = "event_queue")]
            events_url: "https://getupdate.xsolla.com/v2.0".to_owned(),
            payment_url: "https://secure.xsolla.com/paystation4/".to_owned(),
            sandbox_payment_url: "https://sandbox-secure.xsolla.com/paystation4/".to_owned(),
            open_payment_page: true,
            payment_page: PaymentPage::default(),
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
            grant_at: GrantAt::default(),
            source: OrderSource::default(),
            listen: Listen::default(),
            adopt_orders: false,
            discover_past_orders: false,
            ledger: Ledger::default(),
            refund_window: Duration::from_secs(30 * 24 * 60 * 60),
            frame_budget: Duration::from_millis(1),
        }
    }

    /// Configures the project whose id is in the environment variable `XSOLLA_PROJECT_ID`. `XSOLLA_STORE_URL` and
    /// `XSOLLA_SOCKET_URL` replace the servers if they are set.
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

    /// Checks that the configuration can be used. The error names the field that is wrong.
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
            // More than a year is a mistake. The bound also keeps additions to a clock from overflowing.
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

    /// The address of the payment page for an order's token.
    pub(crate) fn payment_page_url(&self, token: &str, sandbox: bool) -> Option<String> {
        let base = match sandbox {
            true => &self.sandbox_payment_url,
            false => &self.payment_url,
        };
        let page = Address::parse(base).ok()?.with_query([("token", token)]);
        Some(page.ok()?.uri().to_string())
    }

    pub(crate) fn endpoints(&self) -> Result<Endpoints, ConfigError> {
        Ok(Endpoints {
            store: endpoint("store_url", &self.store_url, ["https", "http"])?,
            socket: endpoint("socket_url", &self.socket_url, ["wss", "ws"])?,
            #[cfg(feature = "event_queue")]
            events: endpoint("events_url", &self.events_url, ["https", "http"])?,
        })
    }
}

/// The parsed addresses of a valid configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoints {
    pub(crate) store: Address,
    pub(crate) socket: Address,
    #[cfg(feature = "event_queue")]
    pub(crate) events: Address,
}

/// Parses an address. The user's token is sent to it, so it must be encrypted or on this machine.
fn endpoint(
    field: &'static str,
    text: &str,
    [secure, plain]: [&str; 2],
) -> Result<Address, ConfigError> {
    let address = Address::parse(text).map_err(|reason| ConfigError::BadUrl { field, reason })?;
    if address.has_credentials() {
        return Err(ConfigError::Credentials { field });
    }
    match address.scheme() {
        scheme if scheme == secure => Ok(address),
        scheme if scheme == plain && address.host().is_loopback() => Ok(address),
        scheme if scheme == plain => Err(ConfigError::NotEncrypted { field }),
        _ => Err(ConfigError::WrongScheme { field }),
    }
}

/// The reason that an [`XsollaConfig`] cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The environment variable `XSOLLA_PROJECT_ID` is not set.
    #[error("the environment variable XSOLLA_PROJECT_ID is not set")]
    NoProjectId,
    /// The project id is not a positive number.
    #[error("the Xsolla project id is not a positive number")]
    BadProjectId,
    /// An address cannot be parsed.
    #[error("`{field}` is not a URL: {reason}")]
    BadUrl {
        /// The field of [`XsollaConfig`].
        field: &'static str,
        /// What is wrong with it. The text itself is not repeated.
        reason: String,
    },
    /// An address would send the player's token in plain text to another machine.
    #[error("`{field}` must be encrypted (https, wss): plain text is for this machine's loopback")]
    NotEncrypted {
        /// The field of [`XsollaConfig`].
        field: &'static str,
    },
    /// An address has the scheme of another protocol.
    #[error("`{field}` has the scheme of another protocol")]
    WrongScheme {
        /// The field of [`XsollaConfig`].
        field: &'static str,
    },
    /// An address contains a user name or a password, which would appear in logs.
    #[error("`{field}` carries a user name or a password")]
    Credentials {
        /// The field of [`XsollaConfig`].
        field: &'static str,
    },
    /// A number or a duration is zero or too large, or it contradicts a related field.
    #[error("`{field}` is out of range")]
    OutOfRange {
        /// The field of [`XsollaConfig`].
        field: &'static str,
    },
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
            // A name that only looks like loopback may belong to anybody.
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
