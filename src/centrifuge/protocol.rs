//! The messages of the protocol.
//!
//! Servers leave zero values out, write nulls, and add fields that are not needed here. Unknown fields are
//! skipped.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::model::error::SocketError;
use crate::model::fields::{Fields, Mismatch, Value, read_fields};
use crate::model::json::quote;

/// A client's position in a channel's stream of publications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The id of the stream. Offsets of different epochs cannot be compared.
    pub(crate) epoch: String,
    /// The offset of the last publication that was seen.
    pub(crate) offset: u64,
}

/// The command that connects with this JSON, and recovers channels from these positions.
pub(super) fn connect<'p>(
    id: u32,
    data: &str,
    positions: impl Iterator<Item = (&'p String, &'p Position)>,
) -> String {
    let recover = |(channel, Position { epoch, offset }): (&String, &Position)| {
        let (channel, epoch) = (quote(channel), quote(epoch));
        format!(r#"{channel}:{{"recover":true,"epoch":{epoch},"offset":{offset}}}"#)
    };
    let subs: Vec<String> = positions.map(recover).collect();
    let subs = match subs.is_empty() {
        true => String::new(),
        false => format!(r#","subs":{{{}}}"#, subs.join(",")),
    };
    format!(r#"{{"id":{id},"connect":{{"data":{data}{subs}}}}}"#)
}

/// The command that asks for the whole history of a channel since this position.
pub(super) fn history(id: u32, channel: &str, since: &Position) -> String {
    let (channel, offset) = (quote(channel), since.offset);
    // The documentation's first request has no epoch.
    let epoch = match offset {
        0 => String::new(),
        _ => format!(r#","epoch":{}"#, quote(&since.epoch)),
    };
    // Without a limit, servers answer with a page of it (300 publications by default).
    format!(
        r#"{{"id":{id},"history":{{"channel":{channel},"limit":-1,"since":{{"offset":{offset}{epoch}}}}}}}"#
    )
}

/// The answer to a server's ping.
pub(super) const PONG: &str = "{}";

/// A message of the server: a reply to a command, a push, or a ping.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    /// Whether the message is an empty object. A message with an unknown field is not a ping, and a pong that the
    /// server did not ask for would cost the connection.
    pub(super) is_ping: bool,
    pub(super) id: u32,
    pub(super) error: Option<ErrorReply<'a>>,
    pub(super) connect: Option<Connected<'a>>,
    pub(super) history: Option<History<'a>>,
    pub(super) push: Option<Push<'a>>,
}

impl<'a> Fields<'a> for Message<'a> {
    fn take(&mut self, name: &str, value: &mut dyn Value<'a>) -> Result<(), Mismatch> {
        self.is_ping = false;
        match name {
            "id" => self.id = value.number()?.try_into()?,
            "error" => self.error = value.optional()?,
            "connect" => self.connect = value.optional()?,
            "history" => self.history = value.optional()?,
            "push" => self.push = value.optional()?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
pub(super) struct ErrorReply<'a> {
    pub(super) code: u32,
    pub(super) message: Cow<'a, str>,
    pub(super) temporary: bool,
}

impl<'a> Fields<'a> for ErrorReply<'a> {
    fn take(&mut self, name: &str, value: &mut dyn Value<'a>) -> Result<(), Mismatch> {
        match name {
            "code" => self.code = value.number()?.try_into()?,
            "message" => self.message = value.text()?,
            "temporary" => self.temporary = value.boolean()?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
pub(super) struct Connected<'a> {
    pub(super) subs: Subscriptions<'a>,
    /// The seconds between two pings of the server, or 0 if it sends none.
    pub(super) ping: u32,
    /// Whether the server wants its pings answered.
    pub(super) pong: bool,
}

impl<'a> Fields<'a> for Connected<'a> {
    fn take(&mut self, name: &str, value: &mut dyn Value<'a>) -> Result<(), Mismatch> {
        match name {
            "subs" => drop(value.object(&mut self.subs)?),
            "ping" => self.ping = value.number()?.try_into()?,
            "pong" => self.pong = value.boolean()?,
            _ => {}
        }
        Ok(())
    }
}

/// The server-side subscriptions by channel. The list is as long as the server makes it, so it is not sorted.
#[derive(Debug, Default)]
pub(super) struct Subscriptions<'a>(pub(super) Vec<(String, Subscription<'a>)>);

impl<'a> Fields<'a> for Subscriptions<'a> {
    fn take(&mut self, name: &str, value: &mut dyn Value<'a>) -> Result<(), Mismatch> {
        let subscription = value.optional()?.ok_or(Mismatch)?;
        self.0.push((name.to_owned(), subscription));
        Ok(())
    }
}

/// A server-side subscription, in the reply to `connect` or in a push.
#[derive(Debug, Default)]
pub(super) struct Subscription<'a> {
    pub(super) recoverable: bool,
    pub(super) positioned: bool,
    pub(super) epoch: Cow<'a, str>,
    /// The offset of the stream's last publication.
    pub(super) offset: u64,
    pub(super) recovered: bool,
    pub(super) publications: Publications<'a>,
}

