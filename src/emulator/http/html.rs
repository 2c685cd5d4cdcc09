//! The payment page as HTML. It has forms, works without its script, and has nothing from outside.

use std::fmt::{self, Display, Write};

use hyper::StatusCode;
use rust_decimal::Decimal;
use url::Url;

use super::{handover, paths};
use crate::emulator::world::accounts::Account;
use crate::emulator::world::order::{Line, Order};
use crate::emulator::world::payment::{Action, Attempt};
use crate::model::order::{OrderId, Price};

/// The interval in seconds at which the page refreshes itself while the status may change.
const REFRESH: u32 = 2;

const PAYMENT_PAGE: &str = "Payment page of the emulator";

/// Text that is safe between tags and in quoted attributes.
pub(super) struct Escaped<T>(pub(super) T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escaper<'a, 'b>(&'a mut fmt::Formatter<'b>);
        impl Write for Escaper<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                text.chars().try_for_each(|character| match character {
                    '&' => self.0.write_str("&amp;"),
                    '<' => self.0.write_str("&lt;"),
                    '>' => self.0.write_str("&gt;"),
                    '"' => self.0.write_str("&quot;"),
                    '\'' => self.0.write_str("&#39;"),
                    other => self.0.write_char(other),
                })
            }
        }
        write!(Escaper(f), "{}", self.0)
    }
}

pub(crate) fn problem_page(
    status: StatusCode,
    title: &str,
    text: &str,
    is_sandbox: bool,
) -> String {
    let main = format!(
        "<main class=\"card problem\">\n\
         <p class=\"code\">{}</p>\n\
         <h1>{title}</h1>\n\
         <p>{text}</p>\n\
         {back}\
         </main>\n",
        status.as_u16(),
        back = back(None),
    );
    document(title, PAYMENT_PAGE, "", is_sandbox, &main)
}

pub(crate) fn order_page(
    id: OrderId,
    order: &Order,
    player: &Account,
    token: &str,
    is_sandbox: bool,
) -> String {
    let status = order.status();
    let total = match order.total() {
        Some(total) if !order.is_free() => money(total.amount, &total.currency),
        _ => "Free".to_owned(),
    };
    let head = if is_pending(order) {
        format!("<meta http-equiv=\"refresh\" content=\"{REFRESH}\">\n")
    } else {
        String::new()
    };
    let items: String = order.lines.iter().map(|line| item(line, "")).collect();
    let (tone, outcome, detail) = outcome(order);
    let main = format!(
        "<main class=\"card\" data-order=\"{id}\" data-status=\"{status}\"{message}>\n\
         <h1>{total}</h1>\n\
         <p class=\"order\">Order <span class=\"id\">{id}</span> of {player}</p>\n\
         <ul class=\"items\">\n{items}</ul>\n\
         <ol class=\"steps\">\n{steps}</ol>\n\
         <div class=\"outcome {tone}\" role=\"status\">\n\
         <strong>{outcome}</strong>\n\
         <span>{detail}</span>\n\
         </div>\n\
         {form}\
         {back}\
         </main>\n",
        message = message(id, order, player),
        status = Escaped(status),
        total = Escaped(&total),
        player = Escaped(&player.name),
        steps = steps(order),
        outcome = Escaped(outcome),
        detail = Escaped(detail),
        form = form(order, &total, token),
        back = back(handover::return_url(id, order, player)),
    );
    let title = format!("{outcome} · {total}");
    document(&title, PAYMENT_PAGE, &head, is_sandbox, &main)
}

pub(super) fn document(
    title: &str,
    mark: &str,
    head: &str,
    is_sandbox: bool,
    main: &str,
) -> String {
    let badge = if is_sandbox {
        "<span class=\"badge\">Sandbox</span>"
    } else {
        ""
    };
    format!(
        "<!doctype html>\n\
         <html lang=\"en\">\n\
         <head>\n\
         <meta charset=\"utf-8\">\n\
         <title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\"{base}page.css\">\n\
         <script src=\"{base}page.js\" defer></script>\n\
         {head}\
         </head>\n\
         <body>\n\
         <header><span class=\"mark\">{mark}</span>{badge}</header>\n\
         {main}\
         <footer>Served by the emulator of bevy_xsolla. No card is asked for and no money moves.</footer>\n\
         </body>\n\
         </html>\n",
        base = paths::PAYMENT_PAGE,
        title = Escaped(title)
    )
}

fn money(amount: Decimal, currency: &str) -> String {
    Price::new(amount, currency).to_string()
}

/// Whether the status may change without another press of a button.
fn is_pending(order: &Order) -> bool {
    match order.status() {
        "new" => order.payment.attempt == Attempt::UnderWay,
        "done" | "canceled" | "expired" => false,
        _ => true,
    }
}

