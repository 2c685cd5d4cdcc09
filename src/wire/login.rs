//! Xsolla Login's exchange of a refresh token for the player's next token, which Xsolla calls Generate JWT.

use std::time::{Duration, SystemTime};

use crate::model::error::{RequestError, cut};
use crate::model::http::{Body, Request, Response};
use crate::model::json::Object;
use crate::model::login::{RefreshToken, XsollaLogin};
use crate::model::user::XsollaUser;
use crate::wire::rest;

/// How long an exchange may take. One whose answer is lost may have used the refresh token up, so it is given time.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The tokens of an answer.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tokens {
    /// The player with their token.
    pub(crate) user: Option<XsollaUser>,
    /// The refresh token that takes the place of the one that was sent.
    pub(crate) refresh: Option<RefreshToken>,
}

/// Requests the next token.
pub(crate) fn refresh(login: &XsollaLogin, token: &RefreshToken) -> Result<Request, RequestError> {
    let api = login.endpoint().map_err(|_| RequestError::NotConfigured)?;
    let mut fields = vec![
        ("grant_type", "refresh_token"),
        ("client_id", login.client_id.as_str()),
        ("refresh_token", token.secret()),
    ];
    if let Some(uri) = &login.redirect_uri {
        fields.push(("redirect_uri", uri));
    }
    if let Some(secret) = &login.client_secret {
        fields.push(("client_secret", secret.text()));
    }
    let address = api.below(&["oauth2", "token"]);
    Ok(Request {
        address: address.map_err(RequestError::Network)?,
        credentials: None,
        body: Some(Body::form(fields)),
        timeout: TIMEOUT,
    })
}

/// Reads the answer, or the error that it describes.
pub(crate) fn read_tokens(response: Response, now: SystemTime) -> Result<Tokens, RequestError> {
    if !(200..=299).contains(&response.status) {
        return Err(refusal(response, now));
    }
    let answer = Object::read(&response.body).map_err(RequestError::Malformed)?;
    let text = |name: &str| answer.text(name).filter(|text| !text.trim().is_empty());
    Ok(Tokens {
        user: text("access_token").map(XsollaUser::new),
        refresh: text("refresh_token").map(RefreshToken::new),
    })
}

/// Whether the exchange is refused for good, such as for a refresh token that was used or revoked. A proxy's answer says
/// nothing of it.
pub(crate) fn is_final(error: &RequestError) -> bool {
    let is_refused = matches!(
        error,
        RequestError::Status {
            status: 400 | 401 | 403 | 404 | 422,
            ..
        }
    );
    is_refused && !error.is_foreign()
}

/// Reads `{"error":{"code":"010-023","description":"…"}}`, which Xsolla Login answers with, and also
/// `{"error":"invalid_grant","error_description":"…"}` of RFC 6749.
fn refusal(response: Response, now: SystemTime) -> RequestError {
    let body = Object::read(&response.body).unwrap_or_default();
    let (code, message) = match body.object("error") {
        Some(error) => (error.text("code"), error.text("description")),
        None => (body.text("error"), body.text("error_description")),
    };
    if code.is_none() && message.is_none() {
        // It may be an error in the form of the store.
        let status = response.status;
        let read = rest::body(response, now).err();
        return read.unwrap_or(RequestError::Malformed(format!("HTTP {status}")));
    }
    let retry_after = response.retry_after.as_deref();
    RequestError::Status {
        status: response.status,
        code: code.map(|text| cut(&text, 64)),
        message: message.map(|text| cut(&text, 300)),
        transaction_id: None,
        retry_after: retry_after.and_then(|text| rest::read_retry_after(text, now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<Tokens, RequestError> {
        let response = Response {
            status,
            retry_after: Some("7".to_owned()),
            body: body.as_bytes().to_vec(),
        };
        read_tokens(response, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn the_exchange_is_the_documented_form() {
        let login = XsollaLogin::new(57);
        let token = RefreshToken::new("a+b/c=");
        let request = refresh(&login, &token).unwrap();
        let address = request.address.uri().to_string();
        assert_eq!(address, "https://login.xsolla.com/api/oauth2/token");
        let body = request.body.unwrap();
        assert_eq!(body.content_type, "application/x-www-form-urlencoded");
        let fields = "grant_type=refresh_token&client_id=57&refresh_token=a%2Bb%2Fc%3D";
        assert_eq!(body.text, fields);
        assert!(!format!("{body:?}").contains("a%2B"));

        let login = login
            .with_redirect_uri("https://login.xsolla.com/api/blank")
            .with_client_secret("s&s");
        let body = refresh(&login, &token).unwrap().body.unwrap();
        let more = "&redirect_uri=https%3A%2F%2Flogin.xsolla.com%2Fapi%2Fblank&client_secret=s%26s";
        assert_eq!(body.text, format!("{fields}{more}"));
    }

    #[test]
    fn an_answer_has_the_token_and_perhaps_the_next_refresh_token() {
        let documented = r#"{"access_token":"2abc","expires_in":3600,"refresh_token":"tGzv","token_type":"bearer"}"#;
        let both = Tokens {
            user: Some(XsollaUser::new("2abc")),
            refresh: Some(RefreshToken::new("tGzv")),
        };
        assert_eq!(read(200, documented), Ok(both));
        let shown = format!("{:?}", read(200, documented));
        assert!(
            !shown.contains("2abc") && !shown.contains("tGzv"),
            "{shown}"
        );
        for body in [
            r#"{"access_token":"2abc"}"#,
            r#"{"access_token":"2abc","refresh_token":null}"#,
            r#"{"access_token":"2abc","refresh_token":"","new":[1]}"#,
        ] {
            let tokens = read(200, body).unwrap();
            let user = Some(XsollaUser::new("2abc"));
            assert_eq!((tokens.user, tokens.refresh), (user, None));
        }
        assert_eq!(read(200, "{}"), Ok(Tokens::default()));
        let garbled = r#"{"access_token":"2Y"#;
        assert!(matches!(
            read(200, garbled),
            Err(RequestError::Malformed(_))
        ));
    }

    #[test]
    fn only_xsollas_own_refusal_is_final() {
        let used = r#"{"error":{"code":"010-023","description":"Refresh token is invalid"}}"#;
        let oauth = r#"{"error":"invalid_grant","error_description":"it is used"}"#;
        let store = r#"{"statusCode":401,"errorCode":1501,"errorMessage":"[0401-1501]: no"}"#;
        for (status, body, code, expected) in [
            (400, used, Some("010-023"), true),
            (401, used, Some("010-023"), true),
            (400, oauth, Some("invalid_grant"), true),
            (401, store, Some("0401-1501"), true),
            (403, "<html>blocked</html>", None, false),
            (404, "", None, false),
            (401, "{}", None, false),
            (429, used, Some("010-023"), false),
            (500, used, Some("010-023"), false),
            (418, used, Some("010-023"), false),
        ] {
            let error = read(status, body).unwrap_err();
            assert_eq!(
                (error.code(), is_final(&error)),
                (code, expected),
                "{error}"
            );
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        }
    }
}
