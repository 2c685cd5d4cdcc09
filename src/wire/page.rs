//! What a payment page tells: the messages of a page in a frame, which Xsolla's own widget exchanges as well, and the
//! address that a page leads back to.

use crate::model::json::Object;
use crate::model::page::{PaymentPageStatus, PaymentReturn};

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
        "status" => {
            let info = message.object("data")?.object("paymentInfo")?;
            read_status(&info.text("status")?)?
        }
        _ => return None,
    };
    Some(PageMessage::Status(status))
}

fn read_status(word: &str) -> Option<PaymentPageStatus> {
    Some(match word {
        "invoice" => PaymentPageStatus::Invoice,
        "delivering" => PaymentPageStatus::Delivering,
        "done" => PaymentPageStatus::Done,
        "troubled" => PaymentPageStatus::Troubled,
        _ => return None,
    })
}

/// Reads what the payment page has added to a purchase's [`return_url`](crate::Purchase::return_url): the address with
/// which the player's system opened the game, of a scheme of the game's own or of a universal link. Any text can be
/// read; what is not there is `None`.
///
/// ```
/// use bevy_xsolla::{PaymentPageStatus, payment_return};
///
/// let returned = payment_return("mygame://shop?user_id=alice&invoice_id=1234567890&status=done");
/// assert_eq!(returned.status, Some(PaymentPageStatus::Done));
/// assert_eq!(returned.invoice_id, Some(1234567890));
///
/// // The player has left the page without a payment.
/// assert_eq!(payment_return("mygame://shop?user_id=alice").status, None);
/// ```
pub fn payment_return(url: &str) -> PaymentReturn {
    let (address, fragment) = url.split_once('#').unwrap_or((url, ""));
    let mut returned = PaymentReturn::default();
    // A page with routes of its own may have its query behind the `#`.
    let queries =
        [address, fragment].map(|part| part.split_once('?').map_or("", |(_, query)| query));
    // The game's own address may have a `status` already. Xsolla adds its pairs at the end, so the last one counts.
    for (name, value) in queries
        .iter()
        .flat_map(|query| form_urlencoded::parse(query.as_bytes()))
    {
        match &*name {
            "status" => returned.status = read_status(&value),
            "invoice_id" => returned.invoice_id = value.parse().ok(),
            "user_id" => returned.user_id = Some(value.into_owned()),
            _ => {}
        }
    }
    returned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_how_the_player_returns_from_the_page() {
        let done = Some(PaymentPageStatus::Done);
        for (url, status, invoice_id, user_id) in [
            (
                "mygame://shop?user_id=alice&invoice_id=12&status=done",
                done,
                Some(12),
                Some("alice"),
            ),
            (
                "https://game.example/play?status=new&level=3&user_id=a%20b&invoice_id=12&status=done#top",
                done,
                Some(12),
                Some("a b"),
            ),
            (
                "https://game.example/#/shop?status=done&invoice_id=12",
                done,
                Some(12),
                None,
            ),
            (
                "mygame:?status=delivering",
                Some(PaymentPageStatus::Delivering),
                None,
                None,
            ),
            (
                "mygame://shop?status=invoice",
                Some(PaymentPageStatus::Invoice),
                None,
                None,
            ),
            (
                "mygame://shop?status=troubled",
                Some(PaymentPageStatus::Troubled),
                None,
                None,
            ),
            ("mygame://shop?user_id=alice", None, None, Some("alice")),
            (
                "mygame://shop?status=full_change&invoice_id=-1",
                None,
                None,
                None,
            ),
            (
                "mygame://shop?invoice_id=99999999999999999999&status",
                None,
                None,
                None,
            ),
            ("status=done", None, None, None),
            ("", None, None, None),
        ] {
            let returned = payment_return(url);
            let read = (
                returned.status,
                returned.invoice_id,
                returned.user_id.as_deref(),
            );
            assert_eq!(read, (status, invoice_id, user_id), "{url}");
        }
    }

    #[test]
    fn any_text_can_be_read_as_an_address() {
        let parts = [
            "?",
            "#",
            "&",
            "=",
            "%",
            "%2",
            "%ff",
            "status",
            "done",
            "invoice_id",
            "\u{0}",
            "ä",
            "🦀",
            "+",
        ];
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let length = random.usize(..12);
            let url: String = (0..length).filter_map(|_| random.choice(parts)).collect();
            let _ = payment_return(&url);
        }
    }

    #[test]
    fn what_an_address_holds_is_not_shown() {
        let returned = payment_return(
            "mygame://shop?token=secret-1&user_id=secret-2&status=secret-3&invoice_id=secret-4",
        );
        let shown = format!("{returned:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }

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
