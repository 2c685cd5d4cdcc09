//! What work beside the machine brings to the world.

use bevy::prelude::*;
use bevy::tasks::ConditionalSendFuture;
use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::game::plugin::{XsollaOrderPlugin, XsollaOrderSystems};
use crate::game::tracking::Tracking;
use crate::platform::runtime;
use crate::tracker::handle::Handle;
use crate::tracker::services::Services;
use crate::tracker::waker::EventLoopWaker;

type Answer = Box<dyn FnOnce(&mut World) + Send>;

/// The answers that wait for the next frame.
#[derive(Resource)]
pub(super) struct Answers {
    sender: Sender<Answer>,
    receiver: Receiver<Answer>,
}

/// Adds the system that takes answers, for a plugin that [starts](Answers::start) work.
pub(super) fn add_answers(app: &mut App) {
    // A unit test has another plugin in its place.
    if !app.world().contains_resource::<Tracking>() {
        app.add_plugins(XsollaOrderPlugin);
    }
    if app.world().contains_resource::<Answers>() {
        return;
    }
    let (sender, receiver) = unbounded();
    app.insert_resource(Answers { sender, receiver })
        .add_systems(
            PreUpdate,
            take_answers
                .run_if(|answers: Res<Answers>| !answers.receiver.is_empty())
                .ambiguous_with_all()
                .in_set(XsollaOrderSystems),
        );
}

impl Answers {
    /// Starts work on the background task, and has `take` put what came of it into the world in a later frame. It is
    /// given `None` if the task has ended before the work.
    pub(super) fn start<F, T>(
        &self,
        handle: &Handle,
        work: impl FnOnce(Services) -> F + Send + 'static,
        take: impl FnOnce(&mut World, Option<T>) + Send + 'static,
    ) where
        F: ConditionalSendFuture<Output = T> + 'static,
        T: Send + 'static,
    {
        let reply = Reply {
            take: Some(Box::new(take)),
            answers: self.sender.clone(),
            waker: handle.waker.clone(),
        };
        handle.start(move |services| {
            let work = work(services);
            runtime::spawn(async move {
                let result = work.await;
                reply.send(result);
            });
        });
    }
}

type Take<T> = Box<dyn FnOnce(&mut World, Option<T>) + Send>;

/// What is told once: the result, or at the drop that there is none.
struct Reply<T: Send + 'static> {
    take: Option<Take<T>>,
    answers: Sender<Answer>,
    waker: EventLoopWaker,
}

impl<T: Send + 'static> Reply<T> {
    fn send(mut self, result: T) {
        self.tell(Some(result));
    }

    fn tell(&mut self, result: Option<T>) {
        if let Some(take) = self.take.take() {
            // The game may be ending.
            let _ = self
                .answers
                .send(Box::new(move |world| take(world, result)));
            self.waker.wake();
        }
    }
}

impl<T: Send + 'static> Drop for Reply<T> {
    fn drop(&mut self) {
        self.tell(None);
    }
}

fn take_answers(world: &mut World) {
    let answers: Vec<Answer> = world.resource::<Answers>().receiver.try_iter().collect();
    for answer in answers {
        answer(world);
    }
}
