//! The driver's inbox.

use tokio::sync::mpsc;

use crate::machine::input::Input;

/// Puts an input into the inbox as soon as there is room.
pub(super) async fn put(inbox: &mpsc::Sender<Input>, input: Input) {
    // This fails only after the game has ended.
    let _ = inbox.send(input).await;
}
