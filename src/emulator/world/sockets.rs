//! The open sockets, each with its subscription and a queue of what is to be sent.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::task::Waker;

use super::accounts::AccountId;
use super::stream::{Position, Publication};

/// Centrifuge's disconnect for a subscription that no longer fits its stream.
const INSUFFICIENT_STATE: Close = Close::new(3010, "insufficient state");

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SocketId(usize);

#[derive(Default)]
pub(crate) struct Sockets {
    sockets: BTreeMap<SocketId, Socket>,
    opened: usize,
}

/// A socket. Removing it from the registry cuts its connection.
#[derive(Default)]
pub(crate) struct Socket {
    pub(crate) channel: Channel,
    is_closing: bool,
    outgoing: Vec<Outgoing>,
    waker: Option<Waker>,
}

/// The channel on which a socket hears of its player's orders.
#[derive(Default)]
pub(crate) enum Channel {
    /// It has none before it connects.
    #[default]
    None,
    /// It is subscribed when channels are no longer withheld.
    Withheld(AccountId),
    Subscribed {
        account: AccountId,
        epoch: String,
    },
    /// The client has unsubscribed.
    Unsubscribed(AccountId),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outgoing {
    Publications {
        channel: String,
        publications: Vec<Publication>,
    },
    /// Tells the client that the server has subscribed it to a channel, at this position.
    Subscription {
        channel: String,
        position: Position,
    },
    /// A written reply to a command, or a ping.
    Reply(String),
    /// A frame of its own with any text, whether or not it is of the protocol.
    Frame(String),
    Close(Close),
}

/// The content of a close frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Close {
    pub(crate) code: u16,
    pub(crate) reason: Cow<'static, str>,
}

impl Close {
    pub(crate) const fn new(code: u16, reason: &'static str) -> Self {
        Self {
            code,
            reason: Cow::Borrowed(reason),
        }
    }
}

impl Sockets {
    pub(crate) fn open(&mut self) -> SocketId {
        self.opened += 1;
        let id = SocketId(self.opened);
        self.sockets.insert(id, Socket::default());
        id
    }

    /// The number of sockets that were opened so far.
    pub(crate) fn opened(&self) -> usize {
        self.opened
    }

    pub(crate) fn count_open(&self) -> usize {
        self.sockets.values().filter(|s| !s.is_closing).count()
    }

    pub(crate) fn remove(&mut self, id: SocketId) {
        self.sockets.remove(&id);
    }

    pub(crate) fn clear(&mut self) {
        self.sockets.clear();
    }

    pub(crate) fn get(&self, id: SocketId) -> Option<&Socket> {
        self.sockets.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: SocketId) -> Option<&mut Socket> {
        self.sockets.get_mut(&id)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Socket> {
        self.sockets.values_mut()
    }

    /// The socket, whose task is woken at its next change; `None` once it is cut.
    pub(crate) fn watch(&mut self, id: SocketId, waker: &Waker) -> Option<&mut Socket> {
        let socket = self.sockets.get_mut(&id)?;
        match &mut socket.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        Some(socket)
    }

    /// Sends publications of a stream to the sockets that are subscribed to it.
    pub(crate) fn publish(
        &mut self,
        to: AccountId,
        channel: &str,
        current_epoch: &str,
        publications: &[Publication],
    ) {
        for socket in self.sockets.values_mut() {
            match &socket.channel {
                Channel::Subscribed { account, .. } if *account != to => {}
                Channel::Subscribed { epoch, .. } if epoch == current_epoch => {
                    socket.send(Outgoing::Publications {
                        channel: channel.to_owned(),
                        publications: publications.to_vec(),
                    });
                }
                Channel::Subscribed { .. } => socket.close(INSUFFICIENT_STATE),
                Channel::None | Channel::Withheld(_) | Channel::Unsubscribed(_) => {}
            }
        }
    }
}

impl Socket {
    pub(crate) fn send(&mut self, outgoing: Outgoing) {
        if !self.is_closing {
            self.outgoing.push(outgoing);
            self.wake();
        }
    }

    /// Closes the socket once its queue is sent. Nothing can be queued after that.
    pub(crate) fn close(&mut self, close: Close) {
        self.send(Outgoing::Close(close));
        self.is_closing = true;
    }

    /// Takes the queue, if there is anything in it.
    pub(crate) fn take_outgoing(&mut self) -> Option<Vec<Outgoing>> {
        let outgoing = std::mem::take(&mut self.outgoing);
        (!outgoing.is_empty()).then_some(outgoing)
    }

    pub(crate) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.wake();
    }
}
