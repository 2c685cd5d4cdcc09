//! The errors of the connections to Xsolla's servers. None of them contains the user's token.

use std::fmt;
use std::time::Duration;

use bevy::prelude::Reflect;
use thiserror::Error;

/// The reason that an order-status socket could not be opened, or ended.
#[derive(Clone, Debug, Error, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SocketError {
    /// The server's name cannot be resolved.
    #[error("cannot resolve the socket's host: {0}")]
    Resolve(String),
    /// The TCP connection was refused or failed.
    #[error("cannot connect to the socket's host: {0}")]
    Connect(String),
    /// The encrypted connection cannot be made. The text tells whether the server's certificate or this system's
    /// certificate store is the cause.
    #[error("no encrypted connection to the socket: {0}")]
    Tls(String),
    /// The server did not accept the WebSocket.
    #[error("the server did not open a WebSocket: {message}{}", Status(*.status))]
    Handshake {
        /// The HTTP status, if the server answered.
        status: Option<u16>,
        /// A description of the failure.
        message: String,
    },
    /// A step of opening the socket took longer than [`connect_timeout`](crate::XsollaConfig::connect_timeout).
    #[error("the socket timed out: {0}")]
    TimedOut(ConnectStep),
    /// The server answered `connect` with an error (Centrifuge error codes, below 1000).
    #[error("the server refused the connection: {message} ({code})")]
    Refused {
        /// The Centrifuge error code, such as 101 for unauthorized.
        code: u32,
        /// The server's text.
        message: String,
        /// Whether the server says that another attempt may succeed.
        temporary: bool,
    },
    /// The server closed the socket (Centrifuge disconnect codes, WebSocket close codes).
    #[error("the server closed the socket: {reason} ({code})")]
    Closed {
        /// The close code, such as 3501 for a bad request.
        code: u32,
        /// The server's text.
        reason: String,
    },
    /// The connection broke, or closed without a code.
    #[error("the socket broke: {0}")]
    Lost(String),
    /// The server's ping did not come in time.
    #[error("the server went silent")]
    PingMissing,
    /// The server ended the subscription.
    #[error("the server ended the subscription")]
    Unsubscribed,
    /// The server sent a message that is not of the Centrifuge protocol, or that exceeds a limit.
    #[error("the server broke the protocol: {0}")]
    Protocol(String),
    /// The queue of events, which takes the place of a socket, could not be read.
    #[cfg(feature = "event_queue")]
    #[error("the queue of events: {0}")]
    EventQueue(RequestError),
}

impl SocketError {
    /// Applies a function to every text that comes from outside this crate.
    #[must_use]
    pub(crate) fn map_text(self, map: impl Fn(String) -> String) -> Self {
        match self {
            Self::Resolve(text) => Self::Resolve(map(text)),
            Self::Connect(text) => Self::Connect(map(text)),
            Self::Tls(text) => Self::Tls(map(text)),
            Self::Lost(text) => Self::Lost(map(text)),
            Self::Protocol(text) => Self::Protocol(map(text)),
            Self::Handshake { status, message } => Self::Handshake {
                status,
                message: map(message),
            },
            Self::Refused {
                code,
                message,
                temporary,
            } => Self::Refused {
                code,
                message: map(message),
                temporary,
            },
            Self::Closed { code, reason } => Self::Closed {
                code,
                reason: map(reason),
            },
            Self::TimedOut(_) | Self::PingMissing | Self::Unsubscribed => self,
            #[cfg(feature = "event_queue")]
            Self::EventQueue(error) => Self::EventQueue(error.map_text(map)),
        }
    }

    /// Whether the server refused the token, so that a new one is needed.
    pub fn is_unauthorized(&self) -> bool {
        match self {
            // 101 unauthorized, 103 permission denied, 109 token expired, 110 expired.
            Self::Refused { code, .. } => matches!(code, 101 | 103 | 109 | 110),
            // 3500 invalid token, 3507 permission denied.
            Self::Closed { code, .. } => matches!(code, 3500 | 3507),
            #[cfg(feature = "event_queue")]
            Self::EventQueue(error) => error.is_unauthorized(),
            // A refused handshake does not count, because the token is sent after it.
            _ => false,
        }
    }

    /// Whether the server asks the client not to connect again, by one of Centrifuge's terminal codes, or has no queue of
    /// events for the project.
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Refused {
                code, temporary, ..
            } => !temporary && *code >= 100,
            Self::Closed { code, .. } => {
                matches!(code, 1009 | 3500..=3999 | 4500..=4999)
            }
            #[cfg(feature = "event_queue")]
            Self::EventQueue(error) => error.is_refusal(),
            _ => false,
        }
    }

    /// How long the server asks to wait before the next attempt.
    pub(crate) fn pause(&self) -> Option<Duration> {
        match self {
            #[cfg(feature = "event_queue")]
            Self::EventQueue(error) => error.pause(),
            _ => None,
        }
    }
}

struct Status(Option<u16>);

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(status) => write!(f, " (HTTP {status})"),
            None => Ok(()),
        }
    }
}

/// A step of opening the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ConnectStep {
    /// The host look-up and the TCP connection.
    Tcp,
    /// TLS and the WebSocket handshake.
    Handshake,
    /// The server's answer to `connect`.
    Connect,
    /// The server-side subscription.
    Subscribe,
}

impl fmt::Display for ConnectStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "no TCP connection",
            Self::Handshake => "no WebSocket handshake",
            Self::Connect => "no answer to connect",
            Self::Subscribe => "no subscription",
        })
    }
}

/// The longest time for which a server may pause the requests.
const MAX_PAUSE: Duration = Duration::from_secs(5 * 60);

