//! The payment page as a browser sees it: plain HTML with forms, no scripts, nothing from outside.

use std::fmt::{self, Display, Write};
use std::sync::Arc;

use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use rust_decimal::Decimal;

use super::order::{Line, Order};
use super::payment::{Action, act};
use super::server::{Answer, with_type};
use super::state::{Denied, Shared, State};

pub(super) const PATH: &str = "/paystation4/";
pub(super) const SANDBOX_PATH: &str = "/sandbox/paystation4/";

/// How often the page looks for news while there may be some, in seconds.
const REFRESH: u32 = 2;

const STYLE: &str = include_str!("page.css");

fn headers() -> [(HeaderName, HeaderValue); 4] {
    [
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'",
            ),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // The address has the token in it.
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ]
}

/// Why there is no order to show.
struct Problem {
    status: StatusCode,
    title: &'static str,
    text: &'static str,
}

const NO_TOKEN: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    title: "There is no payment here",
    text: "The address of a payment ends in ?token= and the payment token of an order.",
};
const UNKNOWN_TOKEN: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    title: "There is no such payment",
    text: "No order has this payment token. Tokens are gone when the emulator starts again.",
};
const EXPIRED_TOKEN: Problem = Problem {
    status: StatusCode::GONE,
    title: "This payment has expired",
    text: "The time to pay is over. Go back to the game and start the purchase again.",
};
const IS_SANDBOX: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    title: "This is a sandbox payment",
    text: "The order was created with sandbox: true, and those are paid on the sandbox page.",
};
const IS_NOT_SANDBOX: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    title: "This is not a sandbox payment",
    text: "The order was created without sandbox: true, and those are paid on the usual page.",
};
const BAD_FORM: Problem = Problem {
    status: StatusCode::BAD_REQUEST,
    title: "That cannot be done here",
    text: "The page was sent something that none of its buttons sends.",
};
const BAD_METHOD: Problem = Problem {
    status: StatusCode::METHOD_NOT_ALLOWED,
    title: "That cannot be done here",
    text: "The page can be read, and its buttons pressed.",
};

/// The page, or what comes of one of its buttons.
pub(super) fn answer(shared: &Arc<Shared>, parts: &Parts, body: &[u8], is_sandbox: bool) -> Answer {
    let query = parts.uri.query().unwrap_or_default();
    let answer = match parts.method {
        Method::GET | Method::HEAD => show(&shared.lock(), query, is_sandbox),
        Method::POST => press(shared, query, body, is_sandbox),
        _ => Err(BAD_METHOD),
    };
    let mut answer = answer.unwrap_or_else(|problem| refuse(&problem, is_sandbox));
    if answer.status() == StatusCode::METHOD_NOT_ALLOWED {
        let methods = HeaderValue::from_static("GET, HEAD, POST");
        answer.headers_mut().insert(header::ALLOW, methods);
    }
    answer.headers_mut().extend(headers());
    answer
}

pub(super) fn style() -> Answer {
    let mut answer = with_type(StatusCode::OK, "text/css; charset=utf-8", STYLE.into());
    // For the refreshes; not for the next emulator on this port.
    let briefly = HeaderValue::from_static("max-age=30");
    answer.headers_mut().insert(header::CACHE_CONTROL, briefly);
    answer
}

/// A field of a query or of a form, which look the same.
fn field(form: &[u8], name: &str) -> Option<String> {
    let mut fields = url::form_urlencoded::parse(form);
    let (_, value) = fields.find(|(key, _)| key == name)?;
    Some(value.into_owned())
}

/// The order whose page this is, and its token.
fn find(state: &State, query: &str, is_sandbox: bool) -> Result<(u64, String), Problem> {
    let token = field(query.as_bytes(), "token").ok_or(NO_TOKEN)?;
    let id = state
        .order_of_payment(&token)
        .map_err(|denied| match denied {
            Denied::Unknown => UNKNOWN_TOKEN,
            Denied::Expired => EXPIRED_TOKEN,
        })?;
    let order = state.orders.get(&id).ok_or(UNKNOWN_TOKEN)?;
    match (order.payment.is_sandbox, is_sandbox) {
        (true, false) => Err(IS_SANDBOX),
        (false, true) => Err(IS_NOT_SANDBOX),
        _ => Ok((id, token)),
    }
}

fn show(state: &State, query: &str, is_sandbox: bool) -> Result<Answer, Problem> {
    let (id, token) = find(state, query, is_sandbox)?;
    let order = state.orders.get(&id).ok_or(UNKNOWN_TOKEN)?;
    let player = state.accounts.get(order.account);
    let player = player.map_or("", |account| account.name.as_str());
    Ok(html(
        StatusCode::OK,
        &order_page(id, order, player, &token, is_sandbox),
    ))
}

