//! The messages of the socket: the part of the Centrifuge client protocol v2 that Xsolla's SDKs speak.
//!
//! Zero values are left out where a Centrifuge server leaves them out.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::emulator::world::sockets::Close;
use crate::emulator::world::stream::{HistoryError, Position, Publication};
use crate::emulator::world::tokens::Denied;

pub(crate) const NO_PONG: Close = Close::new(3012, "no pong");
pub(crate) const INVALID_TOKEN: Close = Close::new(3500, "invalid token");
pub(crate) const BAD_REQUEST: Close = Close::new(3501, "bad request");
pub(crate) const STALE: Close = Close::new(3502, "stale");
pub(crate) const NOT_AVAILABLE: Close = Close::new(3508, "not available");

/// The WebSocket library of a Centrifuge server sends these, the first of them with a text that is its own.
pub(crate) const PROTOCOL_ERROR: Close = Close::new(1002, "");
pub(crate) const TOO_LARGE: Close = Close::new(1009, "");

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Command {
    pub(crate) id: u32,
    pub(crate) connect: Option<ConnectRequest>,
    pub(crate) subscribe: Option<SubscribeRequest>,
    pub(crate) unsubscribe: Option<ChannelRequest>,
    pub(crate) publish: Option<PublishRequest>,
    pub(crate) presence: Option<ChannelRequest>,
    pub(crate) presence_stats: Option<ChannelRequest>,
    pub(crate) history: Option<HistoryRequest>,
    pub(crate) rpc: Option<Empty>,
    pub(crate) send: Option<Empty>,
    pub(crate) refresh: Option<RefreshRequest>,
    pub(crate) sub_refresh: Option<ChannelRequest>,
}

impl Command {
    /// Reads one line of a frame; `None` if it is not a command. Like a Centrifuge server it does not look at what
    /// follows the command on the line.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut values = serde_json::Deserializer::from_str(line).into_iter::<Value>();
        let mut command = values.next()?.ok()?;
        command.is_object().then_some(())?;
        read_like_go(&mut command)?;
        serde_json::from_value(command).ok()
    }

    /// Whether it is a pong. A Centrifuge server takes every command without a number for one, except for a `send`.
    pub(crate) fn is_pong(&self) -> bool {
        self.id == 0 && self.send.is_none()
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConnectRequest {
    pub(crate) data: Option<Value>,
    pub(crate) subs: Option<HashMap<String, RecoverRequest>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct RecoverRequest {
    pub(crate) recover: bool,
    #[serde(flatten)]
    pub(crate) position: Position,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct HistoryRequest {
    pub(crate) channel: String,
    pub(crate) limit: i32,
    pub(crate) since: Option<Position>,
    pub(crate) reverse: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct SubscribeRequest {
    pub(crate) channel: String,
    pub(crate) delta: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct PublishRequest {
    pub(crate) channel: String,
    pub(crate) data: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct RefreshRequest {
    pub(crate) token: String,
}

/// A request of which only the channel counts here.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ChannelRequest {
    pub(crate) channel: String,
}

/// A request or a result of which nothing counts but that it is there.
#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Empty {}

/// Prepares a value to be read as a Centrifuge server reads it: a null is a missing value, and an array is no struct.
/// (serde reads a struct from an array, too.) `None` where there is an array outside of the data of clients.
fn read_like_go(value: &mut Value) -> Option<()> {
    match value {
        Value::Array(_) => None,
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            let mut others = fields.iter_mut().filter(|(name, _)| *name != "data");
            others.try_for_each(|(_, value)| read_like_go(value))
        }
        _ => Some(()),
    }
}

#[derive(Default, Serialize)]
pub(crate) struct Reply {
    pub(crate) id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ServerError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connect: Option<ConnectResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) history: Option<HistoryResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unsubscribe: Option<Empty>,
}

impl Reply {
    pub(crate) fn error(id: u32, error: ServerError) -> Self {
        Self {
            id,
            error: Some(error),
            ..Self::default()
        }
    }
}

#[derive(Serialize)]
pub(crate) struct ConnectResult {
    pub(crate) client: String,
    pub(crate) version: &'static str,
    #[serde(skip_serializing_if = "HashMap::is_empty")]
    pub(crate) subs: HashMap<String, SubscribeResult>,
    pub(crate) ping: u64,
    pub(crate) pong: bool,
}

#[derive(Default, Serialize)]
pub(crate) struct SubscribeResult {
    pub(crate) recoverable: bool,
    pub(crate) epoch: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) publications: Vec<Publication>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) recovered: bool,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) offset: u64,
    pub(crate) positioned: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) was_recovering: bool,
}

