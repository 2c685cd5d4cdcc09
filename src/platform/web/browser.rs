//! Shows payment pages in the browser in which the game runs.

use std::cell::RefCell;
use std::time::Duration;

use bevy::prelude::App;
use form_urlencoded::Serializer;
use litemap::LiteMap;
use tokio::sync::{mpsc, oneshot};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{PageTransitionEvent, Window};

use crate::model::order::OrderId;
use crate::model::page::{PageRequest, PaymentPage};
use crate::model::purchase::{PaymentPageError, PurchaseId};
use crate::platform::web::frame;
use crate::platform::web::listener::Listener;
use crate::platform::web::runtime::timeout;
use crate::platform::web::tab::{self, Tab};

/// The messages of a page, which end when the page is closed.
type Messages = mpsc::Receiver<String>;

/// The longest time that a page is left later for the game's frames.
const FRAMES_PATIENCE: Duration = Duration::from_millis(500);

thread_local! {
    /// The empty tabs that wait for their purchases' orders.
    static TABS: RefCell<LiteMap<PurchaseId, Tab>> = const { RefCell::new(LiteMap::new()) };
    /// Reloads the game if the player comes back to it. It is set when the game is left.
    static RELOADER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

/// Prepares for the clicks that let pages be opened.
pub(crate) fn prepare(_app: &mut App) {
    if let Some(window) = web_sys::window() {
        tab::watch_clicks(&window);
    }
}

/// Opens an empty tab for a purchase, while the browser still allows it for the player's click. If it does not,
/// it may allow the page later. A purchase that has a tab keeps it.
pub(crate) fn reserve_tab(purchase: PurchaseId) {
    let has_tab = TABS.with_borrow(|tabs| tabs.contains_key(&purchase));
    if let Some(window) = web_sys::window().filter(|_| !has_tab) {
        let tab = Tab::open(&window, "");
        TABS.with_borrow_mut(|tabs| tabs.insert(purchase, tab));
    }
}

/// Closes a purchase's tab, unless the payment page is shown in it.
pub(crate) fn release_tab(purchase: PurchaseId) {
    if let Some(tab) = take_tab(purchase) {
        tab.close();
    }
}

fn take_tab(purchase: PurchaseId) -> Option<Tab> {
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
    let url = web_sys::Url::new(&web_sys::window()?.location().href().ok()?).ok()?;
    let query = url.search();
    let query = query.trim_start_matches('?').as_bytes();
    let mut pairs: Vec<(String, String)> = form_urlencoded::parse(query).into_owned().collect();
    if let [.., (a, _), (b, _), (c, _)] = pairs.as_slice() {
        // A game may have one of these itself, but not all of them.
        let mut last = [a.as_str(), b.as_str(), c.as_str()];
        last.sort_unstable();
        if last == ["invoice_id", "status", "user_id"] {
            pairs.truncate(pairs.len() - 3);
            url.set_search(&Serializer::new(String::new()).extend_pairs(pairs).finish());
        }
    }
    Some(url.href())
}

/// Opens a page. The tab that was reserved for it is taken before this returns.
pub(crate) fn open(
    request: PageRequest,
) -> impl Future<Output = Result<Option<Messages>, PaymentPageError>> {
    let of_a_tab = request
        .purchase
        .filter(|_| request.kind == PaymentPage::NewTab);
    let reserved = of_a_tab.and_then(take_tab);
    async move {
        let window = web_sys::window().ok_or_else(|| failed("the game does not run in a page"))?;
        let url = &request.url.0;
        match request.kind {
            PaymentPage::Frame => return frame::open(&window, request.order_id, url),
            PaymentPage::SameTab => leave(&window, url).await?,
            PaymentPage::NewTab => show_in_tab(&window, reserved, url).await?,
        }
        Ok(None)
    }
}

async fn show_in_tab(
    window: &Window,
    reserved: Option<Tab>,
    url: &str,
) -> Result<(), PaymentPageError> {
    if let Some(tab) = reserved
        && let Ok(tab) = tab.opened().await
        && !tab.closed().unwrap_or(true)
    {
        // The empty page does not stay in the tab's history.
        let shown = tab.location().replace(url);
        return shown.map_err(|_| failed("the browser does not take the address"));
    }
    Tab::open(window, url).opened().await.map(drop)
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
