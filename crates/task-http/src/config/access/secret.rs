//! Secrets: texts that are in no log line and in no `Debug` output.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};

/// A token or a password.
pub(super) struct Secret(Box<[u8]>);

impl Secret {
    /// Makes a token. White space around it is removed. The error completes "the token ...".
    pub(super) fn token(bytes: &[u8]) -> Result<Self, &'static str> {
        let token = bytes.trim_ascii();
        match token {
            [] => Err("is empty"),
            _ if token.iter().all(u8::is_ascii_graphic) => Ok(Self(token.into())),
            _ => Err("is not visible ASCII"),
        }
    }

    /// Makes a password. Line breaks at its end are removed. The error completes "the password
    /// ...".
    pub(super) fn password(bytes: &[u8]) -> Result<Self, &'static str> {
        let end = bytes.iter().rposition(|byte| !b"\r\n".contains(byte)).map_or(0, |last| last + 1);
        match &bytes[..end] {
            [] => Err("is empty"),
            password if password.iter().any(u8::is_ascii_control) => Err("has control characters"),
            password => Ok(Self(password.into())),
        }
    }

    /// Compares with another secret of the process, to see whether a file changed.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Compares with the text of a client. For texts of the same length, the time does not depend
    /// on where they differ.
    pub(super) fn matches(&self, presented: &[u8]) -> Choice {
        self.0.ct_eq(presented)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
