//! Addresses of servers.

use core::net::{IpAddr, Ipv6Addr};

use form_urlencoded::Serializer;
use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands for itself in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The address of something on a server: `https://host:port/path?query`.
///
/// This is a `Uri` and no `Url`, because the tables with which a `Url` reads names in other scripts would be a third of
/// what the plugin adds to a game in a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address(Uri);

/// The server's host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host<'a> {
    Ip(IpAddr),
    Name(&'a str),
}

impl Host<'_> {
    /// Whether the host is this machine.
    pub(crate) fn is_loopback(self) -> bool {
        match self {
            Host::Ip(ip) => ip.is_loopback(),
            Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
        }
    }
}

impl Address {
    /// Reads an address that has a scheme and a host. The error is the reason that the text is no such address; it
    /// does not repeat the text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let uri: Uri = text
            .parse()
            .map_err(|error: http::uri::InvalidUri| error.to_string())?;
        let reason = match (uri.scheme(), uri.authority()) {
            (None, _) => "it has no scheme",
            (_, None) => "it has no host",
            (_, Some(authority)) if authority.host().is_empty() => "it has no host",
            // The library takes every number for a port, and then says that there is none.
            (_, Some(authority))
                if authority.port().is_none()
                    && !authority.as_str().ends_with(authority.host()) =>
            {
                "its port is no port"
            }
            _ => return Ok(Self(uri)),
        };
        Err(reason.to_owned())
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.0
    }

    pub(crate) fn scheme(&self) -> &str {
        self.0.scheme_str().unwrap_or_default()
    }

    pub(crate) fn host(&self) -> Host<'_> {
        let host = self.0.host().unwrap_or_default();
        let inner = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        match inner {
            Some(ip) => ip.parse().map(|ip: Ipv6Addr| Host::Ip(ip.into())),
            None => host.parse().map(Host::Ip),
        }
        .unwrap_or(Host::Name(host))
    }

    /// Whether there is a user name or a password before the host.
    pub(crate) fn has_credentials(&self) -> bool {
        self.authority().contains('@')
    }

    /// The address that has these segments after its path.
    pub(crate) fn below<'a>(
        &self,
        segments: impl IntoIterator<Item = &'a &'a str>,
    ) -> Result<Self, String> {
        let mut path = self.0.path().trim_end_matches('/').to_owned();
        for segment in segments {
            // A browser would take these for steps to another path.
            if ["", ".", ".."].contains(segment) {
                return Err(format!("`{segment}` cannot be a part of a path"));
            }
            path.push('/');
            path.extend(utf8_percent_encode(segment, SEGMENT));
        }
        self.with(&path, self.0.query().unwrap_or_default())
    }

    /// The address with these pairs added to its query.
    pub(crate) fn with_query<'a>(
        &self,
        pairs: impl IntoIterator<Item = (&'a str, &'a (impl AsRef<str> + ?Sized + 'a))>,
    ) -> Result<Self, String> {
        let query = self.0.query().unwrap_or_default().to_owned();
        let query = Serializer::for_suffix(query, 0)
            .extend_pairs(pairs)
            .finish();
        self.with(self.0.path(), &query)
    }

    fn with(&self, path: &str, query: &str) -> Result<Self, String> {
        let mark = if query.is_empty() { "" } else { "?" };
        let text = format!(
            "{}://{}{path}{mark}{query}",
            self.scheme(),
            self.authority()
        );
        Self::parse(&text)
    }

    fn authority(&self) -> &str {
        self.0
            .authority()
            .map_or("", |authority| authority.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn only_an_address_with_a_scheme_and_a_host_is_one() {
        for text in ["https://x.test", "wss://[::1]:1/a?b", "http://10.0.0.1/"] {
            assert_eq!(Address::parse(text).map(drop), Ok(()), "{text}");
        }
        for text in [
            "",
            "nonsense",
            "/path",
            "https://",
            "https:///path",
            "https://a b",
            "https://x.test:99999/",
            "mailto:a@x.test",
            "https://магазин.test",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_is_this_machine_only_under_a_name_or_an_address_of_it() {
        for text in [
            "http://localhost:1",
            "http://LOCALHOST",
            "http://127.9.9.9",
            "http://[::1]:2",
        ] {
            assert!(address(text).host().is_loopback(), "{text}");
        }
        for text in [
            "http://localhost.x.test",
            "http://127.0.0.1.x.test",
            "http://127.1",
            "http://[::2]",
            "http://localhost:1@x.test",
            "http://x.test/localhost",
        ] {
            assert!(!address(text).host().is_loopback(), "{text}");
        }
    }

    #[test]
    fn what_is_added_to_an_address_stays_within_its_part() {
        let base = address("https://x.test:1/api/?key=1");
        let below = base.below(&["a/b?c#d", "e%2F", "\u{e9} +"]).unwrap();
        assert_eq!(
            below.uri().to_string(),
            "https://x.test:1/api/a%2Fb%3Fc%23d/e%252F/%C3%A9%20%2B?key=1"
        );
        let query = base
            .with_query([("q", "a&b=c#d"), ("r", "\u{e9} +")])
            .unwrap();
        assert_eq!(
            query.uri().to_string(),
            "https://x.test:1/api/?key=1&q=a%26b%3Dc%23d&r=%C3%A9+%2B"
        );
        let page = address("https://x.test")
            .with_query([("token", "t")])
            .unwrap();
        assert_eq!(page.uri().to_string(), "https://x.test/?token=t");
    }

    #[test]
    fn a_segment_that_leads_elsewhere_is_refused() {
        for segment in ["", ".", ".."] {
            assert!(address("https://x.test/a").below(&[segment]).is_err());
        }
    }
}
