//! Xsolla's JSON, read leniently and written as documented.

pub(crate) mod lenient;
pub(crate) mod order;
pub(crate) mod store;
