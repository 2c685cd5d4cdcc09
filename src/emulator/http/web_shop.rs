//! The Web Shop: a page that sells to a player without their game, as a studio's Web Shop does.

use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use url::Url;

use super::answer::Answer;
use super::html::{Escaped, document, item};
use super::page::{BAD_METHOD, Problem, field, html_answer, with_headers};
use super::paths;
use crate::emulator::world::accounts::AccountId;
use crate::emulator::world::catalog::Section;
use crate::emulator::world::order::Line;
use crate::emulator::world::shared::Shared;
use crate::emulator::world::state::State;

const NO_PLAYER: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    title: "Who is buying?",
    text: "The address of the shop ends in ?user= and the name of a player.",
};
const REFUSED: Problem = Problem {
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "That is not for sale",
    text: "It is not for money, it is sold out, or there is no such item.",
};

/// Shows what is for sale, or makes the order of an item and leads to its payment page.
pub(crate) fn answer(shared: &Shared, parts: &Parts, body: &[u8]) -> Answer {
    let state = &mut shared.lock();
    let query = parts.uri.query().unwrap_or_default();
    let name = field(query.as_bytes(), "user").filter(|name| !name.is_empty());
    let answer = match (name, &parts.method) {
        (None, _) => Err(NO_PLAYER),
        (Some(name), &Method::GET | &Method::HEAD) => {
            let account = state.accounts.find_or_create(&name);
            Ok(html_answer(StatusCode::OK, page(state, account, &name)))
        }
        (Some(name), &Method::POST) => {
            let account = state.accounts.find_or_create(&name);
            buy(state, account, parts, body)
        }
        _ => Err(BAD_METHOD),
    };
    with_headers(answer.unwrap_or_else(|problem| problem.answer(false)))
}

fn buy(
    state: &mut State,
    account: AccountId,
    parts: &Parts,
    body: &[u8],
) -> Result<Answer, Problem> {
    let sku = field(body, "sku").ok_or(REFUSED)?;
    let line = for_money(state, &sku).ok_or(REFUSED)?;
    // The player comes back to the shop.
    let host = parts.headers.get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let return_url = Url::parse(&format!("http://{host}{}", parts.uri)).ok();
    let ordered = state.order_for_money(account, vec![line], false, return_url);
    let (_, token) = ordered.map_err(|_| REFUSED)?;
    let page = format!("{}?token={token}", paths::PAYMENT_PAGE);
    let page = HeaderValue::from_str(&page).map_err(|_| REFUSED)?;
    let mut answer = html_answer(StatusCode::SEE_OTHER, String::new());
    answer.headers_mut().insert(header::LOCATION, page);
    Ok(answer)
}

/// One of this item, if it is sold for money.
fn for_money(state: &State, sku: &str) -> Option<Line> {
    let line = state.line(sku, None).ok()?;
    (line.offer.price.is_some() && !line.offer.is_free).then_some(line)
}

fn page(state: &State, account: AccountId, name: &str) -> String {
    let lines: Vec<Line> = state
        .catalog
        .section(Section::Everything)
        .filter_map(|item| for_money(state, item.get("sku")?.as_str()?))
        .collect();
    let rows: String = lines.iter().map(|line| row(state, account, line)).collect();
    let main = format!(
        "<main class=\"card shop\">\n\
         <h1>Web Shop</h1>\n\
         <p class=\"order\">What {name} buys here is theirs in the game, too.</p>\n\
         <ul class=\"items\">\n{rows}</ul>\n\
         </main>\n",
        name = Escaped(name),
    );
    document("Web Shop", "Web Shop of the emulator", "", false, &main)
}

fn row(state: &State, account: AccountId, line: &Line) -> String {
    let is_sold_out = state
        .check_limits(account, std::slice::from_ref(line))
        .is_err();
    let button = match is_sold_out {
        true => "<button disabled>Sold out</button>",
        false => "<button class=\"buy\">Buy</button>",
    };
    let sku = Escaped(&line.sku);
    let form = format!(
        "<form method=\"post\"><input type=\"hidden\" name=\"sku\" value=\"{sku}\">{button}</form>"
    );
    item(line, &form)
}
