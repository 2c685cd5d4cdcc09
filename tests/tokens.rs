//! Tokens that players bring to a server: which ones it believes, and how often it asks for keys.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a test that cannot go on is to stop"
)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bevy_xsolla::XsollaUser;
use bevy_xsolla::token::{TokenError, TokenVerifier};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

const PROJECT: &str = "026201e3-0000-4000-8000-000000000000";
/// Keys that sign nothing but the tokens of these tests.
const FIRST: &[u8] = include_bytes!("token_keys/first.pk8");
const SECOND: &[u8] = include_bytes!("token_keys/second.pk8");

/// The private half of one of a Login project's keys.
struct Key {
    id: &'static str,
    pair: RsaKeyPair,
}

impl Key {
    fn new(id: &'static str, pkcs8: &[u8]) -> Self {
        let pair = RsaKeyPair::from_pkcs8(pkcs8).unwrap();
        Self { id, pair }
    }

    fn first() -> Self {
        Self::new("first", FIRST)
    }

    /// The key as the project publishes it.
    fn public(&self) -> Value {
        let (n, e) = self.components();
        json!({"alg": "RS256", "e": e, "kid": self.id, "kty": "RSA", "n": n, "use": "sig"})
    }

    fn components(&self) -> (String, String) {
        let public = PublicKeyComponents::<Vec<u8>>::from(self.pair.public_key());
        let [n, e] = [public.n, public.e].map(|number| URL_SAFE_NO_PAD.encode(number));
        (n, e)
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_as(
            &json!({"alg": "RS256", "typ": "JWT", "kid": self.id}),
            claims,
        )
    }

    fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let random = SystemRandom::new();
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &random,
                signed.as_bytes(),
                &mut signature,
            )
            .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}")
}

