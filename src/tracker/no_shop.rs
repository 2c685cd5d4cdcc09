//! In place of the store's requests, where the feature `store` is off.

/// Nothing was asked.
pub(super) enum StoreAnswer {}
