//! What becomes of a token that a server checks.

use std::ops::Deref;

use thiserror::Error;

use crate::model::error::RequestError;
use crate::model::user::XsollaUser;

/// A player whose token was found to be signed by Xsolla Login, for the right project, and not expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedUser(pub(crate) XsollaUser);

impl VerifiedUser {
    /// The player, for [`track_order_as`](crate::OrderCommands::track_order_as) and
    /// [`purchase_as`](crate::StoreCommands::purchase_as).
    pub fn into_user(self) -> XsollaUser {
        self.0
    }
}

impl Deref for VerifiedUser {
    type Target = XsollaUser;

    fn deref(&self) -> &XsollaUser {
        &self.0
    }
}

impl From<VerifiedUser> for XsollaUser {
    fn from(user: VerifiedUser) -> Self {
        user.0
    }
}

/// The reason that a token says nothing about who brings it. None of them has text of the token.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// It is no JSON Web Token.
    #[error("the token is no JSON Web Token")]
    Malformed,
    /// It is signed by another algorithm than the project's, or not at all.
    #[error("the token is signed by the algorithm {0:?}")]
    Algorithm(String),
    /// The project has no key of this id, or none is named and the project has several.
    #[error("the token is signed with a key that the project does not have")]
    UnknownKey,
    /// The signature is not that of this token.
    #[error("the token's signature is wrong")]
    WrongSignature,
    /// It comes from somebody else than Xsolla Login.
    #[error("the token has another issuer")]
    Issuer,
    /// It is for another Login project.
    #[error("the token is for another Login project")]
    LoginProject,
    /// It names no player.
    #[error("the token names no player")]
    NoSubject,
    /// It has expired, or does not say when it does.
    #[error("the token has expired")]
    Expired,
    /// It is for a later time.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The project's keys cannot be had. The token may be right: try again later.
    #[error("the keys of the Login project cannot be had: {0}")]
    NoKeys(RequestError),
}