fn sign_with_secret(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let signed = unsigned(header, claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The time in this many seconds.
fn in_seconds(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + seconds
}

fn claims() -> Value {
    json!({
        "iss": "https://login.xsolla.com",
        "sub": "alice",
        "exp": in_seconds(3_600),
        "iat": in_seconds(-1),
        "xsolla_login_project_id": PROJECT,
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

/// The Login API, which answers with these keys, or with an error.
struct LoginApi {
    address: String,
    answer: Arc<Mutex<(u16, String)>>,
    requests: Arc<AtomicUsize>,
}

impl LoginApi {
    fn with(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = format!("http://{}/api", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new((200, String::new())));
        let requests = Arc::new(AtomicUsize::new(0));
        let (shared, count) = (answer.clone(), requests.clone());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]);
                assert!(request.starts_with(&format!("GET /api/projects/{PROJECT}/keys ")));
                count.fetch_add(1, Ordering::SeqCst);
                let (status, body) = shared.lock().unwrap().clone();
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        let api = Self {
            address,
            answer,
            requests,
        };
        api.publish(keys);
        api
    }

    fn publish(&self, keys: &[&Key]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.public()).collect();
        self.answer_with(200, &json!(keys).to_string());
    }

    fn answer_with(&self, status: u16, body: &str) {
        *self.answer.lock().unwrap() = (status, body.to_owned());
    }

    fn verifier(&self) -> TokenVerifier {
        TokenVerifier::new(PROJECT).with_api(&self.address)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn verify(verifier: &TokenVerifier, token: &str) -> Result<XsollaUser, TokenError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let user = runtime.block_on(verifier.verify(token))?;
    Ok(user.into_user())
}

#[test]
fn a_token_that_the_project_has_signed_names_its_player() {
    let key = Key::first();
    let api = LoginApi::with(&[&key]);
    let verifier = api.verifier();
    for token in [
        key.sign(&claims()),
        format!("Bearer {} ", key.sign(&claims())),
    ] {
        let user = verify(&verifier, &token).unwrap();
        assert_eq!(user.id().subject(), Some("alice"));
        assert!(user.expires_at().is_some());
    }
    assert_eq!(api.requests(), 1, "the keys are kept");
}

#[test]
fn no_letter_of_a_token_may_change() {
    let key = Key::first();
    let verifier = LoginApi::with(&[&key]).verifier();
    let token = key.sign(&claims());
    assert!(verify(&verifier, &token).is_ok());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    for index in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let result = runtime.block_on(verifier.verify(&changed));
        assert!(result.is_err(), "letter {index}");
    }
    for length in 0..token.len() {
        let result = runtime.block_on(verifier.verify(&token[..length]));
        assert!(result.is_err(), "{length} letters");
    }
}

#[test]
fn a_token_for_somebody_else_or_another_time_is_refused() {
    let key = Key::first();
    let verifier = LoginApi::with(&[&key]).verifier();
    for (claims, error) in [
        (
            with("iss", json!("https://example.com")),
            TokenError::Issuer,
        ),
        (with("iss", json!(null)), TokenError::Issuer),
        (
            with("xsolla_login_project_id", json!("another")),
            TokenError::LoginProject,
        ),
        (
            with("xsolla_login_project_id", json!(null)),
            TokenError::LoginProject,
        ),
        (with("sub", json!("")), TokenError::NoSubject),
        (with("sub", json!(null)), TokenError::NoSubject),
        (with("exp", json!(in_seconds(-61))), TokenError::Expired),
        (with("exp", json!(null)), TokenError::Expired),
        (with("exp", json!("soon")), TokenError::Expired),
        (with("exp", json!(-1)), TokenError::Expired),
        (with("nbf", json!(in_seconds(90))), TokenError::NotYetValid),
        (with("nbf", json!("later")), TokenError::NotYetValid),
    ] {
        assert_eq!(
            verify(&verifier, &key.sign(&claims)),
            Err(error),
            "{claims}"
        );
    }
    for claims in [
        with("exp", json!(in_seconds(-30))),
        with("exp", json!(format!("{}.5", in_seconds(30)))),
        with("nbf", json!(in_seconds(30))),
        with("nbf", json!(null)),
    ] {
        assert!(verify(&verifier, &key.sign(&claims)).is_ok(), "{claims}");
    }
}

#[test]
fn the_project_and_not_the_token_decides_how_it_is_signed() {
    let key = Key::first();
    let verifier = LoginApi::with(&[&key]).verifier();
    let refused = |token: &str, algorithm: &str| {
        let error = TokenError::Algorithm(algorithm.to_owned());
        assert_eq!(verify(&verifier, token), Err(error), "{algorithm}");
    };
    for algorithm in ["none", "None", "NONE", "", "RS384", "PS256", "rs256"] {
        let header = json!({"alg": algorithm, "kid": key.id});
        refused(&format!("{}.", unsigned(&header, &claims())), algorithm);
        refused(&key.sign_as(&header, &claims()), algorithm);
    }
    // The public key, which everybody has, in place of a secret.
    let header = json!({"alg": "HS256", "kid": key.id});
    let (modulus, _) = key.components();
    let public = key.pair.public_key().as_ref();
    for secret in [modulus.as_bytes(), public, b""] {
        let token = sign_with_secret(&header, &claims(), secret);
        refused(&token, "HS256");
    }
    // And the other way round.
    let verifier = TokenVerifier::with_secret(PROJECT, public);
    let error = TokenError::Algorithm("RS256".to_owned());
    assert_eq!(verify(&verifier, &key.sign(&claims())), Err(error));
}

#[test]
fn a_project_that_signs_with_a_secret_needs_no_keys() {
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let verifier = TokenVerifier::with_secret(PROJECT, "secret");
    let token = sign_with_secret(&header, &claims(), b"secret");
    assert!(verify(&verifier, &token).is_ok());
    let token = sign_with_secret(&header, &claims(), b"another");
    assert_eq!(verify(&verifier, &token), Err(TokenError::WrongSignature));
    let token = sign_with_secret(&header, &with("iss", json!("x")), b"secret");
    assert_eq!(verify(&verifier, &token), Err(TokenError::Issuer));
    let verifier = TokenVerifier::with_secret(PROJECT, "");
    let token = sign_with_secret(&header, &claims(), b"");
    assert_eq!(verify(&verifier, &token), Err(TokenError::WrongSignature));
}

#[test]
fn a_key_of_another_project_signs_nothing_here() {
    let (key, other) = (Key::first(), Key::new("first", SECOND));
    let verifier = LoginApi::with(&[&key]).verifier();
    let result = verify(&verifier, &other.sign(&claims()));
    assert_eq!(result, Err(TokenError::WrongSignature));
}

#[test]
fn unknown_keys_are_asked_for_once_a_minute_and_known_ones_go_on() {
    let (key, new) = (Key::first(), Key::new("second", SECOND));
    let api = LoginApi::with(&[&key]);
    let verifier = api.verifier();
    for _ in 0..20 {
        let result = verify(&verifier, &new.sign(&claims()));
        assert_eq!(result, Err(TokenError::UnknownKey));
    }
    assert_eq!(api.requests(), 1);
    assert!(verify(&verifier.clone(), &key.sign(&claims())).is_ok());
    assert_eq!(api.requests(), 1);
    // A verifier that asks only now has the new one.
    api.publish(&[&key, &new]);
    assert!(verify(&api.verifier(), &new.sign(&claims())).is_ok());
}

#[test]
fn a_token_without_a_key_id_is_of_the_only_key() {
    let (key, other) = (Key::first(), Key::new("second", SECOND));
    let token = key.sign_as(&json!({"alg": "RS256"}), &claims());
    let api = LoginApi::with(&[&key]);
    assert!(verify(&api.verifier(), &token).is_ok());
    api.publish(&[&key, &other]);
    let result = verify(&api.verifier(), &token);
    assert_eq!(result, Err(TokenError::UnknownKey));
}

#[test]
fn keys_that_cannot_be_had_are_told_apart_from_a_wrong_token() {
    let key = Key::first();
    let api = LoginApi::with(&[&key]);
    for (status, body) in [
        (500, "{}"),
        (404, r#"{"error":{"code":"003-061"}}"#),
        (200, "<html>"),
        (200, "[]"),
        (200, "{}"),
        (200, r#"[{"kty":"EC","kid":"first","x":"AA","y":"AA"}]"#),
    ] {
        api.answer_with(status, body);
        let result = verify(&api.verifier(), &key.sign(&claims()));
        assert!(
            matches!(result, Err(TokenError::NoKeys(_))),
            "{body}: {result:?}"
        );
    }
    let wrapped = json!({"keys": [{"kty": "EC"}, key.public(), 5]});
    api.answer_with(200, &wrapped.to_string());
    assert!(verify(&api.verifier(), &key.sign(&claims())).is_ok());
    let nowhere = TokenVerifier::new(PROJECT).with_api("nonsense");
    let result = verify(&nowhere, &key.sign(&claims()));
    assert!(matches!(result, Err(TokenError::NoKeys(_))), "{result:?}");
}

#[test]
fn no_error_and_no_debug_text_has_anything_of_the_token_or_the_secret() {
    let verifier = TokenVerifier::with_secret(PROJECT, "very-secret");
    assert!(!format!("{verifier:?}").contains("secret\""));
    for token in ["very-private", "a.b.c", "very.private.token"] {
        let error = verify(&verifier, token).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("private"), "{error}");
    }
}
