//! Lenient reading of JSON, for servers that write booleans as strings and numbers as either.
//!
//! No order may be lost to a field that is not needed, so a value of another shape is read like a missing one. Nothing
//! here is generic over what is read: deserializers that are derived for each type are ten times the code, which a game
//! in a browser has to load.

use std::borrow::Cow;
use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An object, whose values are read when they are asked for.
#[derive(Debug, Default)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// Writes a text as a string of JSON.
pub(crate) fn quote(text: &str) -> String {
    // Strings always serialize.
    serde_json::to_string(text).unwrap_or_default()
}

/// An object that is written field by field, because a tree of values is more code than a game in a browser should load.
#[derive(Debug, Default)]
pub(crate) struct ObjectText(String);

impl ObjectText {
    /// Adds a field with this JSON, if there is one.
    pub(crate) fn add(&mut self, name: &str, json: Option<&str>) {
        let Some(json) = json else {
            return;
        };
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&quote(name));
        self.0.push(':');
        self.0.push_str(json);
    }

    /// Adds a field with this text, if there is one.
    pub(crate) fn add_text(&mut self, name: &str, text: Option<&str>) {
        self.add(name, text.map(quote).as_deref());
    }

    /// The object; `None` if it has no field.
    pub(crate) fn finish(self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0 + "}")
    }
}

/// The name of a field.
pub(crate) struct Name<'a>(pub(crate) Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

impl<'a> Object<'a> {
    /// Reads an object. The error has only its kind and place, because the text may contain anything.
    pub(crate) fn read(json: &'a [u8]) -> Result<Self, String> {
        let json = str::from_utf8(json).map_err(|_| "it is no UTF-8".to_owned())?;
        // Some servers put a byte-order mark before the text.
        let json = json.trim_start_matches('\u{feff}');
        serde_json::from_str(json)
            .map_err(|error| format!("{:?} error in column {}", error.classify(), error.column()))
    }

    /// The value's text, unless it is missing or null.
    fn get(&self, name: &str) -> Option<&'a str> {
        // The last of several is the one that counts, as in JavaScript.
        let mut fields = self.0.iter().rev();
        let (_, value) = fields.find(|(field, _)| field == name)?;
        Some(value.get()).filter(|value| *value != "null")
    }

    /// Whether there is no such value, or null.
    pub(crate) fn is_missing(&self, name: &str) -> bool {
        self.get(name).is_none()
    }

    /// Reads a scalar as its text: `"30"`, `30` and `true` are `30`, `30` and `true`.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        scalar(self.get(name)?).map(Cow::into_owned)
    }

    /// Reads `7`, `"7"`, `7.0` or `7e0`: any number or text that is a whole number.
    pub(crate) fn unsigned(&self, name: &str) -> Option<u64> {
        match self.whole(name) {
            WholeNumber::Is(number) => Some(number),
            WholeNumber::Missing | WholeNumber::Unreadable => None,
        }
    }

    /// Reads a whole number, and tells one that cannot be read from a missing one.
    pub(crate) fn whole(&self, name: &str) -> WholeNumber {
        let Some(json) = self.get(name) else {
            return WholeNumber::Missing;
        };
        let number = scalar(json).and_then(|text| whole(&text));
        number.map_or(WholeNumber::Unreadable, WholeNumber::Is)
    }

    /// Reads `true` or `"true"`, and also `1` and `"1"`.
    pub(crate) fn boolean(&self, name: &str) -> Option<bool> {
        match scalar(self.get(name)?)?.trim() {
            "true" | "True" | "1" => Some(true),
            "false" | "False" | "0" => Some(false),
            _ => None,
        }
    }

    /// Reads `"30.00"` or `30`, with the digits as they are written.
    pub(crate) fn decimal(&self, name: &str) -> Option<Decimal> {
        read_decimal(scalar(self.get(name)?)?.trim())
    }

    pub(crate) fn object(&self, name: &str) -> Option<Object<'a>> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// Reads a list. What is in it but is no object is `None`.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<Option<Object<'a>>>> {
        let list: Vec<&RawValue> = serde_json::from_str(self.get(name)?).ok()?;
        let entries = list.into_iter();
        Some(
            entries
                .map(|entry| serde_json::from_str(entry.get()).ok())
                .collect(),
        )
    }
}

