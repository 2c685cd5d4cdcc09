//! The browser's WebSocket.

use std::time::Duration;

use js_sys::JsString;
use tokio::sync::mpsc;
use url::Url;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{CloseEvent, MessageEvent};

use crate::model::error::{ConnectStep, SocketError, shorten};
use crate::model::http::MAX_MESSAGE_BYTES;
use crate::platform::web::http::Network;
use crate::platform::web::runtime::timeout;

/// The close code of a server that closes without one, by the browser's word.
const NO_CODE: u16 = 1005;
/// The same of a connection that broke.
const BROKEN: u16 = 1006;
/// The one code of the standard's own that a page may close with.
const NORMAL: u16 = 1000;

/// A connection that is open. It is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct WebSocket {
    socket: web_sys::WebSocket,
    /// There is no need to bound it: the tasks run between two of the browser's events, so each event is
    /// taken before the next one comes.
    events: mpsc::UnboundedReceiver<Event>,
    /// Called by the browser for as long as they exist.
    _handlers: Handlers,
}

#[derive(Debug)]
enum Event {
    Open,
    Message(Result<String, &'static str>),
    Closed(SocketError),
}

#[derive(Debug)]
struct Handlers {
    _open: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _close: Closure<dyn FnMut(CloseEvent)>,
}

impl WebSocket {
    /// Opens a connection. It may take so long: the steps cannot be told apart in a browser.
    pub(crate) async fn connect(
        _network: &Network,
        url: &Url,
        step_timeout: Duration,
    ) -> Result<Self, SocketError> {
        // It fails where the page may not connect to this address, such as an unencrypted one.
        let socket = web_sys::WebSocket::new(url.as_str())
            .map_err(|_| SocketError::Connect("the browser does not allow it".to_owned()))?;
        let mut socket = Self::listen(socket);
        match timeout(step_timeout, socket.events.recv()).await {
            Some(Some(Event::Open)) => Ok(socket),
            Some(_) => Err(SocketError::Connect(
                "the browser does not say why".to_owned(),
            )),
            None => Err(SocketError::TimedOut(ConnectStep::Handshake)),
        }
    }

    fn listen(socket: web_sys::WebSocket) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let opened = sender.clone();
        let open = Closure::<dyn FnMut()>::new(move || {
            let _ = opened.send(Event::Open);
        });
        let heard = sender.clone();
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let _ = heard.send(Event::Message(read(event)));
        });
        let close = Closure::<dyn FnMut(CloseEvent)>::new(move |event: CloseEvent| {
            let _ = sender.send(Event::Closed(closed(&event)));
        });
        socket.set_onopen(Some(open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        // Every error is followed by it.
        socket.set_onclose(Some(close.as_ref().unchecked_ref()));
        Self {
            socket,
            events,
            _handlers: Handlers {
                _open: open,
                _message: message,
                _close: close,
            },
        }
    }

    /// Waits for the next text message, which may be dropped and begun again at any time. An error is
    /// the connection's end.
    pub(crate) async fn next(&mut self) -> Result<String, SocketError> {
        loop {
            match self.events.recv().await {
                Some(Event::Open) => {}
                Some(Event::Message(Ok(text))) => return Ok(text),
                Some(Event::Message(Err(fault))) => {
                    return Err(SocketError::Protocol(fault.to_owned()));
                }
                Some(Event::Closed(error)) => return Err(error),
                None => return Err(SocketError::Lost("the connection ended".to_owned())),
            }
        }
    }

    /// Sends a text message.
    pub(crate) async fn send(&mut self, text: String) -> Result<(), SocketError> {
        // What is sent on a connection that has ended is dropped by the browser, whose next event says
        // that it has.
        self.socket
            .send_with_str(&text)
            .map_err(|_| SocketError::Lost("nothing can be sent".to_owned()))
    }

    /// Sends the first text message of a connection, which carries the player's token. Browsers log none.
    pub(crate) async fn send_unlogged(&mut self, text: String) -> Result<(), SocketError> {
        self.send(text).await
    }

    /// Says goodbye, but not why: of the codes for that a page may use only [`NORMAL`].
    pub(crate) async fn close(self, _end: &Result<(), SocketError>) {}
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        // The handlers are gone in a moment.
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        // One that has ended before stays as it is.
        let _ = self.socket.close_with_code(NORMAL);
    }
}

fn read(event: MessageEvent) -> Result<String, &'static str> {
    let text: JsString = event.data().dyn_into().map_err(|_| "a binary message")?;
    // Measured before it is copied. A character takes a byte at least.
    match usize::try_from(text.length()) {
        Ok(length) if length <= MAX_MESSAGE_BYTES => Ok(text.into()),
        _ => Err("a message that is too large"),
    }
}

fn closed(event: &CloseEvent) -> SocketError {
    match event.code() {
        NO_CODE => SocketError::Lost("the server closed without a code".to_owned()),
        BROKEN => SocketError::Lost("the browser does not say why".to_owned()),
        code => SocketError::Closed {
            code: code.into(),
            reason: shorten(&event.reason()),
        },
    }
}
