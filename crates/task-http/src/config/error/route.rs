//! What can be wrong with the body of a request.

/// The body of a request did not arrive as a whole.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct BodyError(BodyErrorKind);

impl BodyError {
    pub(crate) fn too_large(limit: usize) -> Self {
        Self(BodyErrorKind::TooLarge(limit))
    }

    pub(crate) fn cut_short(source: hyper::Error) -> Self {
        Self(BodyErrorKind::CutShort(source))
    }

    /// Tells whether it has more bytes than [allowed](crate::Limits::body_bytes).
    pub fn is_too_large(&self) -> bool {
        matches!(self.0, BodyErrorKind::TooLarge(_))
    }
}

#[derive(Debug, thiserror::Error)]
enum BodyErrorKind {
    #[error("the request's body has more than {0} bytes")]
    TooLarge(usize),
    #[error("the request's body was cut short")]
    CutShort(#[source] hyper::Error),
}
