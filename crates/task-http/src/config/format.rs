//! The exposition formats.

/// How metrics are written. The content type of an answer is always that of the format its body is really in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The Prometheus text format, version 0.0.4: what a client gets that does not ask for anything.
    Text,
    /// The OpenMetrics text format, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Returns the media type with its version, as the answer's `Content-Type` has it.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The place in arrays that have one slot for each format.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Text => 0,
            Self::OpenMetrics => 1,
        }
    }
}
