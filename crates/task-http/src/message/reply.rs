//! An answer, and the headers that every answer has.

use std::{
    borrow::Cow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyper::{
    Response, StatusCode,
    body::{Body, Bytes, Frame, SizeHint},
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
        CONTENT_TYPE, HeaderName, HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS,
    },
};

use crate::{
    activity::Activity,
    handlers::route::{BoxError, RouteAnswer, RouteBody},
    stats::Scraping,
};

/// What an endpoint answers.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) content_type: Cow<'static, str>,
    pub(crate) body: Bytes,
    pub(crate) is_gzip: bool,
    /// The request headers that the answer depends on.
    pub(crate) vary: Option<&'static str>,
    /// Further headers of the answer.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
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
            headers: Vec::new(),
        }
    }

    /// Completes the answer. The answer to `HEAD` says how long its body would be, and has none.
    pub(crate) fn into_response(
        self,
        is_head: bool,
        activity: Arc<Activity>,
    ) -> Response<ReplyBody> {
        let Self { status, content_type, body, is_gzip, vary, headers: further } = self;
        let length = body.len();
        let bytes = (!is_head && length > 0).then_some(body);
        let content = Content::Whole(bytes);
        let mut response = Response::new(ReplyBody { content, activity, _scraping: None });
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
        for (name, value) in further {
            headers.append(name, value);
        }
        response
    }
}

/// A body. Its drop tells that hyper has taken it over, to the last byte.
pub(crate) struct ReplyBody {
    content: Content,
    activity: Arc<Activity>,
    /// A body that comes in pieces counts until its end.
    _scraping: Option<Scraping>,
}

enum Content {
    Whole(Option<Bytes>),
    Streamed(RouteBody),
}

impl ReplyBody {
    /// Makes the body of a route's answer.
    pub(crate) fn of_route(
        answer: RouteAnswer,
        scraping: Scraping,
        activity: Arc<Activity>,
    ) -> Self {
        match answer {
            RouteAnswer::Whole(bytes) => {
                let content = Content::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()));
                Self { content, activity, _scraping: None }
            }
            RouteAnswer::Streamed(body) => {
                Self { content: Content::Streamed(body), activity, _scraping: Some(scraping) }
            }
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.content {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Streamed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_none(),
            Content::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Streamed(body) => body.size_hint(),
        }
    }
}

impl Drop for ReplyBody {
    fn drop(&mut self) {
        self.activity.handed_over();
    }
}
