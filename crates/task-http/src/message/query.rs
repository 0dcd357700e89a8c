//! The query of a request URI.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A query string, parsed on demand. Names and values are percent-decoded.
#[derive(Clone, Copy)]
pub(crate) struct Query<'a>(pub(crate) &'a str);

impl<'a> Query<'a> {
    /// Returns whether `name` is present, with or without a value.
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

    /// Returns all names with their values; a name without `=` has an empty value.
    fn pairs(self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        self.0.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
    }
}

/// Decodes percent-encoding. Bytes that are not UTF-8 become replacement characters.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}
