//! Takes secrets out of texts that come from outside, before a player pastes them into a ticket.

use std::fmt::Display;

use crate::model::error::cut;
use crate::model::user::XsollaUser;

const HIDDEN: &str = "[hidden]";

/// The longest text that a report repeats, in bytes.
const LENGTH_MAX: usize = 400;

/// Returns a text on one line, without this player's token, and without what looks like another secret: a JWT, a value
/// after `token=`, `secret=` or `Bearer`, all of an address but its host, and an email address.
///
/// The tracker has taken out the token with which it asked. This is for what servers, proxies and systems say besides.
pub(super) fn without_secrets(text: &impl Display, user: Option<&XsollaUser>) -> String {
    let text = text.to_string().replace(char::is_control, " ");
    let text = match user {
        Some(user) => user.redact(text),
        None => text,
    };
    let mut rest = text.as_str();
    let mut clean = String::new();
    let mut is_after_key = false;
    while !rest.is_empty() {
        let (word, after) = split(rest, |c| !is_of_word(c));
        if let Some(address) = after.strip_prefix("://") {
            let (address, after) = split(address, is_end_of_address);
            let (server, path) = split(address, |c| matches!(c, '/' | '?' | '#'));
            // A name and a password may stand before the host.
            let host = server.rsplit('@').next().unwrap_or_default();
            clean.extend([word, "://", host]);
            if path.len() > 1 {
                clean.extend(["/", HIDDEN]);
            }
            rest = after;
            continue;
        }
        clean.push_str(match is_after_key || is_secret(word) {
            true if !word.is_empty() => HIDDEN,
            _ => word,
        });
        let (between, after) = split(after, is_of_word);
        clean.push_str(between);
        let is_value = |between: &str| {
            // As in an address, and as in JSON.
            let is_quoted = between.starts_with('"') && between.ends_with('"');
            between == "=" || is_quoted && between.trim_matches(['"', ' ']) == ":"
        };
        is_after_key = match between {
            _ if is_value(between) => {
                let word = word.to_ascii_lowercase();
                word.ends_with("token") || word.ends_with("secret")
            }
            _ => word.eq_ignore_ascii_case("bearer") && between.trim().is_empty(),
        };
        rest = after;
    }
    cut(&clean, LENGTH_MAX)
}

/// The text before the first such character, and the rest.
fn split(text: &str, is_end: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(is_end).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Whether the character may stand in a token or in an email address.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '~' | '%' | '@')
}

fn is_end_of_address(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | '(' | ')' | ',')
}

fn is_secret(word: &str) -> bool {
    // A JWT begins with the base64 of `{"`.
    word.contains('@') || word.contains("eyJ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_what_support_needs_stays() {
        let user = XsollaUser::new("0123456789abcdef");
        for (text, clean) in [
            (
                "the store answered HTTP 422: [0401-9001] no order (transaction 5e-7_a)",
                "the store answered HTTP 422: [0401-9001] no order (transaction 5e-7_a)",
            ),
            ("bad token: 0123456789abcdef", "bad token: [hidden]"),
            ("cut: 0123456789ab", "cut: [hidden]"),
            ("not eyJhbGciOiJI.eyJzdWIi.c2ln, no", "not [hidden], no"),
            ("Bearer abc.def", "Bearer [hidden]"),
            (
                "token=abc&access_token=def",
                "token=[hidden]&access_token=[hidden]",
            ),
            (
                r#"client_secret=x&a=b {"refresh_token":"y", "code": "z"}"#,
                r#"client_secret=[hidden]&a=b {"refresh_token":"[hidden]", "code": "z"}"#,
            ),
            ("the token: refused", "the token: refused"),
            (
                "no user Alice <a.b+c@example.com>",
                "no user Alice <[hidden]>",
            ),
            (
                "see (https://secure.xsolla.com/paystation4/?token=abc) now",
                "see (https://secure.xsolla.com/[hidden]) now",
            ),
            ("wss://name:word@x.test:1/a", "wss://x.test:1/[hidden]"),
            ("https://x.test/", "https://x.test"),
            ("two\nlines\u{1b}[1m", "two lines [1m"),
            ("", ""),
            ("://", "://"),
            ("C:\\Games\\orders.redb", "C:\\Games\\orders.redb"),
        ] {
            assert_eq!(without_secrets(&text, Some(&user)), clean);
        }
    }

    #[test]
    fn no_text_is_long_or_breaks_off_within_a_character() {
        assert_eq!(
            without_secrets(&"\u{e9}".repeat(999), None).len(),
            LENGTH_MAX
        );
    }

    #[test]
    fn a_text_of_any_shape_comes_to_an_end() {
        let pieces = [
            "a", "=", "token", "://", "@", " ", "Bearer", "\u{e9}", "?", "eyJ", "\n",
        ];
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..5_000 {
            let count = random.usize(..20);
            let text: String = (0..count).filter_map(|_| random.choice(pieces)).collect();
            without_secrets(&text, None);
        }
    }
}
