//! What travels over the socket: the part of the Centrifuge client protocol v2 that Xsolla's SDKs speak.
//!
//! Zero values are left out where a Centrifuge server leaves them out.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::stream::{Publication, Stream};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Command {
    #[serde(deserialize_with = "or_zero")]
    pub(super) id: u32,
    pub(super) connect: Option<ConnectRequest>,
    pub(super) history: Option<HistoryRequest>,
    pub(super) send: Option<Unread>,
    rpc: Option<Unread>,
    subscribe: Option<Unread>,
    unsubscribe: Option<Unread>,
    publish: Option<Unread>,
    presence: Option<Unread>,
    presence_stats: Option<Unread>,
    refresh: Option<Unread>,
    sub_refresh: Option<Unread>,
}

/// A request whose fields do not matter; but that it is an object does.
type Unread = HashMap<String, IgnoredAny>;

impl Command {
    /// One line of a frame; `None` if it is no command.
    pub(super) fn parse(line: &str) -> Option<Self> {
        // serde would also read a struct from an array.
        if !line.starts_with('{') {
            return None;
        }
        serde_json::from_str(line).ok()
    }

    /// Whether it is a pong: an empty command, or anything else without a number.
    pub(super) fn is_pong(&self) -> bool {
        self.id == 0 && self.send.is_none()
    }

    /// Whether the protocol has this command, and the emulator has no use for it.
    pub(super) fn is_not_served(&self) -> bool {
        [
            &self.rpc,
            &self.subscribe,
            &self.unsubscribe,
            &self.publish,
            &self.presence,
            &self.presence_stats,
            &self.refresh,
            &self.sub_refresh,
        ]
        .into_iter()
        .any(Option::is_some)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ConnectRequest {
    pub(super) data: Option<Value>,
    pub(super) subs: Option<HashMap<String, RecoverRequest>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RecoverRequest {
    #[serde(deserialize_with = "or_zero")]
    pub(super) recover: bool,
    #[serde(flatten)]
    pub(super) position: Position,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct HistoryRequest {
    #[serde(deserialize_with = "or_zero")]
    pub(super) channel: String,
    #[serde(deserialize_with = "or_zero")]
    pub(super) limit: i32,
    pub(super) since: Option<Position>,
    #[serde(deserialize_with = "or_zero")]
    pub(super) reverse: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Position {
    #[serde(deserialize_with = "or_zero")]
    pub(super) offset: u64,
    #[serde(deserialize_with = "or_zero")]
    pub(super) epoch: String,
}

/// A null is a missing value to a Centrifuge server.
fn or_zero<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Default, Serialize)]
pub(super) struct Reply {
    pub(super) id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<ServerError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) connect: Option<ConnectResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) history: Option<HistoryResult>,
}

impl Reply {
    pub(super) fn error(id: u32, error: ServerError) -> Self {
        Self {
            id,
            error: Some(error),
            ..Self::default()
        }
    }
}

#[derive(Serialize)]
pub(super) struct ConnectResult {
    pub(super) client: String,
    pub(super) version: &'static str,
    #[serde(skip_serializing_if = "HashMap::is_empty")]
    pub(super) subs: HashMap<String, SubscribeResult>,
    pub(super) ping: u64,
    pub(super) pong: bool,
}

#[derive(Default, Serialize)]
pub(super) struct SubscribeResult {
    pub(super) recoverable: bool,
    pub(super) epoch: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) publications: Vec<Publication>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) recovered: bool,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) offset: u64,
    pub(super) positioned: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) was_recovering: bool,
}

impl SubscribeResult {
    /// A subscription that hears what comes after now.
    pub(super) fn at_the_top_of(stream: &Stream) -> Self {
        Self {
            recoverable: true,
            epoch: stream.epoch().to_owned(),
            offset: stream.top(),
            positioned: true,
            ..Self::default()
        }
    }
}

#[derive(Serialize)]
pub(super) struct HistoryResult {
    /// Sent when empty too, unlike a subscription's.
    pub(super) publications: Vec<Publication>,
    pub(super) epoch: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) offset: u64,
}

#[derive(Serialize)]
pub(super) struct PushFrame<'a> {
    pub(super) push: Push<'a>,
}

#[derive(Serialize)]
pub(super) struct Push<'a> {
    pub(super) channel: &'a str,
    #[serde(rename = "pub", skip_serializing_if = "Option::is_none")]
    pub(super) publication: Option<&'a Publication>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subscribe: Option<SubscribeResult>,
}

/// A Centrifuge error reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ServerError {
    pub(super) code: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) message: Cow<'static, str>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) temporary: bool,
}

impl ServerError {
    pub(super) const UNAUTHORIZED: Self = Self::constant(101, "unauthorized");
    pub(super) const PERMISSION_DENIED: Self = Self::constant(103, "permission denied");
    pub(super) const BAD_REQUEST: Self = Self::constant(107, "bad request");
    pub(super) const NOT_AVAILABLE: Self = Self::constant(108, "not available");
    pub(super) const TOKEN_EXPIRED: Self = Self::constant(109, "token expired");
    pub(super) const UNRECOVERABLE_POSITION: Self = Self::constant(112, "unrecoverable position");

    const fn constant(code: u32, message: &'static str) -> Self {
        Self {
            code,
            message: Cow::Borrowed(message),
            temporary: false,
        }
    }

    /// Any code, with the server's word on whether it is temporary.
    pub(super) fn new(code: u32, message: &str) -> Self {
        Self {
            code,
            message: message.to_owned().into(),
            temporary: matches!(code, 100 | 111),
        }
    }

    /// The error of this code with the text that Centrifuge has for it.
    pub(super) fn of_code(code: u32) -> Self {
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
        Self::new(code, message)
    }
}

/// A frame's line.
pub(super) fn line(message: &impl Serialize) -> String {
    // Maps with text keys and numbers always serialize.
    serde_json::to_string(message).unwrap_or_default()
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}
