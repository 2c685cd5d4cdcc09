//! The body of a webhook on its way, which may be slow or break off.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame};
use tokio::time::{Instant, Sleep, sleep};

/// The number of pieces in which a slow body is sent.
const PIECES: u32 = 16;

pub(super) struct SentBody {
    pieces: VecDeque<Bytes>,
    /// The pause before each piece, if there is one.
    pause: Option<(Duration, Pin<Box<Sleep>>)>,
    end: End,
}

enum End {
    Whole,
    /// The connection is to be cut.
    Cut,
    /// The connection is to be cut as soon as what was written is on its way.
    CutNext,
}

impl SentBody {
    pub(super) fn new(body: &str, slowness: Duration, is_cut: bool) -> Self {
        let mut body = Bytes::copy_from_slice(body.as_bytes());
        if is_cut {
            body.truncate(body.len() / 2);
        }
        let (pieces, pause) = if slowness.is_zero() {
            (1, None)
        } else {
            let pause = slowness / PIECES;
            (PIECES, Some((pause, Box::pin(sleep(pause)))))
        };
        let size = body.len().div_ceil(pieces as usize).max(1);
        let mut split = VecDeque::new();
        while !body.is_empty() {
            split.push_back(body.split_to(size.min(body.len())));
        }
        Self {
            pieces: split,
            pause,
            end: if is_cut { End::Cut } else { End::Whole },
        }
    }
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.pieces.is_empty() {
            return match self.end {
                End::Whole => Poll::Ready(None),
                End::Cut => {
                    self.end = End::CutNext;
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                End::CutNext => Poll::Ready(Some(Err(io::Error::other("it is cut on purpose")))),
            };
        }
        if let Some((pause, timer)) = &mut self.pause {
            ready!(timer.as_mut().poll(context));
            timer.as_mut().reset(Instant::now() + *pause);
        }
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}
