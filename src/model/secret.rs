//! A text that nobody may see.

use std::fmt;
use std::sync::Arc;

/// A token, or another text that lets whoever has it act for a player or a studio. It is not shown in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Arc<str>);

impl Secret {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Removes the secret from a text that comes from outside, for example from a server that repeats its input. A text
    /// that was cut may contain only the beginning of the secret.
    pub(crate) fn redact(&self, text: String) -> String {
        const SHORTEST: usize = 12;
        let secret = self.text();
        let Some(head) = secret
            .get(..SHORTEST.min(secret.len()))
            .filter(|head| !head.is_empty())
        else {
            return text;
        };
        let mut rest = text.as_str();
        let mut redacted = String::new();
        while let Some((before, after)) = rest.split_once(head) {
            redacted.push_str(before);
            redacted.push_str("[hidden]");
            let tail = secret.strip_prefix(head).unwrap_or_default().chars();
            let known = after.chars().zip(tail).take_while(|(a, b)| a == b);
            let length = known.map(|(a, _)| a.len_utf8()).sum::<usize>();
            rest = after.get(length..).unwrap_or_default();
        }
        redacted.push_str(rest);
        redacted
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}
