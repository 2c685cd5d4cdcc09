//! The messages of a payment page in a frame. Xsolla's own widget exchanges the same.

use crate::model::json::Object;
use crate::model::page::PaymentPageStatus;

/// The answer to [`PageMessage::Detection`].
pub(crate) const DETECTED: &str =
    r#"{"command":"widget-detected","data":{"version":"1.5.0","lightBoxOptions":{}}}"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageMessage {
    /// The page asks whether it is shown by a widget, which it can ask to be closed.
    Detection,
    Status(PaymentPageStatus),
    /// The page asks to be closed.
    Close,
}

/// Reads a message. Others than these are for widgets that adapt their size to the page, or measure it.
pub(crate) fn read_page_message(json: &str) -> Option<PageMessage> {
    let message = Object::read(json.as_bytes()).ok()?;
    let status = match message.text("command")?.as_str() {
        "widget-detection" => return Some(PageMessage::Detection),
        "close" | "widget-close" => return Some(PageMessage::Close),
        "status" => match message
            .object("data")?
            .object("paymentInfo")?
            .text("status")?
            .as_str()
        {
            "invoice" => PaymentPageStatus::Invoice,
            "delivering" => PaymentPageStatus::Delivering,
            "done" => PaymentPageStatus::Done,
            "troubled" => PaymentPageStatus::Troubled,
            _ => return None,
        },
        _ => return None,
    };
    Some(PageMessage::Status(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_how_the_payment_goes() {
        for (json, message) in [
            (
                r#"{"command":"status","data":{"paymentInfo":{"status":"done","invoice":1}}}"#,
                Some(PageMessage::Status(PaymentPageStatus::Done)),
            ),
            (
                r#"{"data":{"paymentInfo":{"status":"troubled"}},"command":"status"}"#,
                Some(PageMessage::Status(PaymentPageStatus::Troubled)),
            ),
            (r#"{"command":"close"}"#, Some(PageMessage::Close)),
            (
                r#"{"command":"close","data":null}"#,
                Some(PageMessage::Close),
            ),
            (
                r#"{"command":"widget-detection","data":{}}"#,
                Some(PageMessage::Detection),
            ),
            (
                r#"{"command":"status","data":{"paymentInfo":{"status":"new one"}}}"#,
                None,
            ),
            (
                r#"{"command":"status","data":{"paymentInfo":"done"}}"#,
                None,
            ),
            (r#"{"command":"status"}"#, None),
            (r#"{"command":"dimensions","data":{"height":500}}"#, None),
            (r#"{"command":7}"#, None),
            ("done", None),
        ] {
            assert_eq!(read_page_message(json), message, "{json}");
        }
    }
}