impl<'a> Fields<'a> for Subscription<'a> {
    fn take(&mut self, name: &str, value: &mut dyn Value<'a>) -> Result<(), Mismatch> {
        match name {
            "recoverable" => self.recoverable = value.boolean()?,
            "positioned" => self.positioned = value.boolean()?,
            "epoch" => self.epoch = value.text()?,
            "offset" => self.offset = value.number()?,
            "recovered" => self.recovered = value.boolean()?,
            "publications" => drop(value.list(&mut self.publications)?),
            _ => {}
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
pub(super) struct History<'a> {
    pub(super) publications: Publications<'a>,
    pub(super) epoch: Cow<'a, str>,
    /// The offset of the stream's last publication, even if this page ends before it.
    pub(super) offset: u64,
}

impl<'a> Fields<'a> for History<'a> {
    fn take(&mut self, name: &str, value: &mut dyn Value<'a>) -> Result<(), Mismatch> {
        match name {
            "publications" => drop(value.list(&mut self.publications)?),
            "epoch" => self.epoch = value.text()?,
            "offset" => self.offset = value.number()?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
pub(super) struct Publications<'a>(pub(super) Vec<Publication<'a>>);

impl<'a> Fields<'a> for Publications<'a> {
    fn take(&mut self, name: &str, value: &mut dyn Value<'a>) -> Result<(), Mismatch> {
        match self.0.last_mut() {
            Some(publication) => publication.take(name, value),
            None => Ok(()),
        }
    }

    fn begin(&mut self) {
        self.0.push(Publication::default());
    }
}

#[derive(Debug, Default)]
pub(super) struct Publication<'a> {
    pub(super) data: Option<&'a RawValue>,
    /// The offset, which is 0 in a channel without history.
    pub(super) offset: u64,
}

impl<'a> Fields<'a> for Publication<'a> {
    fn take(&mut self, name: &str, value: &mut dyn Value<'a>) -> Result<(), Mismatch> {
        match name {
            "data" => self.data = value.raw()?,
            "offset" => self.offset = value.number()?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
pub(super) struct Push<'a> {
    pub(super) channel: Cow<'a, str>,
    pub(super) publication: Option<Publication<'a>>,
    pub(super) subscribe: Option<Subscription<'a>>,
    pub(super) is_unsubscribed: bool,
    pub(super) disconnect: Option<Disconnect<'a>>,
}

impl<'a> Fields<'a> for Push<'a> {
    fn take(&mut self, name: &str, value: &mut dyn Value<'a>) -> Result<(), Mismatch> {
        match name {
            "channel" => self.channel = value.text()?,
            "pub" => self.publication = value.optional()?,
            "subscribe" => self.subscribe = value.optional()?,
            "unsubscribe" => self.is_unsubscribed = value.raw()?.is_some(),
            "disconnect" => self.disconnect = value.optional()?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
pub(super) struct Disconnect<'a> {
    pub(super) code: u32,
    pub(super) reason: Cow<'a, str>,
}

impl<'a> Fields<'a> for Disconnect<'a> {
    fn take(&mut self, name: &str, value: &mut dyn Value<'a>) -> Result<(), Mismatch> {
        match name {
            "code" => self.code = value.number()?.try_into()?,
            "reason" => self.reason = value.text()?,
            _ => {}
        }
        Ok(())
    }
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
    if !line.starts_with('{') {
        return Err(SocketError::Protocol("a message is no object".to_owned()));
    }
    let mut message = Message {
        is_ping: true,
        ..Message::default()
    };
    read_fields(line, &mut message).map_err(|error| {
        // The error has only its category, because the text may contain anything.
        SocketError::Protocol(format!("a message has a {:?} error", error.classify()))
    })?;
    Ok(message)
}
