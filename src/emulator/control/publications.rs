//! Publications on players' channels that are not the statuses of their orders.

use serde_json::Value;

use super::emulator::XsollaEmulator;
use super::users::account_of;
use crate::emulator::world::sockets::{Channel, Outgoing};
use crate::model::user::XsollaUser;

/// # Publications
///
/// A publication is on the player's channel before these methods return.
impl XsollaEmulator {
    /// Publishes anything at all on a player's channel, where it gets an offset and a place in the
    /// history as any publication: news of a foreign order, another format, nonsense.
    ///
    /// # Panics
    ///
    /// The user is not one of this emulator's.
    #[track_caller]
    pub fn publish(&self, user: &XsollaUser, data: Value) {
        self.publish_many(user, [data]);
    }

    /// Publishes several at once, which travel in one frame.
    ///
    /// # Panics
    ///
    /// The user is not one of this emulator's.
    #[track_caller]
    pub fn publish_many(&self, user: &XsollaUser, data: impl IntoIterator<Item = Value>) {
        // The iterator is run before the lock is taken, because it may call the emulator itself.
        let data: Vec<Value> = data.into_iter().collect();
        let mut state = self.shared.lock();
        let account = account_of(&state, user);
        state.publish(account, data);
    }

    /// The name of a player's channel, for frames that a test makes up.
    ///
    /// # Panics
    ///
    /// The user is not one of this emulator's.
    #[track_caller]
    pub fn channel(&self, user: &XsollaUser) -> String {
        let state = self.shared.lock();
        let account = state.accounts.get(account_of(&state, user));
        account.map_or_else(String::new, |account| account.channel.clone())
    }

    /// Sends a text frame as it is to a player's connected sockets. It is not a publication, gets no place in the
    /// history, and need not be JSON.
    ///
    /// # Panics
    ///
    /// The user is not one of this emulator's.
    #[track_caller]
    pub fn send_frame(&self, user: &XsollaUser, text: impl Into<String>) {
        let text = text.into();
        let mut state = self.shared.lock();
        let account = account_of(&state, user);
        for socket in state.sockets.iter_mut() {
            if matches!(socket.channel, Channel::Subscribed { account: of, .. } if of == account) {
                socket.send(Outgoing::Frame(text.clone()));
            }
        }
    }
}
