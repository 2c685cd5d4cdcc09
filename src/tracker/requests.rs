//! Get Order requests: a few under way, the rest in a queue.

use std::collections::{HashMap, VecDeque};

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use crate::model::error::RequestError;
use crate::model::order::OrderId;
use crate::model::user::UserId;
use crate::wire::order::OrderReport;

/// How many requests are under way at a time.
const MAX_UNDER_WAY: usize = 32;

pub(super) type Answer = Result<OrderReport, RequestError>;
pub(super) type Ended = Result<(Id, Answer), JoinError>;

#[derive(Debug, PartialEq)]
pub(super) struct Request {
    pub(super) user: UserId,
    pub(super) order_id: OrderId,
    pub(super) number: u64,
}

#[derive(Default)]
pub(super) struct Requests {
    /// A task for each request that waits would take a hundred times the memory.
    queue: VecDeque<Request>,
    under_way: HashMap<Id, (Request, AbortHandle)>,
    tasks: JoinSet<Answer>,
}

impl Requests {
    pub(super) fn want(&mut self, request: Request) {
        self.queue.push_back(request);
    }

    /// The next one to be sent, if there may be another under way.
    pub(super) fn next_to_send(&mut self) -> Option<Request> {
        if self.under_way.len() >= MAX_UNDER_WAY {
            return None;
        }
        let next = self.queue.pop_front();
        if next.is_none() {
            // What a burst took is given back.
            self.queue = VecDeque::new();
        }
        next
    }

    pub(super) fn send(
        &mut self,
        request: Request,
        work: impl Future<Output = Answer> + Send + 'static,
    ) {
        let handle = self.tasks.spawn(work);
        self.under_way.insert(handle.id(), (request, handle));
    }

    /// Waits for the end of a request; `None` where none is under way.
    pub(super) async fn next(&mut self) -> Option<Ended> {
        self.tasks.join_next_with_id().await
    }

    /// Which request has ended, and how; `None` for one that was aborted.
    pub(super) fn take(&mut self, ended: Ended) -> Option<(Request, Answer)> {
        let (id, answer) = match ended {
            Ok(ended) => ended,
            // Nobody waits for what was aborted: it is not under way any more.
            Err(error) => {
                let failure = RequestError::Network("the request broke off".to_owned());
                (error.id(), Err(failure))
            }
        };
        let (request, _) = self.under_way.remove(&id)?;
        Some((request, answer))
    }

    /// Ends a user's requests, or everybody's. The machine does not wait for their answers.
    pub(super) fn abort(&mut self, user: Option<&UserId>) {
        let is_kept = |request: &Request| user.is_some_and(|user| *user != request.user);
        self.queue.retain(is_kept);
        self.under_way.retain(|_, (request, handle)| {
            let is_kept = is_kept(request);
            if !is_kept {
                handle.abort();
            }
            is_kept
        });
    }
}
