//! The player's presence.

/// The times at which the player returns to the game. A desktop does not stop a game that is in the background, so none
/// is told.
#[derive(Debug)]
pub(crate) struct Returns;

impl Returns {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) async fn next(&mut self) {
        std::future::pending().await
    }
}
