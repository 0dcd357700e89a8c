//! One request on its way to the service, and back as an answer.
//!
//! This is a future by hand: an `async` function keeps what it is given beside what it awaits, so
//! nested ones copy the request again and again, at a twelfth of the instructions of a short one.

use std::{
    error::Error,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
    thread,
};

use http::{
    Extensions, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONNECTION, RETRY_AFTER, UPGRADE},
};
use http_body::Body;
use hyper::{body::Incoming, upgrade::OnUpgrade};
use pin_project_lite::pin_project;
use task_core::scope::guarded_text;

use crate::{
    body::{RequestBody, ResponseBody},
    exchange::InFlight,
    link::{Link, State},
    service::HttpService,
    shared::Queued,
    stats::Stats,
};

pin_project! {
    /// Answers one request, and sends its client away if the connection is to end.
    pub(crate) struct Answering<S: HttpService> {
        // Dropped before the right to be in flight.
        #[pin]
        stage: Stage<S>,
        upgrade: Option<Upgrade>,
        // Until the answer takes it.
        in_flight: Option<InFlight>,
    }
}

pin_project! {
    #[project = StageView]
    enum Stage<S: HttpService> {
        /// It waits for the right to call the service, and for the service.
        Waiting { call: Option<(S, Request<RequestBody>)>, queued: Option<Queued> },
        Called { #[pin] future: S::Future },
        Over,
    }
}

/// What the service returns, an error as its text; `None` if the request is refused.
type Answered<B> = Option<Result<Response<B>, String>>;

impl<S: HttpService> Answering<S> {
    pub(crate) fn new(
        service: S,
        extensions: &Extensions,
        mut request: Request<Incoming>,
        in_flight: InFlight,
    ) -> Self {
        let upgrade = Upgrade::wanted_by(&request);
        let shared = in_flight.link().shared();
        let timeout = shared.limits.body_timeout;
        // hyper has set none, but for an upgrade: the copy becomes the table of the request.
        request.extensions_mut().extend(extensions.clone());
        let request = request.map(|body| RequestBody::new(body, timeout));
        let stage = Stage::Waiting { call: Some((service, request)), queued: None };
        Self { stage, upgrade, in_flight: Some(in_flight) }
    }
}

impl<S: HttpService> Stage<S> {
    /// Polls towards what the service returns, and drops the service's future once it has.
    ///
    /// The caller catches panics, so all that this asks of the service's types, it asks here.
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        in_flight: &mut InFlight,
        is_upgrade: bool,
    ) -> Poll<Answered<S::Body>> {
        loop {
            let next = match self.as_mut().project() {
                StageView::Waiting { call, queued } => {
                    // Refused before an upgraded connection can learn of the stop: its client would
                    // connect again, and hold the server that it was asked to leave.
                    if is_upgrade && in_flight.link().shared().ctx.is_cancelled() {
                        return Poll::Ready(None);
                    }
                    if !ready!(in_flight.poll_admitted(cx, queued)) {
                        return Poll::Ready(None);
                    }
                    if let Some((service, _)) = call
                        && let Err(error) = ready!(service.poll_callable(cx))
                    {
                        return Poll::Ready(Some(Err(text(error))));
                    }
                    match call.take() {
                        Some((mut service, request)) => {
                            Stage::Called { future: service.answer(request) }
                        }
                        None => Stage::Over,
                    }
                }
                StageView::Called { future } => {
                    let returned = ready!(future.poll(cx));
                    self.set(Stage::Over);
                    let answered = returned.inspect(|response| in_flight.answered(response));
                    return Poll::Ready(Some(answered.map_err(text)));
                }
                StageView::Over => return Poll::Ready(None),
            };
            self.set(next);
        }
    }
}

impl<S: HttpService> Future for Answering<S> {
    type Output = Response<ResponseBody<S::Body>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // It is not polled after its answer.
        let Some(in_flight) = this.in_flight.as_mut() else { return Poll::Pending };
        let is_upgrade = this.upgrade.as_ref().is_some_and(Upgrade::is_certain);
        let stage = this.stage.as_mut();
        let polled = catch_unwind(AssertUnwindSafe(|| stage.poll(cx, in_flight, is_upgrade)));
        let answered = match polled {
            Ok(polled) => Ok(ready!(polled)),
            Err(panic) => {
                this.stage.set(Stage::Over);
                Err(panic)
            }
        };
        in_flight.give_back();
        let Some(in_flight) = this.in_flight.take() else { return Poll::Pending };
        Poll::Ready(respond(answered, this.upgrade.take(), in_flight))
    }
}

