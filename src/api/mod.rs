//! Xsolla's REST API.

pub(crate) mod lenient;
