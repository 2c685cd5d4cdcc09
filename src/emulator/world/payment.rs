//! The payment of an order, and the actions of a player.

use url::Url;

#[derive(Default)]
pub(crate) struct Payment {
    /// The token that opens the order's payment page; `None` for an order that has no page.
    pub(crate) token: Option<String>,
    pub(crate) is_sandbox: bool,
    /// The address at which the player goes on after the payment page.
    pub(crate) return_url: Option<Url>,
    pub(crate) attempt: Attempt,
}

/// An attempt of the player that has not changed the order's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Attempt {
    #[default]
    None,
    Declined,
    UnderWay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Pay,
    PaySlowly,
    Decline,
    Cancel,
    Refund,
}

impl Action {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [
            Self::Pay,
            Self::PaySlowly,
            Self::Decline,
            Self::Cancel,
            Self::Refund,
        ]
        .into_iter()
        .find(|action| action.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pay => "pay",
            Self::PaySlowly => "pay-slowly",
            Self::Decline => "decline",
            Self::Cancel => "cancel",
            Self::Refund => "refund",
        }
    }
}
