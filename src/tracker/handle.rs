//! The channels between the game and the background task.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use tokio::sync::{Notify, mpsc};

use crate::machine::input::Input;
use crate::machine::output::Notice;
use crate::tracker::counters::Counters;
use crate::tracker::notices::{self, NoticeReceiver, NoticeSender};
use crate::tracker::services::{Services, Start};
use crate::tracker::waker::EventLoopWaker;

/// The number of notices after which the task is told that there is room for more.
const REFILL: u32 = 512;

/// A command of the game's side to the task.
pub(crate) enum Command {
    Input(Box<Input>),
    /// Answer once everything that was sent before is in the ledger.
    Flush(Sender<()>),
    /// Start work beside the machine.
    Start(Start),
}

/// The game's ends of the channels.
#[derive(Debug)]
pub(crate) struct Handle {
    commands: mpsc::UnboundedSender<Command>,
    notices: NoticeReceiver,
    /// The signal to the task that notices were taken out.
    room: Arc<Notify>,
    /// The number of notices that were taken out.
    taken: u32,
    pub(crate) waker: EventLoopWaker,
    pub(crate) counters: Arc<Counters>,
}

/// The task's ends of the channels.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    pub(crate) notices: NoticeSender,
    pub(crate) room: Arc<Notify>,
    pub(crate) waker: EventLoopWaker,
    pub(crate) counters: Arc<Counters>,
}

/// Makes new channels, and returns both ends.
pub(crate) fn channels() -> (Handle, Ports) {
    let (commands, command_receiver) = mpsc::unbounded_channel();
    let (notice_sender, notices) = notices::channel();
    let handle = Handle {
        commands,
        notices,
        room: Arc::default(),
        taken: 0,
        waker: EventLoopWaker::default(),
        counters: Arc::default(),
    };
    let ports = Ports {
        commands: command_receiver,
        notices: notice_sender,
        room: handle.room.clone(),
        waker: handle.waker.clone(),
        counters: handle.counters.clone(),
    };
    (handle, ports)
}

impl Handle {
    pub(crate) fn send(&self, input: Input) {
        // A task that has ended is reported by `TrackerState::Failed`.
        let _ = self.commands.send(Command::Input(Box::new(input)));
    }

    /// Asks for a signal once everything that was sent before is in the ledger.
    pub(crate) fn flush(&self) -> Receiver<()> {
        let (done, is_done) = crossbeam_channel::bounded(1);
        let _ = self.commands.send(Command::Flush(done));
        is_done
    }

    /// Starts work beside the machine.
    pub(crate) fn start(&self, start: impl FnOnce(Services) + Send + 'static) {
        let _ = self.commands.send(Command::Start(Box::new(start)));
    }

    pub(crate) fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    pub(crate) fn next_notice(&mut self) -> Option<Notice> {
        let notice = self.notices.next()?;
        // The task refills the channel while the frame goes on.
        self.taken = self.taken.wrapping_add(1);
        if self.taken.is_multiple_of(REFILL) {
            self.make_room();
        }
        Some(notice)
    }

    /// Tells the task that notices were taken out.
    pub(crate) fn make_room(&self) {
        self.room.notify_one();
    }
}
