//! The browser's WebSocket.

use std::time::Duration;

use js_sys::JsString;
use tokio::sync::mpsc;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{CloseEvent, MessageEvent};

use crate::model::address::Address;
use crate::model::error::{ConnectStep, SocketError, shorten};
use crate::model::http::MAX_MESSAGE_BYTES;
use crate::platform::web::http::Network;
use crate::platform::web::runtime::timeout;

/// The close code that the browser reports if the server closes without one.
const NO_CODE: u16 = 1005;
/// The close code that the browser reports if the connection broke.
const BROKEN: u16 = 1006;
/// The only standard close code that a page may use.
const NORMAL: u16 = 1000;

/// An open connection. It is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct WebSocket {
    socket: web_sys::WebSocket,
    /// The channel needs no bound: tasks run between two of the browser's events, so each event is received before
    /// the next one comes.
    events: mpsc::UnboundedReceiver<Event>,
    /// The browser calls the handlers for as long as they exist.
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
    /// Opens a connection. All steps together may take `step_timeout`, because they cannot be told apart in a
    /// browser.
    pub(crate) async fn connect(
        _network: &Network,
        address: &Address,
        step_timeout: Duration,
    ) -> Result<Self, SocketError> {
        // This fails if the page may not connect to this address, for example because it is not encrypted.
        let socket = web_sys::WebSocket::new(&address.uri().to_string())
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
        // The browser fires this event after every error.
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

    /// Waits for the next text message. The future may be dropped and created again at any time. An error is the
    /// end of the connection.
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

    pub(crate) async fn send(&mut self, text: String) -> Result<(), SocketError> {
        // The browser drops messages on a connection that has ended, and its next event reports the end.
        self.socket
            .send_with_str(&text)
            .map_err(|_| SocketError::Lost("nothing can be sent".to_owned()))
    }

    /// Sends the first text message of a connection, which contains the player's token. Browsers do not log
    /// messages.
    pub(crate) async fn send_unlogged(&mut self, text: String) -> Result<(), SocketError> {
        self.send(text).await
    }

    /// Closes the connection. A page cannot tell the reason, because [`NORMAL`] is the only code that it may use.
    pub(crate) async fn close(self, _end: &Result<(), SocketError>) {}
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        // The handlers are dropped right after this.
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        // A connection that has already ended stays as it is.
        let _ = self.socket.close_with_code(NORMAL);
    }
}

fn read(event: MessageEvent) -> Result<String, &'static str> {
    let text: JsString = event.data().dyn_into().map_err(|_| "a binary message")?;
    // The length is checked before the text is copied. A character takes at least one byte.
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
