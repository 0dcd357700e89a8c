//! The credentials that are admitted, and the credential that a client presents.

use std::{
    fmt,
    sync::{PoisonError, RwLock},
};

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hyper::{HeaderMap, header::AUTHORIZATION};
use subtle::{Choice, ConstantTimeEq};
use task_listen::reload::{self, Reload, Reloaded};

use super::{Scheme, SecretSource, secret::Secret};
use crate::config::{HttpError, HttpErrorKind};

/// Accepts padding and its absence, since some clients leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A secret, and how a client presents it.
pub(super) struct Credential {
    scheme: Scheme,
    source: SecretSource,
    secret: RwLock<Secret>,
}

impl Scheme {
    /// Checks what does not depend on the secret: a colon would end the user in `user:password`.
    fn check(&self) -> Result<(), HttpError> {
        match self {
            Self::Basic { user } if user.contains(':') || user.chars().any(char::is_control) => {
                Err(HttpErrorKind::User(user.clone()).into())
            }
            Self::Basic { .. } | Self::Bearer => Ok(()),
        }
    }

    /// Reads the secret, and checks that a client can present it under this scheme.
    fn read(&self, source: &SecretSource) -> Result<Secret, HttpError> {
        let bytes = match source {
            SecretSource::Text(text) => text.clone().into_bytes(),
            SecretSource::File(path) => {
                reload::read(path).map_err(|error| HttpError::unreadable(path, error))?
            }
        };
        let (parsed, what) = match self {
            Self::Bearer => (Secret::token(&bytes), "the token"),
            Self::Basic { .. } => (Secret::password(&bytes), "the password"),
        };
        parsed.map_err(|fault| {
            let what = match source {
                SecretSource::Text(_) => what.to_owned(),
                SecretSource::File(path) => format!("{what} in {}", path.display()),
            };
            HttpErrorKind::Secret { what, fault }.into()
        })
    }
}

impl Credential {
    /// Checks the scheme, and reads the secret from its source.
    pub(super) fn load(scheme: Scheme, source: SecretSource) -> Result<Self, HttpError> {
        scheme.check()?;
        let secret = RwLock::new(scheme.read(&source)?);
        Ok(Self { scheme, source, secret })
    }

    /// Returns whether the secret is read again from time to time.
    pub(super) fn has_file(&self) -> bool {
        matches!(self.source, SecretSource::File(_))
    }

    /// Returns the challenge of a 401 response.
    pub(super) fn challenge(&self) -> &'static str {
        match self.scheme {
            Scheme::Bearer => "Bearer realm=\"task\"",
            Scheme::Basic { .. } => "Basic realm=\"task\", charset=\"UTF-8\"",
        }
    }

    /// Compares in constant time.
    pub(super) fn matches(&self, presented: &Presented) -> Choice {
        let secret = self.secret.read().unwrap_or_else(PoisonError::into_inner);
        match (&self.scheme, presented) {
            (Scheme::Bearer, Presented::Bearer(token)) => secret.matches(token),
            (Scheme::Basic { user }, Presented::Basic { user: name, password }) => {
                // `&` and not `&&`, which would skip the password of an unknown user.
                user.as_bytes().ct_eq(name) & secret.matches(password)
            }
            (Scheme::Bearer, Presented::Basic { .. })
            | (Scheme::Basic { .. }, Presented::Bearer(_)) => Choice::from(0),
        }
    }
}

impl Reload for Credential {
    fn what(&self) -> &'static str {
        "credentials"
    }

    fn reload(&self) -> anyhow::Result<Reloaded> {
        let secret = self.scheme.read(&self.source)?;
        let mut current = self.secret.write().unwrap_or_else(PoisonError::into_inner);
        if current.equals(&secret) {
            return Ok(Reloaded::Same);
        }
        *current = secret;
        Ok(Reloaded::Changed)
    }
}

/// Without the secret.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("challenge", &self.challenge()).finish_non_exhaustive()
    }
}

/// The credential that a request presents.
pub(super) enum Presented {
    Bearer(Vec<u8>),
    Basic { user: Vec<u8>, password: Vec<u8> },
}

impl Presented {
    /// Returns the credential in `Authorization`; `None` if it is missing or malformed.
    pub(super) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(AUTHORIZATION)?.as_bytes();
        let blank = value.iter().position(|byte| *byte == b' ')?;
        let (scheme, rest) = (&value[..blank], value[blank..].trim_ascii());
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return Some(Self::Bearer(rest.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return None;
        }
        let mut user = BASE64.decode(rest).ok()?;
        let colon = user.iter().position(|byte| *byte == b':')?;
        let password = user.split_off(colon + 1);
        user.truncate(colon);
        Some(Self::Basic { user, password })
    }
}
