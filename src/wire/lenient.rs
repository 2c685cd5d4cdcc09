//! Lenient deserialization, for servers that write booleans as strings and numbers as either.
//!
//! No order may be lost to a field that is not needed, so a value of another shape is read as `None` and not as an
//! error.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON scalar as its text: `"30"`, `30` and `true` are `30`, `30` and `true`. Only strings keep their decimal
/// digits as written; a JSON number is read as the shortest text of its value.
struct Scalar(Option<String>);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;

        impl<'de> Visitor<'de> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_bool<E>(self, v: bool) -> Result<Scalar, E> {
                Ok(Scalar(Some(v.to_string())))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Scalar, E> {
                Ok(Scalar(Some(v.to_string())))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Scalar, E> {
                Ok(Scalar(Some(v.to_string())))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Scalar, E> {
                Ok(Scalar(Some(v.to_string())))
            }
            fn visit_str<E>(self, v: &str) -> Result<Scalar, E> {
                Ok(Scalar(Some(v.to_owned())))
            }
            fn visit_string<E>(self, v: String) -> Result<Scalar, E> {
                Ok(Scalar(Some(v)))
            }
            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar(None))
            }
        }

        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// Reads `"x"`, or a number or a boolean as its text.
pub(super) fn text<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    Ok(Scalar::deserialize(d)?.0)
}

/// Reads `7`, `"7"`, `7.0` or `7e0`: any number or text that is a whole number.
pub(super) fn unsigned<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u64>, D::Error> {
    Ok(Scalar::deserialize(d)?.0.and_then(|text| whole(&text)))
}

/// Returns the whole number that a text stands for, if it is one.
pub(super) fn whole(text: &str) -> Option<u64> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let number = read_decimal(text)?;
        number.is_integer().then(|| number.to_u64())?
    })
}

fn read_decimal(text: &str) -> Option<Decimal> {
    // The library takes underscores between digits, as in Rust's sources.
    if text.contains('_') {
        return None;
    }
    Decimal::from_str(text)
        .or_else(|_| Decimal::from_scientific(text))
        .ok()
}

/// Reads `true` or `"true"`, and also `1` and `"1"`.
pub(super) fn boolean<'de, D: Deserializer<'de>>(d: D) -> Result<Option<bool>, D::Error> {
    let Scalar(text) = Scalar::deserialize(d)?;
    Ok(text.and_then(|text| match text.trim() {
        "true" | "True" | "1" => Some(true),
        "false" | "False" | "0" => Some(false),
        _ => None,
    }))
}

/// Reads `"30.00"` or `30`. Xsolla writes money as a string. A JSON number is read through its shortest text, so
/// that no binary rounding shows.
pub(super) fn decimal<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Decimal>, D::Error> {
    let Scalar(text) = Scalar::deserialize(d)?;
    Ok(text.and_then(|text| read_decimal(text.trim())))
}

/// Reads a value if it has the requested shape, and `None` otherwise.
pub(super) fn or_none<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: serde::de::DeserializeOwned,
    D: Deserializer<'de>,
{
    // A raw value is used, because a number that is too large for any type is an error to every other type.
    let raw = Option::<Box<RawValue>>::deserialize(deserializer)?;
    Ok(raw.and_then(|raw| serde_json::from_str(raw.get()).ok()))
}

/// Reads a JSON object. Serde alone would also accept a list of a struct's fields.
pub(super) fn object<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, String> {
    // Some servers put a byte-order mark before the text.
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err("it is no object".to_owned());
    }
    // The error has only its kind and place, because the text may contain anything.
    serde_json::from_slice(json)
        .map_err(|error| format!("{:?} error in column {}", error.classify(), error.column()))
}
