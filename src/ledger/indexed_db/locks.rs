//! The locks by which the tabs of a browser tell each other apart: each player's orders have one.

use js_sys::{Function, Object, Promise, Reflect};
use litemap::LiteMap;
use tokio::sync::Notify;
use tokio::sync::oneshot::{self, error::TryRecvError};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::browser::{Failure, PATIENCE, of_navigator};
use crate::platform::runtime::timeout;

/// Notifies the writers that a lock was granted which a ledger has waited for.
pub(in crate::ledger) static LOCK_GRANTED: Notify = Notify::const_new();

/// The locks that this tab has used, by name. There is one for each player.
#[derive(Default)]
pub(super) struct Locks(LiteMap<String, State>);

enum State {
    /// No other tab uses the player's orders meanwhile.
    Held(Lock),
    /// Another tab has the lock. This one stops waiting when the receiver is dropped.
    Awaited(oneshot::Receiver<Lock>),
    /// This tab has released the lock, and the promise says when the browser has done so.
    Released(Promise),
}

/// A lock that this tab has.
struct Lock {
    _hold: Hold,
    /// Ends with the lock.
    ended: Promise,
}

/// The browser releases the lock when this is dropped, or with the page.
struct Hold(Function);

impl Drop for Hold {
    fn drop(&mut self) {
        let _ = self.0.call0(&JsValue::UNDEFINED);
    }
}

impl Locks {
    /// Takes the lock of a player's orders, unless this tab has it. A browser without locks, which is an old one or one
    /// that shows a page without encryption, lets every tab use the ledger.
    pub(super) async fn take(&mut self, name: String) -> Result<(), Failure> {
        let state = match self.0.remove(&name) {
            Some(State::Awaited(mut awaited)) => match awaited.try_recv() {
                Ok(lock) => Some(State::Held(lock)),
                Err(TryRecvError::Empty) => Some(State::Awaited(awaited)),
                // The browser has refused it after all.
                Err(TryRecvError::Closed) => None,
            },
            state => state,
        };
        let released = match state {
            Some(State::Released(released)) => Some(released),
            Some(state) => {
                let is_held = matches!(state, State::Held(_));
                self.0.insert(name, state);
                return if is_held {
                    Ok(())
                } else {
                    Err(Failure::Locked)
                };
            }
            None => None,
        };
        let Some(locks) = of_navigator("locks") else {
            return Ok(());
        };
        let answer = timeout(PATIENCE, async {
            // This tab would take itself for another one.
            if let Some(released) = released {
                let _ = JsFuture::from(released).await;
            }
            take_lock(&locks, &name, false).await
        });
        let answer = answer.await;
        if let Some(lock) =
            answer.ok_or_else(|| Failure::Other("the browser gives no lock".to_owned()))??
        {
            self.0.insert(name, State::Held(lock));
            return Ok(());
        }
        let (sender, awaited) = oneshot::channel();
        self.0.insert(name.clone(), State::Awaited(awaited));
        spawn_local(async move {
            // A lock that is not waited for any more is dropped, and so released.
            if let Ok(Some(lock)) = take_lock(&locks, &name, true).await
                && sender.send(lock).is_ok()
            {
                LOCK_GRANTED.notify_waiters();
            }
        });
        Err(Failure::Locked)
    }

    /// Releases the lock of a player's orders, or stops waiting for it.
    pub(super) fn release(&mut self, name: &str) {
        match self.0.get_mut(name) {
            Some(state @ State::Held(_)) => {
                if let State::Held(lock) = &*state {
                    *state = State::Released(lock.ended.clone());
                }
            }
            Some(State::Awaited(_)) => drop(self.0.remove(name)),
            Some(State::Released(_)) | None => {}
        }
    }
}

/// Takes a lock. If another tab has it, this waits for its turn, or gives `None`.
async fn take_lock(locks: &JsValue, name: &str, waits: bool) -> Result<Option<Lock>, Failure> {
    let (sender, answer) = oneshot::channel();
    // The browser holds the lock until the promise that this returns is resolved.
    let granted = Closure::once(move |lock: JsValue| -> JsValue {
        if lock.is_null() {
            let _ = sender.send(None);
            return JsValue::UNDEFINED;
        }
        let mut hold = None;
        let held = Promise::new(&mut |resolve, _| hold = Some(Hold(resolve)));
        // If nobody waits for the lock any more, it is released at once.
        let _ = sender.send(hold);
        held.into()
    });
    let options = Object::new();
    Reflect::set(&options, &"ifAvailable".into(), &(!waits).into())?;
    let request: Function = Reflect::get(locks, &"request".into())?.unchecked_into();
    let ended = request.call3(locks, &name.into(), &options, granted.as_ref())?;
    let ended: Promise = ended.unchecked_into();
    tokio::select! {
        biased;
        hold = answer => Ok(hold.ok().flatten().map(|_hold| Lock { _hold, ended })),
        // The browser refuses locks to some pages.
        refused = JsFuture::from(ended.clone()) => refused.map(|_| None).map_err(Failure::from),
    }
}