fn press(
    shared: &Arc<Shared>,
    query: &str,
    body: &[u8],
    is_sandbox: bool,
) -> Result<Answer, Problem> {
    let (id, token) = find(&shared.lock(), query, is_sandbox)?;
    let action = field(body, "action").ok_or(BAD_FORM)?;
    act(shared, id, Action::parse(&action).ok_or(BAD_FORM)?);
    // Back to the page, so that to reload it is not to press again.
    let path = if is_sandbox { SANDBOX_PATH } else { PATH };
    let page = HeaderValue::from_str(&format!("{path}?token={token}")).map_err(|_| BAD_FORM)?;
    let mut answer = html(StatusCode::SEE_OTHER, "");
    answer.headers_mut().insert(header::LOCATION, page);
    Ok(answer)
}

fn html(status: StatusCode, body: &str) -> Answer {
    with_type(status, "text/html; charset=utf-8", body.to_owned().into())
}

fn refuse(problem: &Problem, is_sandbox: bool) -> Answer {
    let Problem {
        status,
        title,
        text,
    } = problem;
    let main = format!(
        "<main class=\"card problem\">\n\
         <p class=\"code\">{}</p>\n\
         <h1>{title}</h1>\n\
         <p>{text}</p>\n\
         </main>\n",
        status.as_u16()
    );
    html(*status, &document(title, "", is_sandbox, &main))
}

/// Text that is safe between tags and in quoted attributes.
struct Escaped<T>(T);

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

fn document(title: &str, head: &str, is_sandbox: bool, main: &str) -> String {
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
         <link rel=\"stylesheet\" href=\"{PATH}page.css\">\n\
         {head}\
         </head>\n\
         <body>\n\
         <header><span class=\"mark\">Payment page of the emulator</span>{badge}</header>\n\
         {main}\
         <footer>Served by the emulator of bevy_xsolla. No card is asked for and no money moves.</footer>\n\
         </body>\n\
         </html>\n",
        title = Escaped(title)
    )
}

fn order_page(id: u64, order: &Order, player: &str, token: &str, is_sandbox: bool) -> String {
    let status = order.status();
    let total = match order.total() {
        Some(total) if !order.is_free => money(total.amount, &total.currency),
        _ => "Free".to_owned(),
    };
    let head = if is_pending(order) {
        format!("<meta http-equiv=\"refresh\" content=\"{REFRESH}\">\n")
    } else {
        String::new()
    };
    let items: String = order.lines.iter().map(item).collect();
    let (tone, outcome, detail) = outcome(order);
    let main = format!(
        "<main class=\"card\" data-order=\"{id}\" data-status=\"{status}\">\n\
         <h1>{total}</h1>\n\
         <p class=\"order\">Order <span class=\"id\">{id}</span> of {player}</p>\n\
         <ul class=\"items\">\n{items}</ul>\n\
         <ol class=\"steps\">\n{steps}</ol>\n\
         <div class=\"outcome {tone}\" role=\"status\">\n\
         <strong>{outcome}</strong>\n\
         <span>{detail}</span>\n\
         </div>\n\
         {form}\
         </main>\n",
        status = Escaped(status),
        total = Escaped(&total),
        player = Escaped(player),
        steps = steps(order),
        outcome = Escaped(outcome),
        detail = Escaped(detail),
        form = form(order, &total, token),
    );
    document(&format!("{outcome} · {total}"), &head, is_sandbox, &main)
}

fn money(amount: Decimal, currency: &str) -> String {
    format!("{amount} {currency}")
}

/// Whether there is going to be news without another press of a button.
fn is_pending(order: &Order) -> bool {
    match order.status() {
        "new" => order.is_payment_under_way(),
        "done" | "canceled" | "expired" => false,
        _ => true,
    }
}

fn item(line: &Line) -> String {
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
         <span class=\"price\">{price}</span></li>\n",
        initial = Escaped(initial),
        name = Escaped(name),
        sku = Escaped(&line.sku),
        quantity = line.quantity,
    )
}

/// The order's way, with its end if it came to a bad one.
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

/// How it stands: the tone, in a word, and what that means.
fn outcome(order: &Order) -> (&'static str, &str, &'static str) {
    let has_been_paid = order.has_been("paid") || order.has_been("done");
    match order.status() {
        "new" if order.is_payment_under_way() => (
            "busy",
            "Waiting for the payment",
            "As with a mobile phone, it takes its time. You can close this page: it goes on without.",
        ),
        "new" if order.was_declined() => (
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
                Action::Pay if order.is_payment_under_way() => "Confirm the payment now".to_owned(),
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
