//! The responses of the server itself, and the header fields that all of them have.

use std::{borrow::Cow, sync::Arc};

use hyper::{
    Response, StatusCode,
    body::Bytes,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
        CONTENT_TYPE, HeaderName, HeaderValue, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    },
};

use crate::{
    activity::Activity,
    config::Refusal,
    message::{
        body::{BodyError, ResponseBody},
        gzip::gzip,
    },
};

/// A response of an endpoint, or an error response, before it is completed with header fields.
///
/// The response of a user route that succeeds is not a `Reply`: it goes to the client as the
/// handler returned it.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) content_type: Cow<'static, str>,
    pub(crate) body: Bytes,
    pub(crate) is_gzip: bool,
    /// The request headers that the response depends on.
    pub(crate) vary: Option<&'static str>,
    /// Further header fields.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Reply {
    /// Makes a reply of plain text.
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

    /// Makes the reply to a request above the [limit of scrapes](crate::Limits::scrapes).
    pub(crate) fn too_many_requests() -> Self {
        Self::text(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once\n")
    }

    /// Replaces the body by `plain`, compressed if the client accepts gzip and it saves bytes.
    pub(crate) fn negotiated_body(self, plain: Vec<u8>, accepts_gzip: bool) -> Self {
        let (body, is_gzip) = if accepts_gzip { gzip(plain) } else { (plain, false) };
        Self { body: body.into(), is_gzip, vary: Some("Accept, Accept-Encoding"), ..self }
    }

    /// Completes the response. The response to `HEAD` has the length of the body, and no body.
    pub(crate) fn into_response(
        self,
        is_head: bool,
        activity: Arc<Activity>,
    ) -> Response<ResponseBody> {
        let Self { status, content_type, body, is_gzip, vary, headers: further } = self;
        let length = body.len();
        let sent = if is_head { Bytes::new() } else { body };
        let mut response = Response::new(ResponseBody::whole(sent, activity));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let fixed = HeaderValue::from_static;
        if status != StatusCode::NO_CONTENT {
            headers.insert(CONTENT_LENGTH, length.into());
            let text = fixed("text/plain; charset=utf-8");
            // An escaping is one of four words, so the content type is always a valid value.
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(&content_type).unwrap_or(text));
        }
        // Every response is about this instant, and may be about one client.
        headers.insert(CACHE_CONTROL, fixed("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
        // A page with a script has a policy of its own.
        let has_policy = further.iter().any(|(name, _)| name == CONTENT_SECURITY_POLICY);
        if content_type.starts_with("text/html") && !has_policy {
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

/// The reply to a request that may not be read by its client.
impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Forbidden => Self::text(StatusCode::FORBIDDEN, "forbidden\n"),
            Refusal::Unauthorized { challenges } => {
                let challenge = |text| (WWW_AUTHENTICATE, HeaderValue::from_static(text));
                let headers = challenges.into_iter().map(challenge).collect();
                Self { headers, ..Self::text(StatusCode::UNAUTHORIZED, "unauthorized\n") }
            }
        }
    }
}

/// The reply to a request whose body could not be read.
impl From<&BodyError> for Reply {
    fn from(error: &BodyError) -> Self {
        let status = match error.is_too_large() {
            true => StatusCode::PAYLOAD_TOO_LARGE,
            false => StatusCode::BAD_REQUEST,
        };
        Self::text(status, format!("{error}\n"))
    }
}
