//! The exposition formats.

/// A text format of metrics.
///
/// The server negotiates the format with the client. The `Content-Type` of a response is always
/// that of the format in which its body is written.
///
/// # Examples
///
/// ```
/// use task_http::Format;
///
/// assert_eq!(Format::Text.content_type(), "text/plain; version=0.0.4; charset=utf-8");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The Prometheus text format, version 0.0.4. A client that asks for no format gets this one.
    Text,
    /// The OpenMetrics text format, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Returns the media type with its version, for `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Returns the index in an array with one entry for each format.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Text => 0,
            Self::OpenMetrics => 1,
        }
    }
}