/// The reason that a request to Xsolla's store failed.
#[derive(Clone, Debug, Error, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RequestError {
    /// There is no [`XsollaConfig`](crate::XsollaConfig), or it is invalid.
    #[error("there is no valid XsollaConfig")]
    NotConfigured,
    /// The server could not be reached, or the connection broke.
    #[error("the store was not reached: {0}")]
    Network(String),
    /// The answer took longer than [`request_timeout`](crate::XsollaConfig::request_timeout).
    #[error("the store did not answer in time")]
    TimedOut,
    /// The server answered with an error.
    #[error("the store answered HTTP {status}{}", Details(.code, .message, .transaction_id))]
    Status {
        /// The HTTP status.
        status: u16,
        /// Xsolla's error code, such as `0401-9001`, if the body has one.
        code: Option<String>,
        /// Xsolla's text, if the body has one.
        message: Option<String>,
        /// Xsolla's id for this answer, if the body has one. Xsolla's support finds the answer by it.
        transaction_id: Option<String>,
        /// The time that the server asks the client to wait.
        retry_after: Option<Duration>,
    },
    /// The token contains characters that an HTTP header cannot carry.
    #[error("the token is no text that can be sent")]
    BadToken,
    /// The answer does not have the documented form.
    #[error("the store's answer cannot be read: {0}")]
    Malformed(String),
}

impl RequestError {
    /// Applies a function to every text that comes from outside this crate.
    #[must_use]
    pub(crate) fn map_text(self, map: impl Fn(String) -> String) -> Self {
        match self {
            Self::Network(text) => Self::Network(map(text)),
            Self::Malformed(text) => Self::Malformed(map(text)),
            Self::Status {
                status,
                code,
                message,
                transaction_id,
                retry_after,
            } => Self::Status {
                status,
                code: code.map(&map),
                message: message.map(&map),
                transaction_id: transaction_id.map(&map),
                retry_after,
            },
            Self::NotConfigured | Self::TimedOut | Self::BadToken => self,
        }
    }

    /// Whether a new token is needed: the store answered 401 or 403 with the body of Xsolla's errors, or the token
    /// cannot be sent.
    pub fn is_unauthorized(&self) -> bool {
        match self {
            Self::BadToken => true,
            Self::Status {
                status: 401 | 403, ..
            } => !self.is_foreign(),
            _ => false,
        }
    }

    /// Whether an intermediary, such as a firewall or a CDN, has answered instead of the store: the error lacks
    /// the body that Xsolla's errors have. Such an answer says nothing about the order or the token.
    pub fn is_foreign(&self) -> bool {
        matches!(
            self,
            Self::Status {
                code: None,
                message: None,
                ..
            }
        )
    }

    /// Whether the store refused this particular request, so that a repetition is unlikely to succeed: the
    /// statuses that Xsolla's store uses for orders (400, 404, 409, 410, 422). Other statuses may come from an
    /// intermediary, such as a proxy that wants a password (407).
    pub fn is_refusal(&self) -> bool {
        let is_refused = matches!(
            self,
            Self::Status {
                status: 400 | 404 | 409 | 410 | 422,
                ..
            }
        );
        is_refused && !self.is_foreign()
    }

    /// Xsolla's error code, such as `0401-9001`, if the answer has one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Status { code, .. } => code.as_deref(),
            _ => None,
        }
    }

    /// The time that the server asks the client to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// How long no requests should be sent to the server. `Retry-After` counts only if the answer is about load
    /// (429, 503), and up to a few minutes.
    pub(crate) fn pause(&self) -> Option<Duration> {
        match self {
            Self::Status {
                status: 429 | 503,
                retry_after,
                ..
            } => retry_after.map(|wait| wait.min(MAX_PAUSE)),
            _ => None,
        }
    }
}

/// The content of an error body, after a colon.
struct Details<'a>(&'a Option<String>, &'a Option<String>, &'a Option<String>);

impl fmt::Display for Details<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(code), Some(message)) => write!(f, ": [{code}] {message}")?,
            (None, Some(text)) | (Some(text), None) => write!(f, ": {text}")?,
            (None, None) => {}
        }
        match self.2 {
            Some(id) => write!(f, " (transaction {id})"),
            None => Ok(()),
        }
    }
}

/// The reason that the tracking of an order ended without a final status.
///
/// No order is lost by this: [`track_order`](crate::OrderCommands::track_order) starts the tracking again.
#[derive(Clone, Debug, Error, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TrackingError {
    /// The server refused the requests for the order several times: it does not exist, or it belongs to another
    /// project or player.
    #[error("the order is not to be had: {0}")]
    Refused(RequestError),
    /// The order had no news for [`tracking_timeout`](crate::XsollaConfig::tracking_timeout).
    #[error("no news of the order for {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The background task has ended.
    #[error("tracking has ended: {0}")]
    TrackerFailed(String),
    /// One user has more open orders than can be tracked at a time: 100,000.
    #[error("too many orders are open")]
    TooManyOrders,
}

/// The reason that a new token is needed.
#[derive(Clone, Debug, Error, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AuthorizationError {
    /// The token will expire soon, by its `exp` claim.
    #[error("the token expires in {} s", .0.as_secs())]
    ExpiresSoon(Duration),
    /// The token has expired, by its `exp` claim.
    #[error("the token has expired")]
    Expired,
    /// A request was refused.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The socket was refused.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// Cuts a server's text to a length that fits in a log line.
pub(crate) fn shorten(text: &str) -> String {
    cut(text, 200)
}

/// Returns at most so many bytes of the text, which end at a character's boundary.
pub(crate) fn cut(text: &str, bytes: usize) -> String {
    let end = text.floor_char_boundary(bytes);
    text.get(..end).unwrap_or_default().to_owned()
}
