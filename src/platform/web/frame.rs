//! Shows a payment page in a frame over the game.

use std::cell::RefCell;

use tokio::sync::mpsc;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Document, HtmlElement, HtmlIFrameElement, KeyboardEvent, MessageEvent, Window};

use crate::model::order::OrderId;
use crate::model::purchase::PaymentPageError;
use crate::platform::web::listener::Listener;

/// The number of messages of a page that may wait. A page sends a few in all.
const MESSAGES: usize = 64;
/// The length of the longest message that is read, in UTF-16 units.
const MESSAGE_MAX: u32 = 64 * 1024;

const HOST_STYLE: &str = "position:fixed;inset:0;z-index:2147483647;margin:0;padding:0;\
    display:flex;flex-direction:column;align-items:center;justify-content:center;background:rgba(0,0,0,.7)";
const BAR_STYLE: &str = "width:min(100%,740px);display:flex;justify-content:flex-end";
const BUTTON_STYLE: &str = "width:44px;height:44px;border:0;padding:0;background:none;color:#fff;\
    font:28px/44px sans-serif;cursor:pointer";
const FRAME_STYLE: &str =
    "width:min(100%,740px);height:min(100% - 44px,760px);border:0;background:#fff";

thread_local! {
    static FRAME: RefCell<Option<Frame>> = const { RefCell::new(None) };
}

struct Frame {
    order_id: OrderId,
    host: HtmlElement,
    iframe: HtmlIFrameElement,
    /// The origin of the payment page, the only one that is talked to.
    origin: String,
    /// The element that had the keyboard.
    before: Option<HtmlElement>,
    _listeners: Vec<Listener>,
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.host.remove();
        if let Some(before) = &self.before {
            let _ = before.focus();
        }
    }
}

/// Shows a page over the game, in place of another order's. The messages of the page follow, and end with the frame.
/// Returns `None` if the order's page is shown already.
pub(super) fn open(
    window: &Window,
    order_id: OrderId,
    url: &str,
) -> Result<Option<mpsc::Receiver<String>>, PaymentPageError> {
    let is_shown = FRAME.with_borrow(|shown| {
        let shown = shown.as_ref().filter(|frame| frame.order_id == order_id);
        shown.map(|frame| frame.iframe.focus()).is_some()
    });
    if is_shown {
        return Ok(None);
    }
    close(None);
    let document = window
        .document()
        .ok_or_else(|| failed("there is no document"))?;
    let (frame, messages) = Frame::open(window, &document, order_id, url)
        .ok_or_else(|| failed("the browser makes no frame"))?;
    FRAME.set(Some(frame));
    Ok(Some(messages))
}

/// Closes the frame of this order, or of any order.
pub(super) fn close(order_id: Option<OrderId>) {
    let closed = FRAME.with_borrow_mut(|shown| {
        shown.take_if(|frame| order_id.is_none_or(|order_id| frame.order_id == order_id))
    });
    // The game's own listeners run while the keyboard is given back.
    drop(closed);
}

/// Sends a message to the page.
pub(super) fn send(order_id: OrderId, text: &str) {
    FRAME.with_borrow(|shown| {
        let frame = shown.as_ref().filter(|frame| frame.order_id == order_id);
        if let Some(frame) = frame
            && let Some(page) = frame.iframe.content_window()
        {
            // The browser drops it if the frame has gone to another origin.
            let _ = page.post_message(&JsValue::from_str(text), &frame.origin);
        }
    });
}

impl Frame {
    fn open(
        window: &Window,
        document: &Document,
        order_id: OrderId,
        url: &str,
    ) -> Option<(Self, mpsc::Receiver<String>)> {
        let origin = web_sys::Url::new(url).ok()?.origin();
        let before = document.active_element();
        let before = before.and_then(|element| element.dyn_into().ok());
        // A canvas that fills the screen would hide the frame, and one that has caught the pointer would keep it.
        if document.fullscreen_element().is_some() {
            document.exit_fullscreen();
        }
        document.exit_pointer_lock();

        let host = element(document, "div", HOST_STYLE)?;
        host.set_attribute("role", "dialog").ok()?;
        host.set_attribute("aria-modal", "true").ok()?;
        let bar = element(document, "div", BAR_STYLE)?;
        let button = element(document, "button", BUTTON_STYLE)?;
        button.set_attribute("type", "button").ok()?;
        button.set_attribute("aria-label", "Close").ok()?;
        button.set_text_content(Some("\u{d7}"));
        let iframe: HtmlIFrameElement =
            element(document, "iframe", FRAME_STYLE)?.dyn_into().ok()?;
        iframe.set_attribute("allow", "payment").ok()?;
        iframe.set_src(url);
        bar.append_child(&button).ok()?;
        host.append_child(&bar).ok()?;
        host.append_child(&iframe).ok()?;
        document.body()?.append_child(&host).ok()?;
        let _ = iframe.focus();

        let (sender, messages) = mpsc::channel(MESSAGES);
        let (page, from) = (iframe.clone(), origin.clone());
        let listeners = vec![
            Listener::new(window, "message", move |event| {
                if let Some(text) = event.dyn_ref().and_then(|event| read(event, &page, &from)) {
                    // A page that sends more than this says nothing that a game needs.
                    let _ = sender.try_send(text);
                }
            }),
            Listener::new(&button, "click", move |_| close_later(order_id)),
            Listener::new(&host, "keydown", move |event| {
                let key = event.dyn_ref().map(KeyboardEvent::key);
                if key.as_deref() == Some("Escape") {
                    close_later(order_id);
                }
            }),
        ];
        let frame = Self {
            order_id,
            host,
            iframe,
            origin,
            before,
            _listeners: listeners,
        };
        Some((frame, messages))
    }
}

/// Closes the frame once its listener, which is dropped with it, has returned.
fn close_later(order_id: OrderId) {
    spawn_local(async move { close(Some(order_id)) });
}

/// Reads a message if it is text and comes from the page in the frame.
fn read(event: &MessageEvent, page: &HtmlIFrameElement, origin: &str) -> Option<String> {
    let (source, page) = (event.source()?, page.content_window()?);
    if !js_sys::Object::is(&source, &page) || event.origin() != origin {
        return None;
    }
    let text: js_sys::JsString = event.data().dyn_into().ok()?;
    (text.length() <= MESSAGE_MAX).then(|| text.into())
}

/// Makes an element. Its style is set by a property, because a content security policy may forbid the attribute.
fn element(document: &Document, name: &str, style: &str) -> Option<HtmlElement> {
    let element: HtmlElement = document.create_element(name).ok()?.dyn_into().ok()?;
    element.style().set_css_text(style);
    Some(element)
}

fn failed(reason: &str) -> PaymentPageError {
    PaymentPageError::NoBrowser(reason.to_owned())
}
