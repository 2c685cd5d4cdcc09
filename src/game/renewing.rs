//! Asks the provider of tokens when one is needed, and logs the player in.

use bevy::prelude::*;

use crate::game::answers::Answers;
use crate::game::commands::{buy, not_logged_in, with_tracking};
use crate::game::deliver::send;
use crate::game::secrets::without_secrets;
use crate::game::settings::expires_in;
use crate::game::token_provider::{Provided, TokenProvider};
use crate::game::tracking::Tracking;
use crate::machine::renewal::{Outcome, Renewal, Step, Ticket};
use crate::model::message::AuthorizationRequired;
use crate::model::renewal::{LoginRequired, TokenFailure, TokenReason, TokenRequest};
use crate::model::user::XsollaUser;
use crate::platform::browser;
use crate::platform::clock::Stopwatch;
use crate::platform::runtime::sleep;
use crate::tracker::services::Services;

#[derive(Resource)]
pub(super) struct Renewing {
    renewal: Renewal,
    clock: Stopwatch,
    /// The player and the provider that were last seen.
    user: Option<XsollaUser>,
    provider: Option<TokenProvider>,
    /// The number of times that the game has changed one of them. What was begun before the last change is outdated.
    turn: u64,
    /// The number of purchases that were last seen to wait.
    held: usize,
    /// What the task has told since the system ran.
    required: Option<AuthorizationRequired>,
    /// Whether the game has asked since the system ran.
    pub(super) is_asked: bool,
    /// The reason that a token is needed.
    reason: TokenReason,
    /// Whether the background task has ended, so that nothing can be asked for.
    has_ended: bool,
}

impl Renewing {
    pub(super) fn new() -> Self {
        Self {
            renewal: Renewal::new(fastrand::u64(..)),
            clock: Stopwatch::new(),
            user: None,
            provider: None,
            turn: 0,
            held: 0,
            required: None,
            is_asked: false,
            reason: TokenReason::Absent,
            has_ended: false,
        }
    }

    /// Takes note of what the game has changed.
    fn look(&mut self, user: Option<&XsollaUser>, provider: Option<&TokenProvider>) {
        if user != self.user.as_ref() {
            self.turn += 1;
            match (user, &self.user) {
                (Some(new), Some(old)) if new.id() == old.id() => self.renewal.settle(),
                _ => self.renewal.begin_anew(),
            }
            self.user = user.cloned();
        }
        let is_same = match (provider, &self.provider) {
            (Some(new), Some(old)) => new.is_same(old),
            (new, old) => new.is_none() && old.is_none(),
        };
        if !is_same {
            self.turn += 1;
            self.renewal.change_provider();
            self.provider = provider.cloned();
        }
    }

    /// Checks a token that was provided. The error says what is wrong with it.
    fn check(&self, mut user: XsollaUser) -> Result<XsollaUser, TokenFailure> {
        let Some(old) = &self.user else {
            return Ok(user);
        };
        if user.id() != old.id() {
            return Err(TokenFailure::new(format_args!(
                "the token is of {}, and not of {}, for whom it was asked; tokens without a `sub` claim need the \
                 player's external id",
                user.id(),
                old.id()
            )));
        }
        if let (None, Some(id)) = (user.external_id(), old.external_id()) {
            user = user.with_external_id(id);
        }
        match user == *old {
            true => Err(TokenFailure::new("it is the old token")),
            false => Ok(user),
        }
    }
}

/// Notes that a player needs another token.
pub(super) fn note_required(required: On<AuthorizationRequired>, mut renewing: ResMut<Renewing>) {
    renewing.required = Some(required.clone());
}

/// Whether anything has happened.
pub(super) fn is_due(
    renewing: Res<Renewing>,
    tracking: Res<Tracking>,
    user: Option<Res<XsollaUser>>,
    provider: Option<Res<TokenProvider>>,
) -> bool {
    let has_user_changed = match &user {
        Some(user) => user.is_changed() || renewing.user.is_none(),
        None => renewing.user.is_some(),
    };
    let has_provider_changed = match &provider {
        Some(provider) => provider.is_changed() || renewing.provider.is_none(),
        None => renewing.provider.is_some(),
    };
    let needs_player = user.is_none() && tracking.settings.waits_for_user;
    let is_news = renewing.is_asked
        || renewing.required.is_some()
        || has_user_changed
        || has_provider_changed
        || tracking.held.as_ref().map_or(0, Vec::len) != renewing.held
        || needs_player && !renewing.renewal.is_wanted() && !renewing.renewal.needs_login();
    is_news && !renewing.has_ended
}

/// Finds out whether a token is needed, and asks for it.
pub(super) fn renew(world: &mut World) {
    look(world);
    let waits = world.resource::<Tracking>().settings.waits_for_user;
    let has_held = has_held(world);
    let mut renewing = world.resource_mut::<Renewing>();
    let renewing = &mut *renewing;
    let now = renewing.clock.elapsed();
    let required = renewing.required.take();
    let is_asked = std::mem::take(&mut renewing.is_asked);
    if is_asked && (renewing.user.is_none() || renewing.renewal.needs_login()) {
        renewing.renewal.restart(now);
    }
    match &renewing.user {
        Some(user) => {
            if let Some(required) = required.filter(|required| required.user == *user.id()) {
                match required.error.is_refusal() {
                    true => renewing.renewal.refused(now),
                    false => renewing.renewal.ending(now),
                }
                renewing.reason = TokenReason::Required(required.error);
            }
        }
        None => {
            renewing.reason = TokenReason::Absent;
            if waits || has_held {
                renewing.renewal.absent();
            }
            if has_held {
                renewing.renewal.hurry(now);
            }
        }
    }
    let is_in_vain = renewing.renewal.needs_login() || renewing.provider.is_none();
    if renewing.user.is_some() || is_in_vain {
        answer_held(world);
    }
    proceed(world);
}

