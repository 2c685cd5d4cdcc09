//! Amounts of money as people write them.
//!
//! The tables are here, because the crates for it (`iso_currency`, `rusty_money`, ICU) have names, numbers and countries
//! of all currencies, which a game in a browser would have to load. A currency that the tables lack has two decimals, as
//! most have, and its code after the amount.

use std::fmt;

use rust_decimal::Decimal;

/// Writes `$30.00`, `-$0.50` or `30.00 CHF`. No digit is lost: an amount may have more decimals than its currency.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, amount: Decimal, currency: &str) -> fmt::Result {
    let digits = amount.abs().to_string();
    let (whole, decimals) = digits.split_once('.').unwrap_or((&digits, ""));
    let decimals = decimals.trim_end_matches('0');
    let width = minor_units(currency);
    let point = if decimals.is_empty() && width == 0 {
        ""
    } else {
        "."
    };
    let sign = if amount < Decimal::ZERO { "-" } else { "" };
    match symbol(currency) {
        Some(symbol) => write!(f, "{sign}{symbol}{whole}{point}{decimals:0<width$}"),
        None => write!(f, "{sign}{whole}{point}{decimals:0<width$} {currency}"),
    }
}

// Texts, because a `match` of as many codes is three times as much to load.

/// The currencies without decimals, with three of them and with four, from ISO 4217.
const NO_DECIMALS: &str = "BIFCLPDJFGNFISKJPYKMFKRWPYGRWFUGXUYIVNDVUVXAFXOFXPF";
const THREE_DECIMALS: &str = "BHDIQDJODKWDLYDOMRTND";
const FOUR_DECIMALS: &str = "CLFUYW";

/// The symbols in English, from Unicode's CLDR. Each belongs to one currency only: `$` is the US dollar.
const SYMBOLS: &str = "AUD=A$ BRL=R$ CAD=CA$ CNY=CN¥ EUR=€ GBP=£ HKD=HK$ ILS=₪ INR=₹ JPY=¥ KRW=₩ MXN=MX$ NZD=NZ$ PHP=₱ \
                       TWD=NT$ USD=$ VND=₫";

fn minor_units(currency: &str) -> usize {
    let is_in = |codes: &str| {
        codes
            .as_bytes()
            .chunks(3)
            .any(|code| code == currency.as_bytes())
    };
    if is_in(NO_DECIMALS) {
        0
    } else if is_in(THREE_DECIMALS) {
        3
    } else if is_in(FOUR_DECIMALS) {
        4
    } else {
        2
    }
}

fn symbol(currency: &str) -> Option<&'static str> {
    let mut symbols = SYMBOLS.split(' ');
    symbols.find_map(|symbol| symbol.strip_prefix(currency)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use crate::model::order::Price;

    #[test]
    fn an_amount_is_written_as_people_write_it() {
        for (amount, currency, text) in [
            ("30", "USD", "$30.00"),
            ("12.49", "USD", "$12.49"),
            ("5.0000000000000000", "USD", "$5.00"),
            ("0", "USD", "$0.00"),
            ("-0.5", "EUR", "-€0.50"),
            ("3000.00", "JPY", "¥3000"),
            ("1200", "KRW", "₩1200"),
            ("0.25", "KWD", "0.250 KWD"),
            ("7", "CHF", "7.00 CHF"),
            ("7", "", "7.00 "),
            ("0.5", "CLF", "0.5000 CLF"),
            ("-3", "VND", "-₫3"),
            ("7.1", "gems", "7.10 gems"),
            ("19.5", "BRL", "R$19.50"),
            // Nothing is rounded: it would be another price.
            ("0.005", "USD", "$0.005"),
            ("10.5", "JPY", "¥10.5"),
        ] {
            let price = Price::new(amount.parse().unwrap(), currency);
            assert_eq!(price.to_string(), text);
        }
    }
}