/// One of the rows of a list, which ends with `more`.
pub(super) fn item(line: &Line, more: &str) -> String {
    let name = line.offer.name.as_deref().unwrap_or(&line.sku);
    let initial = name.chars().next().unwrap_or('?');
    let quantity = Decimal::from(line.quantity);
    let price = match &line.offer.price {
        Some(price) if !line.offer.is_free => {
            let total = |amount: Decimal| money(amount.saturating_mul(quantity), &price.currency);
            let now = Escaped(total(price.amount)).to_string();
            if price.amount_without_discount > price.amount {
                let before = Escaped(total(price.amount_without_discount)).to_string();
                format!("<s>{before}</s> {now}")
            } else {
                now
            }
        }
        _ => "Free".to_owned(),
    };
    format!(
        "<li><span class=\"tile\" aria-hidden=\"true\">{initial}</span>\
         <span class=\"what\"><span class=\"name\">{name}</span> \
         <span class=\"sku\">{sku} × {quantity}</span></span> \
         <span class=\"price\">{price}</span>{more}</li>\n",
        initial = Escaped(initial),
        name = Escaped(name),
        sku = Escaped(&line.sku),
        quantity = line.quantity,
    )
}

/// Lists the steps that the order has taken and those that are left, or its end if it is not going to be delivered.
fn steps(order: &Order) -> String {
    let end = match order.status() {
        "canceled" => Some("Canceled"),
        "expired" => Some("Expired"),
        _ => None,
    };
    let is_paid = order.has_been("paid") || order.has_been("done");
    let is_done = order.has_been("done");
    let mut steps = vec![("Created", true)];
    if is_paid || end.is_none() {
        steps.push(("Paid", is_paid));
    }
    if is_done || end.is_none() {
        steps.push(("Delivered", is_done));
    }
    let mut html: String = steps
        .into_iter()
        .map(|(name, is_reached)| {
            let (class, is_so) = if is_reached {
                ("reached", "yes")
            } else {
                ("open", "not yet")
            };
            format!("<li class=\"{class}\">{name}<span class=\"unseen\">: {is_so}</span></li>\n")
        })
        .collect();
    if let Some(end) = end {
        html.push_str("<li class=\"ended\">");
        html.push_str(end);
        html.push_str("</li>\n");
    }
    html
}

/// Describes the status: with a CSS class, a headline, and a sentence.
fn outcome(order: &Order) -> (&'static str, &str, &'static str) {
    let has_been_paid = order.has_been("paid") || order.has_been("done");
    match order.status() {
        "new" if order.payment.attempt == Attempt::UnderWay => (
            "busy",
            "Waiting for the payment",
            "As with a mobile phone, it takes its time. You can close this page: it goes on without.",
        ),
        "new" if order.payment.attempt == Attempt::Declined => (
            "bad",
            "The card was declined",
            "Nothing was paid. The order is still open: try again.",
        ),
        "new" => ("calm", "Not paid yet", "Choose what the player does."),
        "paid" => (
            "busy",
            "Paid",
            "The items are being delivered. The game hears of it next.",
        ),
        "done" => (
            "good",
            "Paid and delivered",
            "The game has been told. You can close this page.",
        ),
        "canceled" if has_been_paid => (
            "bad",
            "Refunded",
            "The order is canceled and the money is back.",
        ),
        "canceled" => ("bad", "Canceled", "Nothing was paid."),
        "expired" => ("bad", "Expired", "The time to pay is over."),
        other => (
            "busy",
            other,
            "A status of which this page knows nothing more.",
        ),
    }
}

fn form(order: &Order, total: &str, token: &str) -> String {
    let buttons: String = order
        .actions()
        .iter()
        .map(|&action| {
            let label = match action {
                Action::Pay if order.payment.attempt == Attempt::UnderWay => {
                    "Confirm the payment now".to_owned()
                }
                Action::Pay => format!("Pay {total}"),
                Action::PaySlowly => "Pay slowly".to_owned(),
                Action::Decline => "Decline the card".to_owned(),
                Action::Cancel => "Cancel".to_owned(),
                Action::Refund => "Refund".to_owned(),
            };
            let name = action.name();
            let label = Escaped(label);
            format!("<button class=\"{name}\" name=\"action\" value=\"{name}\">{label}</button>\n")
        })
        .collect();
    if buttons.is_empty() {
        return buttons;
    }
    let token = Escaped(token);
    format!("<form method=\"post\" action=\"?token={token}\">\n{buttons}</form>\n")
}

/// The message that the script posts, as an attribute.
fn message(id: OrderId, order: &Order, player: &Account) -> String {
    match handover::status_message(id, order, player) {
        Some(message) => format!(" data-message=\"{}\"", Escaped(message)),
        None => String::new(),
    }
}

/// The way back to the game. Without an address to go to, only the script shows it, in a frame.
fn back(return_url: Option<Url>) -> String {
    const TEXT: &str = "Back to the game";
    match return_url {
        Some(url) => format!("<a class=\"back\" href=\"{}\">{TEXT}</a>\n", Escaped(url)),
        None => format!("<button type=\"button\" class=\"back\" hidden>{TEXT}</button>\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_is_only_text() {
        let escaped = Escaped("<a b=\"c\" d='e'>&amp; ü").to_string();
        assert_eq!(
            escaped,
            "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp; ü"
        );
    }
}
