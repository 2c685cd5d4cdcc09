//! The check of the origin of the page from which a browser sends a request.

use hyper::Request;
use hyper::header;

use crate::emulator::world::shared::Shared;

/// Whether pages of the request's origin may reach the servers. What is not sent by a page has no origin, and passes.
pub(crate) fn is_allowed<B>(request: &Request<B>, shared: &Shared) -> bool {
    let Some(origin) = request.headers().get(header::ORIGIN) else {
        return true;
    };
    let state = shared.lock();
    let Some(allowed) = &state.faults().allowed_origins else {
        return true;
    };
    let mut allowed = allowed.iter();
    allowed.any(|allowed| allowed.as_bytes().eq_ignore_ascii_case(origin.as_bytes()))
}
