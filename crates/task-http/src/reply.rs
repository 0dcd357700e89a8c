//! An answer, and the headers that every answer has.

use std::{
    borrow::Cow,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyper::{
    Response, StatusCode,
    body::{Body, Bytes, Frame, SizeHint},
    header::{
        ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH,
        CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS,
    },
};

use crate::activity::Activity;

/// What an endpoint answers.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) content_type: Cow<'static, str>,
    pub(crate) body: Bytes,
    pub(crate) is_gzip: bool,
    /// The request headers that the answer depends on.
    pub(crate) vary: Option<&'static str>,
}

impl Reply {
    /// Makes an answer of plain text.
    pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type: Cow::Borrowed("text/plain; charset=utf-8"),
            body: body.into(),
            is_gzip: false,
            vary: None,
        }
    }

    /// Completes the answer. The answer to `HEAD` says how long its body would be, and has none.
    pub(crate) fn into_response(
        self,
        is_head: bool,
        is_last: bool,
        activity: Arc<Activity>,
    ) -> Response<ReplyBody> {
        let Self { status, content_type, body, is_gzip, vary } = self;
        let length = body.len();
        let bytes = (!is_head && length > 0).then_some(body);
        let mut response = Response::new(ReplyBody { bytes, activity });
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let fixed = HeaderValue::from_static;
        if status != StatusCode::NO_CONTENT {
            headers.insert(CONTENT_LENGTH, length.into());
            let text = fixed("text/plain; charset=utf-8");
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(&content_type).unwrap_or(text));
        }
        headers.insert(CACHE_CONTROL, fixed("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
        if content_type.starts_with("text/html") {
            let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
            headers.insert(CONTENT_SECURITY_POLICY, fixed(policy));
        }
        if is_gzip {
            headers.insert(CONTENT_ENCODING, fixed("gzip"));
        }
        if let Some(vary) = vary {
            headers.insert(VARY, fixed(vary));
        }
        if matches!(status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NO_CONTENT) {
            headers.insert(ALLOW, fixed("GET, HEAD"));
        }
        if is_last {
            headers.insert(CONNECTION, fixed("close"));
        }
        response
    }
}

/// A body in one piece. Its drop tells that hyper has taken it over, to the last byte.
#[derive(Debug)]
pub(crate) struct ReplyBody {
    bytes: Option<Bytes>,
    activity: Arc<Activity>,
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

impl Drop for ReplyBody {
    fn drop(&mut self) {
        self.activity.handed_over();
    }
}