fn look(world: &mut World) {
    let user = world.get_resource::<XsollaUser>().cloned();
    let provider = world.get_resource::<TokenProvider>().cloned();
    let mut renewing = world.resource_mut::<Renewing>();
    renewing.look(user.as_ref(), provider.as_ref());
}

fn has_held(world: &World) -> bool {
    let held = &world.resource::<Tracking>().held;
    held.as_ref().is_some_and(|held| !held.is_empty())
}

/// Has the purchases that waited go on, or fail if nobody is logged in.
fn answer_held(world: &mut World) {
    let is_logged_in = world.contains_resource::<XsollaUser>();
    let held = &mut world.resource_mut::<Tracking>().held;
    let held = held.as_mut().map(std::mem::take).unwrap_or_default();
    for (id, purchase) in held {
        if is_logged_in {
            buy(world, id, None, purchase);
            continue;
        }
        browser::release_tab(id);
        let mut tracking = world.resource_mut::<Tracking>();
        tracking.fence.release(not_logged_in(id, purchase));
        tracking.handle.waker.wake();
    }
}

/// Does what is to be done now.
fn proceed(world: &mut World) {
    let held = world.resource::<Tracking>().held.as_ref();
    let held = held.map_or(0, Vec::len);
    let mut renewing = world.resource_mut::<Renewing>();
    renewing.held = held;
    let now = renewing.clock.elapsed();
    let Some(provider) = renewing.provider.clone() else {
        return;
    };
    let Some(step) = renewing.renewal.next(now) else {
        return;
    };
    let turn = renewing.turn;
    let request = TokenRequest {
        user: renewing.user.as_ref().map(|user| user.id().clone()),
        reason: renewing.reason.clone(),
    };
    let (answers, tracking) = (world.resource::<Answers>(), world.resource::<Tracking>());
    match step {
        Step::Wait(ticket, time) => answers.start(
            &tracking.handle,
            move |_| sleep(time),
            move |world, over| take_wait(world, ticket, over),
        ),
        Step::Call(ticket) => answers.start(
            &tracking.handle,
            {
                let provider = provider.clone();
                move |services| async move { ask(&provider, request, services).await }
            },
            move |world, provided| take_provided(world, ticket, turn, &provider, provided),
        ),
    }
}

async fn ask(provider: &TokenProvider, request: TokenRequest, services: Services) -> Provided {
    let limit = provider.limit();
    tokio::select! {
        biased;
        provided = provider.ask(request, services) => provided,
        () = sleep(limit) => Provided::from(Err(TokenFailure::new(format_args!(
            "it took longer than {} s",
            limit.as_secs_f32()
        )))),
    }
}

fn take_wait(world: &mut World, ticket: Ticket, over: Option<()>) {
    let mut renewing = world.resource_mut::<Renewing>();
    match over {
        Some(()) => renewing.renewal.waited(ticket),
        None => return task_has_ended(world),
    }
    look(world);
    proceed(world);
}

/// Takes what came of a call. There is nothing if the provider has panicked, or the background task has ended.
fn take_provided(
    world: &mut World,
    ticket: Ticket,
    turn: u64,
    provider: &TokenProvider,
    provided: Option<Provided>,
) {
    let tracking = world.resource::<Tracking>();
    if provided.is_none() && (tracking.has_died() || !tracking.has_task()) {
        return task_has_ended(world);
    }
    let provided = provided.unwrap_or_else(|| Err(TokenFailure::new("it has panicked")).into());
    look(world);
    let current = &world.resource::<Renewing>().provider;
    let is_replaced = current
        .as_ref()
        .is_some_and(|current| !current.is_same(provider));
    // The game has a newer refresh token than one that was replaced.
    if let Some(tell) = provided.tell.filter(|_| !is_replaced) {
        tell(world);
        look(world);
    }
    let mut renewing = world.resource_mut::<Renewing>();
    let renewing = &mut *renewing;
    let now = renewing.clock.elapsed();
    if renewing.turn != turn {
        log::debug!("a token that was asked for is not needed any more");
        renewing.renewal.ended(ticket, Outcome::Outdated, now);
        return proceed(world);
    }
    match provided.user.and_then(|user| renewing.check(user)) {
        Ok(user) => {
            renewing.renewal.ended(ticket, Outcome::Provided, now);
            renewing.user = Some(user.clone());
            world.insert_resource(user);
            // There may be no frame before the next news.
            with_tracking(world, |_, _| {});
        }
        Err(failure) => fail(world, ticket, failure),
    }
    answer_held(world);
    proceed(world);
}

fn fail(world: &mut World, ticket: Ticket, mut failure: TokenFailure) {
    let mut renewing = world.resource_mut::<Renewing>();
    let renewing = &mut *renewing;
    failure.reason = without_secrets(&failure.reason, renewing.user.as_ref());
    log::warn!("the TokenProvider gives no token: {failure}");
    let outcome = match failure.needs_login {
        true => Outcome::NeedsLogin,
        false => Outcome::Failed {
            retry_after: failure.retry_after,
            left: renewing.user.as_ref().and_then(expires_in),
        },
    };
    let now = renewing.clock.elapsed();
    renewing.renewal.ended(ticket, outcome, now);
    if failure.needs_login {
        let user = renewing.user.as_ref().map(|user| user.id().clone());
        send(world, LoginRequired { user, failure });
    }
}

/// Nothing can be asked for any more. `TrackerState` says why.
fn task_has_ended(world: &mut World) {
    world.resource_mut::<Renewing>().has_ended = true;
    answer_held(world);
    world.resource_mut::<Tracking>().held = None;
}
