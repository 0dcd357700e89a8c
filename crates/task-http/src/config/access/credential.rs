//! What a client may present, and what it did present.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hyper::{HeaderMap, header::AUTHORIZATION};
use subtle::{Choice, ConstantTimeEq};

use super::secret::Secret;
use crate::{
    config::error::AccessError,
    reload::{self, Reload, Reloaded},
};

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A secret that admits whoever presents it in the right way.
pub(super) struct Credential {
    scheme: Scheme,
    secret: RwLock<Secret>,
    file: Option<PathBuf>,
}

/// How it is presented.
pub(super) enum Scheme {
    Bearer,
    Basic { user: String },
}

impl Scheme {
    pub(super) fn basic(user: &str) -> Result<Self, AccessError> {
        if user.contains(':') || user.chars().any(char::is_control) {
            return Err(AccessError::user(user));
        }
        Ok(Self::Basic { user: user.to_owned() })
    }

    fn parse(&self, bytes: &[u8]) -> Result<Secret, &'static str> {
        match self {
            Self::Bearer => Secret::token(bytes),
            Self::Basic { .. } => Secret::password(bytes),
        }
    }
}

impl Credential {
    pub(super) fn fixed(scheme: Scheme, secret: Secret) -> Self {
        Self { scheme, secret: RwLock::new(secret), file: None }
    }

    pub(super) fn of_file(scheme: Scheme, path: &Path) -> Result<Self, AccessError> {
        let bytes = reload::read(path).map_err(|error| AccessError::unreadable(path, error))?;
        let secret = scheme.parse(&bytes).map_err(|fault| AccessError::unfit(path, fault))?;
        Ok(Self { scheme, secret: RwLock::new(secret), file: Some(path.to_owned()) })
    }

    pub(super) fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// What asks a client for it.
    pub(super) fn challenge(&self) -> &'static str {
        match self.scheme {
            Scheme::Bearer => "Bearer realm=\"task\"",
            Scheme::Basic { .. } => "Basic realm=\"task\", charset=\"UTF-8\"",
        }
    }

    pub(super) fn matches(&self, presented: &Presented) -> Choice {
        let secret = self.secret.read().unwrap_or_else(PoisonError::into_inner);
        match (&self.scheme, presented) {
            (Scheme::Bearer, Presented::Bearer(token)) => secret.matches(token),
            (Scheme::Basic { user }, Presented::Basic { user: name, password }) => {
                user.as_bytes().ct_eq(name) & secret.matches(password)
            }
            _ => Choice::from(0),
        }
    }
}

impl Reload for Credential {
    fn what(&self) -> &'static str {
        "credentials"
    }

    fn reload(&self) -> anyhow::Result<Reloaded> {
        let Some(path) = &self.file else { return Ok(Reloaded::Same) };
        let bytes = reload::read(path).map_err(|error| AccessError::unreadable(path, error))?;
        let secret = self.scheme.parse(&bytes).map_err(|fault| AccessError::unfit(path, fault))?;
        let mut current = self.secret.write().unwrap_or_else(PoisonError::into_inner);
        if current.is(&secret) {
            return Ok(Reloaded::Same);
        }
        *current = secret;
        Ok(Reloaded::Changed)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("file", &self.file).finish_non_exhaustive()
    }
}

/// What a client presents.
pub(super) enum Presented {
    Bearer(Vec<u8>),
    Basic { user: Vec<u8>, password: Vec<u8> },
}

impl Presented {
    /// Takes it from a request: `None` if there is nothing, or nothing that makes sense.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
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
