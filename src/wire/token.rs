//! Tokens of Xsolla Login: their signature, and their claims.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use rust_decimal::prelude::ToPrimitive;

use crate::model::error::cut;
use crate::model::json::Object;
use crate::model::token::TokenError;

/// By how much the clocks of Xsolla and of this machine may differ.
const LEEWAY: Duration = Duration::from_secs(60);
/// The longest token that is looked at. Those of Xsolla Login have about one kilobyte.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A public key of a Login project.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    id: String,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

/// What a token has to be signed with.
pub(crate) enum Keys<'a> {
    /// The public keys of the project: RS256.
    Public(&'a [PublicKey]),
    /// The secret of the project: HS256.
    Secret(&'a [u8]),
}

/// Reads the answer of `…/projects/{id}/keys`: a list of JSON Web Keys, or an object with such a list. Keys of other
/// kinds are passed over.
pub(crate) fn read_keys(json: &[u8]) -> Result<Vec<PublicKey>, String> {
    let text = str::from_utf8(json).map_err(|_| "it is no UTF-8".to_owned())?;
    let keys: Vec<Object<'_>> = match serde_json::from_str(text) {
        Ok(keys) => keys,
        Err(_) => {
            let keys = Object::read(json)?.list("keys");
            let keys = keys.ok_or_else(|| "it has no keys".to_owned())?;
            keys.into_iter().flatten().collect()
        }
    };
    Ok(keys.iter().filter_map(read_key).collect())
}

fn read_key(key: &Object<'_>) -> Option<PublicKey> {
    let is_rsa = key.text("kty").is_none_or(|kind| kind == "RSA");
    let is_rs256 = key.text("alg").is_none_or(|algorithm| algorithm == "RS256");
    let signs = key.text("use").is_none_or(|purpose| purpose == "sig");
    let number = |name: &str| {
        let text = key.text(name)?;
        URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
    };
    (is_rsa && is_rs256 && signs).then_some(())?;
    Some(PublicKey {
        id: key.text("kid").unwrap_or_default(),
        modulus: number("n")?,
        exponent: number("e")?,
    })
}

/// What the claims of a token have to be.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) login_project: &'a str,
    pub(crate) now: SystemTime,
}

/// Checks a token's signature, and then its claims. [`TokenError::UnknownKey`] may be for want of a newer list of keys.
pub(crate) fn check(
    token: &str,
    keys: &Keys<'_>,
    expected: &Expected<'_>,
) -> Result<(), TokenError> {
    let parts: Vec<&str> = token.split('.').collect();
    let &[header, claims, signature] = parts.as_slice() else {
        return Err(TokenError::Malformed);
    };
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::Malformed);
    }
    let decode = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part);
        bytes.map_err(|_| TokenError::Malformed)
    };
    let (header, signature) = (decode(header)?, decode(signature)?);
    let header = Object::read(&header).map_err(|_| TokenError::Malformed)?;
    let signed = token.rsplit_once('.').map_or("", |(signed, _)| signed);
    check_signature(signed.as_bytes(), &header, &signature, keys)?;
    let claims = decode(claims)?;
    let claims = Object::read(&claims).map_err(|_| TokenError::Malformed)?;
    check_claims(&claims, expected)
}

fn check_signature(
    signed: &[u8],
    header: &Object<'_>,
    signature: &[u8],
    keys: &Keys<'_>,
) -> Result<(), TokenError> {
    // The project decides how its tokens are signed, and not the token: one that is signed with a public key as if
    // that were a secret, or not at all, is of no use.
    let algorithm = header.text("alg").unwrap_or_default();
    let expected = match keys {
        Keys::Public(_) => "RS256",
        Keys::Secret(_) => "HS256",
    };
    if algorithm != expected {
        return Err(TokenError::Algorithm(cut(&algorithm, 16)));
    }
    let is_right = match keys {
        // Anybody can sign with an empty one.
        Keys::Secret([]) => false,
        Keys::Secret(secret) => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            hmac::verify(&key, signed, signature).is_ok()
        }
        Keys::Public(keys) => {
            let key = match (header.text("kid"), keys) {
                (Some(id), keys) => keys.iter().find(|key| key.id == id),
                // A project with one key need not name it.
                (None, [key]) => Some(key),
                (None, _) => None,
            };
            let key = key.ok_or(TokenError::UnknownKey)?;
            let components = RsaPublicKeyComponents {
                n: &key.modulus,
                e: &key.exponent,
            };
            let verified = components.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature);
            verified.is_ok()
        }
    };
    is_right.then_some(()).ok_or(TokenError::WrongSignature)
}

fn check_claims(claims: &Object<'_>, expected: &Expected<'_>) -> Result<(), TokenError> {
    let time = |name: &str| {
        let seconds = claims.decimal(name)?.floor().to_u64()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    };
    let is = |name: &str, value: &str| claims.text(name).is_some_and(|text| text == value);
    if !is("iss", expected.issuer) {
        return Err(TokenError::Issuer);
    }
    if !is("xsolla_login_project_id", expected.login_project) {
        return Err(TokenError::LoginProject);
    }
    if claims.text("sub").is_none_or(|subject| subject.is_empty()) {
        return Err(TokenError::NoSubject);
    }
    // A token without an end would be good forever.
    let expires_at = time("exp").ok_or(TokenError::Expired)?;
    if expires_at
        .checked_add(LEEWAY)
        .is_none_or(|end| end <= expected.now)
    {
        return Err(TokenError::Expired);
    }
    if !claims.is_missing("nbf") {
        let begins_at = time("nbf").ok_or(TokenError::NotYetValid)?;
        if expected
            .now
            .checked_add(LEEWAY)
            .is_some_and(|now| now < begins_at)
        {
            return Err(TokenError::NotYetValid);
        }
    }
    Ok(())
}