impl SubscribeResult {
    /// A subscription that hears what comes after this position.
    pub(crate) fn at(position: Position) -> Self {
        Self {
            recoverable: true,
            epoch: position.epoch,
            offset: position.offset,
            positioned: true,
            ..Self::default()
        }
    }
}

#[derive(Serialize)]
pub(crate) struct HistoryResult {
    /// Unlike those of a subscription, they are sent when there are none, too.
    pub(crate) publications: Vec<Publication>,
    pub(crate) epoch: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) offset: u64,
}

#[derive(Serialize)]
struct PushFrame<'a> {
    push: Push<'a>,
}

#[derive(Serialize)]
struct Push<'a> {
    channel: &'a str,
    #[serde(rename = "pub", skip_serializing_if = "Option::is_none")]
    publication: Option<&'a Publication>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscribe: Option<SubscribeResult>,
}

/// A Centrifuge error reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ServerError {
    pub(crate) code: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) message: Cow<'static, str>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) temporary: bool,
}

impl ServerError {
    pub(crate) const UNAUTHORIZED: Self = Self::of_code(101);
    pub(crate) const UNKNOWN_CHANNEL: Self = Self::of_code(102);
    pub(crate) const PERMISSION_DENIED: Self = Self::of_code(103);
    pub(crate) const ALREADY_SUBSCRIBED: Self = Self::of_code(105);
    pub(crate) const BAD_REQUEST: Self = Self::of_code(107);
    pub(crate) const NOT_AVAILABLE: Self = Self::of_code(108);
    pub(crate) const TOKEN_EXPIRED: Self = Self::of_code(109);
    pub(crate) const UNRECOVERABLE_POSITION: Self = Self::of_code(112);

    pub(crate) const fn new(code: u32, message: Cow<'static, str>) -> Self {
        Self {
            code,
            message,
            temporary: matches!(code, 100 | 111),
        }
    }

    /// The error with this code and the text that Centrifuge has for it.
    pub(crate) const fn of_code(code: u32) -> Self {
        let message = match code {
            100 => "internal server error",
            101 => "unauthorized",
            102 => "unknown channel",
            103 => "permission denied",
            104 => "method not found",
            105 => "already subscribed",
            107 => "bad request",
            108 => "not available",
            109 => "token expired",
            110 => "expired",
            111 => "too many requests",
            112 => "unrecoverable position",
            _ => "error",
        };
        Self::new(code, Cow::Borrowed(message))
    }
}

impl From<Denied> for ServerError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unknown => Self::UNAUTHORIZED,
            Denied::Expired | Denied::PaymentTokenExpired => Self::TOKEN_EXPIRED,
        }
    }
}

impl From<HistoryError> for ServerError {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::BadRequest => Self::BAD_REQUEST,
            HistoryError::UnrecoverablePosition => Self::UNRECOVERABLE_POSITION,
        }
    }
}

/// A message, written as a line of a frame.
pub(crate) fn line(message: &impl Serialize) -> String {
    // Maps with text keys and numbers always serialize.
    serde_json::to_string(message).unwrap_or_default()
}

/// Publications, written as the lines of pushes.
pub(crate) fn publication_lines(channel: &str, publications: &[Publication]) -> Vec<String> {
    let push = |publication| Push {
        channel,
        publication: Some(publication),
        subscribe: None,
    };
    let pushes = publications.iter().map(push);
    pushes.map(|push| line(&PushFrame { push })).collect()
}

/// A subscription that the server makes of itself, written as the line of a push.
pub(crate) fn subscription_line(channel: &str, position: Position) -> String {
    let push = Push {
        channel,
        publication: None,
        subscribe: Some(SubscribeResult::at(position)),
    };
    line(&PushFrame { push })
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}
