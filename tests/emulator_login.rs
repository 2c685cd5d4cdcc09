//! The emulator's Xsolla Login: refresh tokens are used once.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod emulator_client;

use std::io::Write;

use bevy_xsolla::emulator::XsollaEmulator;
use emulator_client::{Response, get, receive, tcp};
use serde_json::json;

/// Exchanges a refresh token.
fn exchange(emulator: &XsollaEmulator, fields: &str) -> Response {
    let head = "POST /api/oauth2/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{fields}", fields.len());
    let mut stream = tcp(&emulator.login_url());
    stream.write_all(request.as_bytes()).unwrap();
    receive(stream).unwrap()
}

#[test]
fn a_refresh_token_is_exchanged_once_for_a_token_and_the_next_one() {
    let emulator = XsollaEmulator::start();
    let order_id = emulator.create_order(&emulator.user("alice"), &[("sword", 1)]);
    let mut refresh_token = emulator.refresh_token("alice").secret().to_owned();
    for _ in 0..2 {
        let fields = format!("grant_type=refresh_token&client_id=57&refresh_token={refresh_token}");
        let answer = exchange(&emulator, &fields);
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        assert_eq!(body["expires_in"], 3_600);
        assert_eq!(body["token_type"], "bearer");
        let token = body["access_token"].as_str().unwrap();
        let order = get(&emulator, &format!("order/{order_id}"), token);
        assert_eq!(order.status, 200, "the token is good");

        let again = exchange(&emulator, &fields);
        assert_eq!(
            (again.status, &again.json()["error"]["code"]),
            (400, &json!("010-023"))
        );
        refresh_token = body["refresh_token"].as_str().unwrap().to_owned();
    }
    emulator.revoke_refresh_tokens("alice");
    let fields = format!("grant_type=refresh_token&client_id=57&refresh_token={refresh_token}");
    assert_eq!(exchange(&emulator, &fields).status, 400);
    assert_eq!(emulator.token_requests(), 5);
}

#[test]
fn an_exchange_without_its_fields_is_refused_in_the_form_of_xsolla_login() {
    let emulator = XsollaEmulator::start();
    let token = emulator.refresh_token("alice").secret().to_owned();
    for (fields, code) in [
        (String::new(), "0"),
        ("{}".to_owned(), "0"),
        (
            format!("grant_type=password&client_id=57&refresh_token={token}"),
            "0",
        ),
        (
            format!("grant_type=refresh_token&refresh_token={token}"),
            "010-019",
        ),
        ("grant_type=refresh_token&client_id=57".to_owned(), "0"),
    ] {
        let answer = exchange(&emulator, &fields);
        let body = answer.json();
        assert_eq!(
            (answer.status, body["error"]["code"].as_str()),
            (400, Some(code))
        );
        assert!(body["error"]["description"].is_string());
    }
}
