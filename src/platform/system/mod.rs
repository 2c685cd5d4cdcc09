//! What programs get from the system on desktops and on iOS.

pub(crate) mod certificates;
pub(crate) mod folder;
