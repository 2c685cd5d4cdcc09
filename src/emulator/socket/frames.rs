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
pub(crate) const BAD_REQUEST: Close = Close::new(3501, "bad request");
pub(crate) const NOT_AVAILABLE: Close = Close::new(3508, "not available");
pub(crate) const TOO_LARGE: Close = Close::new(1009, "message size limit");

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Command {
    pub(crate) id: u32,
    pub(crate) connect: Option<ConnectRequest>,
    pub(crate) history: Option<HistoryRequest>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// Commands of the protocol that the emulator has no use for.
const NOT_SERVED: [&str; 8] = [
    "rpc",
    "subscribe",
    "unsubscribe",
    "publish",
    "presence",
    "presence_stats",
    "refresh",
    "sub_refresh",
];

impl Command {
    /// Reads one line of a frame; `None` if it is not a command.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut command = serde_json::from_str(line).ok()?;
        remove_nulls(&mut command);
        // serde would read a struct from an array, too.
        command.is_object().then_some(())?;
        serde_json::from_value(command).ok()
    }

    /// Whether it is a pong. A Centrifuge server takes every command without a number for one.
    pub(crate) fn is_pong(&self) -> bool {
        self.id == 0 && !self.is_send()
    }

    /// Whether it is a `send`, to which there is no reply.
    pub(crate) fn is_send(&self) -> bool {
        self.has("send")
    }

    /// Whether the protocol has this command, and the emulator has no use for it.
    pub(crate) fn is_not_served(&self) -> bool {
        NOT_SERVED.iter().any(|name| self.has(name))
    }

    fn has(&self, name: &str) -> bool {
        self.others.get(name).is_some_and(Value::is_object)
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

/// To a Centrifuge server a null is a missing value.
fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(remove_nulls);
        }
        Value::Array(values) => values.iter_mut().for_each(remove_nulls),
        _ => {}
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
    pub(crate) const PERMISSION_DENIED: Self = Self::of_code(103);
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
