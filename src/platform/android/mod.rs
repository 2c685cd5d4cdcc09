//! What an Android app gets in other ways than a program on a desktop.

pub(crate) mod certificates;
pub(crate) mod folder;