/// Makes the answer of what the service has returned. A panic of the service is answered by 500,
/// and so is an error.
fn respond<B: Body>(
    answered: thread::Result<Answered<B>>,
    upgrade: Option<Upgrade>,
    in_flight: InFlight,
) -> Response<ResponseBody<B>> {
    let link = in_flight.link();
    let ctx = &link.shared().ctx;
    let is_leaving = || ctx.is_draining() || link.retires();
    let mut own = match answered {
        Ok(Some(Ok(mut response))) => {
            let switches = match &upgrade {
                // Over HTTP/2 it is one of many streams that would leave HTTP.
                Some(_) if link.is_http2() => false,
                Some(upgrade) if upgrade.is_connect() => response.status().is_success(),
                Some(_) => response.status() == StatusCode::SWITCHING_PROTOCOLS,
                None => false,
            };
            match upgrade {
                Some(_) if switches && ctx.is_cancelled() => refusal(link),
                upgrade => {
                    if switches && let Some(upgrade) = upgrade {
                        link.upgraded(in_flight.named(&upgrade.to_string()));
                    }
                    if is_leaving() {
                        send_away(&mut response, link);
                    }
                    // Here, and not with the answers of our own: that would copy it once more.
                    return response.map(|body| ResponseBody::new(body, in_flight));
                }
            }
        }
        Ok(Some(Err(error))) => {
            tracing::error!(request = in_flight.name(), error, "a service failed");
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
        Ok(None) => refusal(link),
        Err(_panic) => {
            Stats::add(&link.stats().panics);
            tracing::error!(request = in_flight.name(), "a service panicked");
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    };
    if is_leaving() {
        send_away(&mut own, link);
    }
    own.map(|()| ResponseBody::empty(in_flight))
}

/// Returns the text of an error with its sources.
fn text(error: impl Into<Box<dyn Error + Send + Sync>>) -> String {
    guarded_text(format_args!("{:#}", anyhow::Error::from_boxed(error.into())))
}

/// Asks the client to connect anew for its next request, to another instance if this one stops.
fn send_away<B>(response: &mut Response<B>, link: &Link) {
    if link.state() == State::Upgraded {
        return;
    }
    if link.is_http2() {
        // The connection sends a GOAWAY in place of the header field, which HTTP/2 forbids.
        link.retire();
    } else {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Answers with a status and nothing else.
fn empty(status: StatusCode) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    response
}

/// Refuses a request that another instance, or this one a moment later, can answer.
fn refusal(link: &Link) -> Response<()> {
    Stats::add(&link.stats().refused);
    let mut response = empty(StatusCode::SERVICE_UNAVAILABLE);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// The protocol that a client wants to go on with.
struct Upgrade(HeaderValue);

impl Upgrade {
    /// hyper has put its end of an upgrade into the request where one is possible. To look for that
    /// costs less than to look through the header.
    fn wanted_by<B>(request: &Request<B>) -> Option<Self> {
        request.extensions().get::<OnUpgrade>()?;
        if request.method() == Method::CONNECT {
            return Some(Self(HeaderValue::from_static("CONNECT")));
        }
        request.headers().get(UPGRADE).cloned().map(Self)
    }

    /// Returns whether the request has no other meaning. Some clients offer `h2c` with every one.
    fn is_certain(&self) -> bool {
        self.is_connect() || self.0.as_bytes().eq_ignore_ascii_case(b"websocket")
    }

    fn is_connect(&self) -> bool {
        self.0 == "CONNECT"
    }
}

/// `WebSocket`, or the name in the header field.
impl fmt::Display for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_str() {
            Ok(name) if name.eq_ignore_ascii_case("websocket") => f.write_str("WebSocket"),
            Ok(name) => f.write_str(&guarded_text(format_args!("{name:.16}"))),
            Err(_) => f.write_str("upgrade"),
        }
    }
}
