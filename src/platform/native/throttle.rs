//! Bounds the work that a server can cause by what it sends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A connection may use one of so many parts of a core's time in the long run.
const PARTS: u32 = 6;
/// The time that a connection may use at once, which is enough for a burst of many thousand publications.
const BURST: Duration = Duration::from_secs(1);
/// How long a connection that has used up its time is not read at least, so that it is not woken for each byte.
const PAUSE: Duration = Duration::from_millis(100);
/// The time that counts at most for what was read at once. A process that was stopped in the meantime did not use
/// the time of its stop.
const USE_MAX: Duration = Duration::from_millis(20);
/// The time after which the task gives way to other tasks, and to the end of the game.
const TURN: Duration = Duration::from_millis(1);
/// The number of bytes that are read at once. Little enough is done with them before the next read for the other
/// limits to hold, whatever the bytes are.
const READ_MAX: usize = 1024;

/// A connection that is read more slowly once its data has taken up too much time. What is not read waits at the
/// sender.
///
/// The time from one read to the next is the time that was needed for what was read, whether it was one large
/// message, thousands of small ones, or parts of a message that never ends. So no kind of data needs a limit of its
/// own.
#[derive(Debug)]
pub(super) struct Throttled<S> {
    stream: S,
    meter: Meter,
    /// The pause during which nothing is read.
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S> Throttled<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            meter: Meter::new(Instant::now()),
            pause: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Throttled<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.meter.before_read(Instant::now()) {
            Advice::Read => {}
            Advice::GiveWay => {
                // A task that wakes itself goes to the end of the queue. (Tokio's `yield_now` lets it go first on
                // our runtime, which looks for events after each step.)
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Advice::Pause(end) => this.pause = Some(Box::pin(sleep_until(end))),
        }
        if let Some(pause) = &mut this.pause {
            ready!(pause.as_mut().poll(context));
            this.pause = None;
        }
        let size = buffer.remaining().min(READ_MAX);
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(size));
        match Pin::new(&mut this.stream).poll_read(context, &mut part) {
            Poll::Ready(result) => {
                let read = part.filled().len();
                buffer.advance(read);
                this.meter.after_read(Instant::now());
                Poll::Ready(result)
            }
            Poll::Pending => {
                this.meter.at_wait();
                Poll::Pending
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Throttled<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Advice {
    Read,
    GiveWay,
    Pause(Instant),
}

/// Measures the time that a connection uses.
#[derive(Debug)]
struct Meter {
    /// When something was read that is being worked on.
    read_at: Option<Instant>,
    /// The time that was used since the task gave way or waited.
    turn: Duration,
    /// When everything that was used will be earned again, one of [`PARTS`] at a time.
    earned_at: Instant,
}

impl Meter {
    fn new(now: Instant) -> Self {
        Self {
            read_at: None,
            turn: Duration::ZERO,
            earned_at: now,
        }
    }

    fn after_read(&mut self, now: Instant) {
        self.read_at = Some(now);
    }

    /// Nothing is there to be read, so the others have their turn.
    fn at_wait(&mut self) {
        self.turn = Duration::ZERO;
    }

    fn before_read(&mut self, now: Instant) -> Advice {
        let Some(read_at) = self.read_at.take() else {
            return Advice::Read;
        };
        let used = now.duration_since(read_at).min(USE_MAX);
        self.turn += used;
        self.earned_at = self.earned_at.max(read_at) + used * PARTS;
        if self.earned_at > now + BURST * PARTS {
            self.turn = Duration::ZERO;
            return Advice::Pause(self.earned_at + PAUSE - BURST * PARTS);
        }
        if self.turn >= TURN {
            self.turn = Duration::ZERO;
            return Advice::GiveWay;
        }
        Advice::Read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads for this long without a wait, and works on each read. Returns the time of all the work, and the longest
    /// time without a pause or a turn of others.
    fn read_for(time: Duration, work: Duration) -> (Duration, Duration) {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let (mut now, mut worked, mut turn, mut longest) =
            (start, Duration::ZERO, Duration::ZERO, Duration::ZERO);
        while now < start + time {
            match meter.before_read(now) {
                Advice::Read => {}
                Advice::GiveWay => turn = Duration::ZERO,
                Advice::Pause(end) => {
                    assert!(end >= now + PAUSE);
                    now = end;
                    turn = Duration::ZERO;
                }
            }
            meter.after_read(now);
            now += work;
            worked += work;
            turn += work;
            longest = longest.max(turn);
        }
        (worked, longest)
    }

    #[test]
    fn what_comes_without_end_takes_up_its_share_and_a_burst() {
        for work in [50, 700, 15_000].map(Duration::from_micros) {
            let time = Duration::from_secs(60);
            let (worked, longest) = read_for(time, work);
            let most = time / PARTS + BURST * 2;
            assert!(worked < most, "{worked:?} of {work:?} each");
            assert!(worked > time / PARTS / 2, "{worked:?} of {work:?} each");
            assert!(longest <= TURN + work, "{longest:?} of {work:?} each");
        }
    }

    #[test]
    fn what_comes_now_and_then_is_never_held_up() {
        let (work, wait) = (Duration::from_millis(10), Duration::from_millis(100));
        let mut meter = Meter::new(Instant::now());
        let mut now = Instant::now();
        for _ in 0..10_000 {
            assert!(!matches!(meter.before_read(now), Advice::Pause(_)));
            meter.at_wait();
            now += wait;
            meter.after_read(now);
            now += work;
        }
    }

    #[test]
    fn a_process_that_was_stopped_while_it_worked_reads_on_at_once() {
        let mut meter = Meter::new(Instant::now());
        let now = Instant::now();
        meter.after_read(now);
        let later = now + Duration::from_secs(3600);
        assert!(!matches!(meter.before_read(later), Advice::Pause(_)));
    }
}