/// A number that something depends on, so an unreadable number is told apart from a missing one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WholeNumber {
    Missing,
    Is(u64),
    Unreadable,
}

/// The text of a string, a number or a boolean; `None` for a list or an object.
fn scalar(json: &str) -> Option<Cow<'_, str>> {
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str::<String>(json).ok().map(Cow::Owned),
        b'[' | b'{' => None,
        _ => Some(Cow::Borrowed(json)),
    }
}

/// The digits of a decimal that are kept.
const MAX_DIGITS: usize = 28;

/// Returns the whole number that a text stands for, if it is one.
fn whole(text: &str) -> Option<u64> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        // A longer text may have been rounded to a whole number.
        let number = read_decimal(text).filter(|_| text.len() <= MAX_DIGITS)?;
        number.is_integer().then(|| number.to_u64())?
    })
}

/// The largest mantissa of a decimal, and its most digits behind the point.
const MANTISSA: i128 = (1 << 96) - 1;
const SCALE: i32 = 28;

/// Reads a number as JSON has it. Digits behind the point that do not fit are dropped. The library's own reading is several
/// times the code, which a game in a browser would load.
fn read_decimal(text: &str) -> Option<Decimal> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let unsigned = number.strip_prefix(['-', '+']).unwrap_or(number);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let append = |mantissa: i128, digit: u8| {
        let digit = char::from(digit).to_digit(10)?;
        Some(mantissa * 10 + i128::from(digit)).filter(|mantissa| *mantissa <= MANTISSA)
    };
    let mut mantissa = 0;
    for digit in whole.bytes() {
        mantissa = append(mantissa, digit)?;
    }
    let mut scale = 0;
    for digit in fraction.bytes() {
        match append(mantissa, digit).filter(|_| scale < SCALE) {
            Some(longer) => mantissa = longer,
            None if fraction.bytes().all(|digit| digit.is_ascii_digit()) => break,
            None => return None,
        }
        scale += 1;
    }
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut scale = i32::checked_sub(scale, exponent)?;
    while mantissa != 0 && scale < 0 {
        mantissa = append(mantissa, b'0')?;
        scale += 1;
    }
    if mantissa == 0 {
        scale = scale.clamp(0, SCALE);
    }
    if number.starts_with('-') {
        mantissa = -mantissa;
    }
    Decimal::try_from_i128_with_scale(mantissa, u32::try_from(scale).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_the_library_reads_it() {
        for text in [
            "0",
            "-0",
            "30",
            "30.00",
            "-1.5",
            "+7",
            ".5",
            "5.",
            "1e3",
            "1E-3",
            "12.49e+1",
            "1e28",
            "1e-28",
            "79228162514264337593543950335",
            "0.0000000000000000000000000001",
            "1.0000000000000000000000000000",
        ] {
            let library = text
                .parse::<Decimal>()
                .or_else(|_| Decimal::from_scientific(text));
            assert_eq!(read_decimal(text), library.ok(), "{text}");
        }
        // The digits stay as they are written, for whoever shows them.
        for text in ["30.00", "12.490", "0.10"] {
            assert_eq!(read_decimal(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            ".",
            "-",
            "e5",
            "1e",
            "1_0",
            "0x10",
            "1.2.3",
            "1,5",
            "--1",
            "1e-40",
            "1e99",
            "1e99999999999",
            "79228162514264337593543950336",
            "NaN",
            "1 0",
            "1.5e-28",
            "1.000000000000000000000000000000x",
        ] {
            assert_eq!(read_decimal(text), None, "{text}");
        }
        let long = read_decimal("0.12345678901234567890123456789999999");
        assert_eq!(long.unwrap().to_string(), "0.1234567890123456789012345678");
    }
}
