//! Who may send webhooks.

use std::net::IpAddr;

use ipnet::IpNet;
use thiserror::Error;

/// The addresses that Xsolla's documentation names.
const XSOLLA: [&str; 6] = [
    "185.30.20.0/22",
    "34.102.38.178",
    "34.94.43.207",
    "35.236.73.234",
    "34.94.69.44",
    "34.102.22.197",
];

/// The networks from which webhooks are taken. Their signature is checked in any case.
///
/// ```
/// use bevy_xsolla::webhook::WebhookSenders;
///
/// let of_the_office = WebhookSenders::only(["192.0.2.0/24", "2001:db8::1"]);
/// assert!(of_the_office.is_ok());
/// assert!(WebhookSenders::only(["192.0.2.0/99"]).is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookSenders(Option<Vec<IpNet>>);

/// A text that is neither an address nor a network such as `192.0.2.0/24`.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0:?} is neither an address nor a network")]
pub struct InvalidNetwork(String);

impl WebhookSenders {
    /// Takes webhooks from everywhere. This is the default.
    pub fn anybody() -> Self {
        Self(None)
    }

    /// Takes webhooks from the addresses that Xsolla's
    /// [documentation](https://developers.xsolla.com/webhooks/overview/) names. It may name others by now: one that is
    /// not listed gets no answer, and its webhooks come again for half a day.
    pub fn xsolla() -> Self {
        // A test reads the list.
        Self::only(XSOLLA).unwrap_or_default()
    }

    /// Takes webhooks from these addresses and networks.
    ///
    /// # Errors
    ///
    /// A text that is neither.
    pub fn only<S: AsRef<str>>(
        networks: impl IntoIterator<Item = S>,
    ) -> Result<Self, InvalidNetwork> {
        let networks = networks.into_iter().map(|network| {
            let text = network.as_ref().trim();
            let network = text.parse::<IpNet>().ok();
            let address = || Some(IpNet::from(text.parse::<IpAddr>().ok()?));
            let invalid = || InvalidNetwork(text.to_owned());
            network.or_else(address).ok_or_else(invalid)
        });
        Ok(Self(Some(networks.collect::<Result<_, _>>()?)))
    }

    pub(crate) fn allow(&self, address: IpAddr) -> bool {
        let is_in = |networks: &Vec<IpNet>| networks.iter().any(|it| it.contains(&address));
        self.0.as_ref().is_none_or(is_in)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xsollas_addresses_are_let_in_and_no_others() {
        let senders = WebhookSenders::xsolla();
        for (address, is_allowed) in [
            ("185.30.20.1", true),
            ("185.30.23.255", true),
            ("34.94.69.44", true),
            ("185.30.19.255", false),
            ("185.30.24.0", false),
            ("34.94.69.45", false),
            ("127.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(
                senders.allow(address.parse().unwrap()),
                is_allowed,
                "{address}"
            );
        }
    }

    #[test]
    fn an_empty_list_lets_nobody_in_and_no_list_everybody() {
        let address = "192.0.2.1".parse().unwrap();
        assert!(!WebhookSenders::only([""; 0]).unwrap().allow(address));
        assert!(WebhookSenders::anybody().allow(address));
    }
}
