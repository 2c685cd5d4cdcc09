//! The background task that follows orders.

mod backoff;
mod machine;
mod notice;
mod socket;
mod task;

pub(crate) use notice::Notice;
pub(crate) use task::{Command, Link, run};
