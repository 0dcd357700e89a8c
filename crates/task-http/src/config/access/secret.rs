//! A text that is in no log line and in no `Debug`.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};

/// A token or a password.
pub(super) struct Secret(Box<[u8]>);

impl Secret {
    /// Makes a token of its bytes, without the white space around them. The error says what is wrong.
    pub(super) fn token(bytes: &[u8]) -> Result<Self, &'static str> {
        let token = bytes.trim_ascii();
        match token {
            [] => Err("is empty"),
            _ if token.iter().all(u8::is_ascii_graphic) => Ok(Self(token.into())),
            _ => Err("is not visible ASCII"),
        }
    }

    /// Makes a password of its bytes, without line breaks at their end. The error says what is wrong.
    pub(super) fn password(bytes: &[u8]) -> Result<Self, &'static str> {
        let end = bytes.iter().rposition(|byte| !b"\r\n".contains(byte)).map_or(0, |last| last + 1);
        match &bytes[..end] {
            [] => Err("is empty"),
            password if password.iter().any(u8::is_ascii_control) => Err("has control characters"),
            password => Ok(Self(password.into())),
        }
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Compares; for texts of one length, in the same time wherever they differ.
    pub(super) fn matches(&self, presented: &[u8]) -> Choice {
        self.0.ct_eq(presented)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
