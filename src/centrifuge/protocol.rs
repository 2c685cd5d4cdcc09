//! The messages of the protocol.
//!
//! Servers leave zero values out, write nulls, and add fields that are not needed here. Unknown fields are
//! skipped.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::model::error::SocketError;

/// A client's position in a channel's stream of publications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The id of the stream. Offsets of different epochs cannot be compared.
    pub(crate) epoch: String,
    /// The offset of the last publication that was seen.
    pub(crate) offset: u64,
}

/// A command of the client: one of its methods.
#[derive(Debug, Default, Serialize)]
pub(super) struct Command<'a> {
    pub(super) id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) connect: Option<Connect<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) history: Option<AskHistory<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Connect<'a> {
    pub(super) data: &'a RawValue,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_object")]
    pub(super) subs: Vec<(&'a str, Recover<'a>)>,
}

#[derive(Debug, Serialize)]
pub(super) struct AskHistory<'a> {
    pub(super) channel: &'a str,
    pub(super) limit: i32,
    pub(super) since: Since<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct Recover<'a> {
    pub(super) recover: bool,
    pub(super) epoch: &'a str,
    pub(super) offset: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Since<'a> {
    pub(super) offset: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) epoch: &'a str,
}

/// The answer to a server's ping.
pub(super) const PONG: &str = "{}";

/// A message of the server: a reply to a command, a push, or a ping.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message<'a> {
    /// Whether the message is an empty object. A message with an unknown field is not a ping, and a pong that the
    /// server did not ask for would cost the connection.
    #[serde(skip)]
    pub(super) is_ping: bool,
    #[serde(deserialize_with = "or_default")]
    pub(super) id: u32,
    #[serde(borrow)]
    pub(super) error: Option<ErrorReply<'a>>,
    #[serde(borrow)]
    pub(super) connect: Option<Connected<'a>>,
    #[serde(borrow)]
    pub(super) history: Option<History<'a>>,
    #[serde(borrow)]
    pub(super) push: Option<Push<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorReply<'a> {
    #[serde(deserialize_with = "or_default")]
    pub(super) code: u32,
    #[serde(borrow)]
    pub(super) message: Option<Cow<'a, str>>,
    #[serde(deserialize_with = "or_default")]
    pub(super) temporary: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Connected<'a> {
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) subs: Subscriptions<'a>,
    /// The seconds between two pings of the server, or 0 if it sends none.
    #[serde(deserialize_with = "or_default")]
    pub(super) ping: u32,
    /// Whether the server wants its pings answered.
    #[serde(deserialize_with = "or_default")]
    pub(super) pong: bool,
}

/// The server-side subscriptions by channel. The list is as long as the server makes it, so it is not sorted.
#[derive(Debug, Default)]
pub(super) struct Subscriptions<'a>(pub(super) Vec<(String, Subscription<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Subscriptions<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Subscriptions<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut subscriptions = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    subscriptions.push(entry);
                }
                Ok(Subscriptions(subscriptions))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// A server-side subscription, in the reply to `connect` or in a push.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Subscription<'a> {
    #[serde(deserialize_with = "or_default")]
    pub(super) recoverable: bool,
    #[serde(deserialize_with = "or_default")]
    pub(super) positioned: bool,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) epoch: Cow<'a, str>,
    /// The offset of the stream's last publication.
    #[serde(deserialize_with = "or_default")]
    pub(super) offset: u64,
    #[serde(deserialize_with = "or_default")]
    pub(super) recovered: bool,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) publications: Vec<Publication<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct History<'a> {
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) publications: Vec<Publication<'a>>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) epoch: Cow<'a, str>,
    /// The offset of the stream's last publication, even if this page ends before it.
    #[serde(deserialize_with = "or_default")]
    pub(super) offset: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Publication<'a> {
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
    /// The offset, which is 0 in a channel without history.
    #[serde(deserialize_with = "or_default")]
    pub(super) offset: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Push<'a> {
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) channel: Cow<'a, str>,
    #[serde(borrow, rename = "pub")]
    pub(super) publication: Option<Publication<'a>>,
    #[serde(borrow)]
    pub(super) subscribe: Option<Subscription<'a>>,
    pub(super) unsubscribe: Option<serde::de::IgnoredAny>,
    #[serde(borrow)]
    pub(super) disconnect: Option<Disconnect<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Disconnect<'a> {
    #[serde(deserialize_with = "or_default")]
    pub(super) code: u32,
    #[serde(borrow)]
    pub(super) reason: Option<Cow<'a, str>>,
}

fn as_object<S: Serializer>(subs: &[(&str, Recover<'_>)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(subs.iter().map(|(name, recover)| (name, recover)))
}

/// Reads a null like a missing field.
fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads the messages of a text frame, one per line.
pub(super) fn messages(frame: &str) -> impl Iterator<Item = Result<Message<'_>, SocketError>> {
    frame
        .split('\n')
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(read)
}

fn read(line: &str) -> Result<Message<'_>, SocketError> {
    // Serde alone would also accept a list of a struct's fields.
    let Some(fields) = line.strip_prefix('{') else {
        return Err(SocketError::Protocol("a message is no object".to_owned()));
    };
    let mut message: Message = serde_json::from_str(line).map_err(|error| {
        // The error has only its category, because the text may contain anything.
        SocketError::Protocol(format!("a message has a {:?} error", error.classify()))
    })?;
    message.is_ping = fields.trim_start() == "}";
    Ok(message)
}
