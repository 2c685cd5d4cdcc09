//! Shows payment pages in the browser in which the game runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use url::Url;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{PageTransitionEvent, Window};

use crate::model::order::OrderId;
use crate::model::page::{PageRequest, PaymentPage};
use crate::model::purchase::{PaymentPageError, PurchaseId};
use crate::platform::web::frame;
use crate::platform::web::listener::Listener;
use crate::platform::web::runtime::timeout;

/// The messages of a page, which end when the page is closed.
type Messages = mpsc::Receiver<String>;

/// The longest time that a page is left later for the game's frames.
const FRAMES_PATIENCE: Duration = Duration::from_millis(500);

thread_local! {
    /// The empty tabs that wait for their purchases' orders.
    static TABS: RefCell<BTreeMap<PurchaseId, Window>> = const { RefCell::new(BTreeMap::new()) };
    /// Reloads the game if the player comes back to it. It is set when the game is left.
    static RELOADER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

/// Opens an empty tab for a purchase, while the browser still allows it for the player's click. If it does not,
/// it may allow the page later.
pub(crate) fn reserve_tab(purchase: PurchaseId) {
    let tab = web_sys::window().and_then(|window| open_tab(&window, "").ok());
    if let Some(tab) = tab {
        TABS.with_borrow_mut(|tabs| tabs.insert(purchase, tab));
    }
}

/// Closes a purchase's tab, unless the payment page is shown in it.
pub(crate) fn release_tab(purchase: PurchaseId) {
    if let Some(tab) = take_tab(purchase) {
        let _ = tab.close();
    }
}

fn take_tab(purchase: PurchaseId) -> Option<Window> {
    TABS.with_borrow_mut(|tabs| tabs.remove(&purchase))
}

/// Closes the frame of this order, or of any order.
pub(crate) fn close_page(order_id: Option<OrderId>) {
    frame::close(order_id);
}

pub(crate) fn send_to_page(order_id: OrderId, text: &str) {
    frame::send(order_id, text);
}

/// The address of the game, without what an earlier payment page has added to its end.
pub(crate) fn address() -> Option<String> {
    let mut url = Url::parse(&web_sys::window()?.location().href().ok()?).ok()?;
    let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    if let [.., (a, _), (b, _), (c, _)] = pairs.as_slice() {
        // A game may have one of these itself, but not all of them.
        let mut last = [a.as_str(), b.as_str(), c.as_str()];
        last.sort_unstable();
        if last == ["invoice_id", "status", "user_id"] {
            pairs.truncate(pairs.len() - 3);
            url.set_query(None);
            if !pairs.is_empty() {
                url.query_pairs_mut().extend_pairs(pairs);
            }
        }
    }
    Some(url.into())
}

/// Opens a page. The tab that was reserved for it is used before this returns.
pub(crate) fn open(
    request: PageRequest,
) -> impl Future<Output = Result<Option<Messages>, PaymentPageError>> {
    let opened = match web_sys::window() {
        Some(window) => start(&window, &request).map(|page| (window, page)),
        None => Err(failed("the game does not run in a page")),
    };
    async move {
        let (window, page) = opened?;
        if request.kind == PaymentPage::SameTab {
            leave(&window, &request.url.0).await?;
        }
        Ok(page)
    }
}

fn start(window: &Window, request: &PageRequest) -> Result<Option<Messages>, PaymentPageError> {
    let url = &request.url.0;
    match request.kind {
        PaymentPage::Frame => frame::open(window, request.order_id, url),
        PaymentPage::SameTab => Ok(None),
        PaymentPage::NewTab => {
            let reserved = request.purchase.and_then(take_tab);
            let is_open = |tab: &Window| !tab.closed().unwrap_or(true);
            match reserved.filter(is_open) {
                // The empty page does not stay in the tab's history.
                Some(tab) => tab
                    .location()
                    .replace(url)
                    .map_err(|_| failed("the browser does not take the address"))?,
                None => drop(open_tab(window, url)?),
            }
            Ok(None)
        }
    }
}

fn open_tab(window: &Window, url: &str) -> Result<Window, PaymentPageError> {
    let tab = window
        .open_with_url_and_target(url, "_blank")
        // The browser's own error would repeat the address, and anybody who has the address can pay.
        .map_err(|_| failed("the browser does not take the address"))?
        .ok_or(PaymentPageError::Blocked)?;
    // Without an opener, the payment page cannot navigate the game's page. (The option `noopener` would do the
    // same, but it would hide whether the tab was blocked.)
    let _ = tab.set_opener(&JsValue::NULL);
    Ok(tab)
}

/// Goes to the payment page in the game's tab, after every system of the game has had a frame to save what it
/// needs.
async fn leave(window: &Window, url: &str) -> Result<(), PaymentPageError> {
    // The game's own frame may come before or after this one's.
    for _ in 0..3 {
        timeout(FRAMES_PATIENCE, next_frame(window)).await;
    }
    RELOADER.set(Some(reload_if_frozen(window)));
    window
        .location()
        .assign(url)
        .map_err(|_| failed("the browser does not take the address"))
}

async fn next_frame(window: &Window) {
    let (drawn, is_drawn) = oneshot::channel();
    // The browser frees the handler after the call.
    let handler = Closure::once_into_js(move || {
        let _ = drawn.send(());
    });
    if window
        .request_animation_frame(handler.unchecked_ref())
        .is_ok()
    {
        let _ = is_drawn.await;
    }
}

/// Reloads the game if the player goes back to it and the browser has kept it as it was, because its sockets and
/// its canvas may be dead.
fn reload_if_frozen(window: &Window) -> Listener {
    let of = window.clone();
    Listener::new(window, "pageshow", move |event| {
        let is_kept = event
            .dyn_ref::<PageTransitionEvent>()
            .is_some_and(PageTransitionEvent::persisted);
        if is_kept {
            let _ = of.location().reload();
        }
    })
}

fn failed(reason: &str) -> PaymentPageError {
    PaymentPageError::NoBrowser(reason.to_owned())
}
