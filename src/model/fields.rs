//! Strict reading of JSON objects: a value of another type is an error, and null reads like a missing value.
//!
//! Fields are passed on as they are read, so each text is read once, and strings are borrowed from it. Nothing here is
//! generic over what is read, for the reason that [`json`](crate::model::json) gives.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::num::TryFromIntError;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::model::json::Name;

/// What takes the fields of an object, or of the objects in a list.
pub(crate) trait Fields<'a> {
    /// Begins the next object of a list.
    fn begin(&mut self) {}

    /// Takes a field. A value that is not read is skipped.
    fn take(&mut self, name: &str, value: &mut dyn Value<'a>) -> Result<(), Mismatch>;
}

/// A value, which can be read once.
pub(crate) trait Value<'a> {
    /// Reads the text of any value but null.
    fn raw(&mut self) -> Result<Option<&'a RawValue>, Mismatch>;

    /// Reads an object. Returns whether there is one.
    fn object(&mut self, into: &mut dyn Fields<'a>) -> Result<bool, Mismatch>;

    /// Reads a list of objects. Returns whether there is one.
    fn list(&mut self, into: &mut dyn Fields<'a>) -> Result<bool, Mismatch>;
}

/// A value is not what it should be.
#[derive(Debug)]
pub(crate) struct Mismatch;

impl From<TryFromIntError> for Mismatch {
    fn from(_: TryFromIntError) -> Self {
        Self
    }
}

impl<'a> dyn Value<'a> + '_ {
    /// Reads a string; null is an empty one.
    pub(crate) fn text(&mut self) -> Result<Cow<'a, str>, Mismatch> {
        let Some(json) = self.raw()?.map(RawValue::get) else {
            return Ok(Cow::default());
        };
        match json
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
        {
            Some(text) if !text.contains('\\') => Ok(Cow::Borrowed(text)),
            _ => serde_json::from_str(json)
                .map(Cow::Owned)
                .map_err(|_| Mismatch),
        }
    }

    /// Reads a whole number; null is 0.
    pub(crate) fn number(&mut self) -> Result<u64, Mismatch> {
        match self.raw()? {
            Some(json) => json.get().parse().map_err(|_| Mismatch),
            None => Ok(0),
        }
    }

    /// Reads a boolean; null is `false`.
    pub(crate) fn boolean(&mut self) -> Result<bool, Mismatch> {
        match self.raw()?.map(RawValue::get) {
            Some("true") => Ok(true),
            Some("false") | None => Ok(false),
            Some(_) => Err(Mismatch),
        }
    }

    /// Reads an object that may be missing.
    pub(crate) fn optional<T: Default + Fields<'a>>(&mut self) -> Result<Option<T>, Mismatch> {
        let mut object = T::default();
        Ok(self.object(&mut object)?.then_some(object))
    }
}

/// Reads an object's fields.
pub(crate) fn read_fields<'a>(
    json: &'a str,
    into: &mut dyn Fields<'a>,
) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let object = Nested {
        into,
        shape: Shape::Object,
    };
    match object.deserialize(&mut reader)? {
        true => reader.end(),
        false => Err(Error::custom("nothing")),
    }
}

/// A value that is to be read.
struct Nested<'r, 'a> {
    into: &'r mut dyn Fields<'a>,
    shape: Shape,
}

#[derive(PartialEq)]
enum Shape {
    Object,
    List,
    /// An object in a list.
    Entry,
}

impl<'a> DeserializeSeed<'a> for Nested<'_, 'a> {
    type Value = bool;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<bool, D::Error> {
        if self.shape == Shape::Entry {
            self.into.begin();
        }
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Nested<'_, 'a> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("something else")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<bool, A::Error> {
        if self.shape == Shape::List {
            return Err(Error::custom("no list"));
        }
        while let Some(Name(name)) = map.next_key()? {
            let mut field = Field {
                map: &mut map,
                is_read: false,
                error: None,
                lifetime: PhantomData,
            };
            let taken = self.into.take(&name, &mut field);
            if let Some(error) = field.error {
                return Err(error);
            }
            let is_read = field.is_read;
            taken.map_err(|_| Error::custom("a mismatch"))?;
            if !is_read {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<bool, A::Error> {
        if self.shape != Shape::List {
            return Err(Error::custom("no object"));
        }
        loop {
            let entry = Nested {
                into: &mut *self.into,
                shape: Shape::Entry,
            };
            match list.next_element_seed(entry)? {
                Some(true) => {}
                Some(false) => return Err(Error::custom("nothing")),
                None => return Ok(true),
            }
        }
    }
}

/// A field whose value has not been read yet.
struct Field<'r, 'a, A: MapAccess<'a>> {
    map: &'r mut A,
    is_read: bool,
    error: Option<A::Error>,
    lifetime: PhantomData<&'a ()>,
}

impl<'a, A: MapAccess<'a>> Field<'_, 'a, A> {
    fn nested(&mut self, into: &mut dyn Fields<'a>, shape: Shape) -> Result<bool, Mismatch> {
        self.is_read = true;
        let nested = self.map.next_value_seed(Nested { into, shape });
        nested.map_err(|error| {
            self.error = Some(error);
            Mismatch
        })
    }
}

impl<'a, A: MapAccess<'a>> Value<'a> for Field<'_, 'a, A> {
    fn raw(&mut self) -> Result<Option<&'a RawValue>, Mismatch> {
        self.is_read = true;
        match self.map.next_value::<&RawValue>() {
            Ok(json) => Ok(Some(json).filter(|json| json.get() != "null")),
            Err(error) => {
                self.error = Some(error);
                Err(Mismatch)
            }
        }
    }

    fn object(&mut self, into: &mut dyn Fields<'a>) -> Result<bool, Mismatch> {
        self.nested(into, Shape::Object)
    }

    fn list(&mut self, into: &mut dyn Fields<'a>) -> Result<bool, Mismatch> {
        self.nested(into, Shape::List)
    }
}
