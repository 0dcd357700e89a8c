//! The query of a request.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A query string, taken apart on demand. Names and values are percent-decoded.
#[derive(Clone, Copy)]
pub(crate) struct Query<'a>(pub(crate) &'a str);

impl<'a> Query<'a> {
    /// Tells whether `name` is there, with or without a value.
    pub(crate) fn has(self, name: &str) -> bool {
        self.pairs().any(|(known, _)| known == name)
    }

    /// Returns the first value of `name`.
    pub(crate) fn value(self, name: &str) -> Option<Cow<'a, str>> {
        self.pairs().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Returns every value of `name`.
    pub(crate) fn values(self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        self.pairs().filter(move |(known, _)| known == name).map(|(_, value)| value)
    }

    fn pairs(self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        self.0.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
    }
}

/// Undoes percent-encoding. What is no UTF-8 then becomes replacement characters.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}
