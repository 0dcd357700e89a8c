//! The way from a request to the service, and back to its answer.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::{pending, poll_fn},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
};

use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONNECTION, RETRY_AFTER, UPGRADE},
};
use http_body::Body;
use hyper::body::Incoming;
use task_core::{Context, scope::guarded_text};
use task_listen::{Slot, catch_panic};
use tokio::sync::oneshot;
use tower_service::Service;

use crate::{
    body::{RequestBody, ResponseBody},
    exchange::InFlight,
    link::{Link, State},
    spawned::Spawned,
    stats::Stats,
};

/// A service that a [`ServeTask`](crate::ServeTask) can serve: any [`tower_service::Service`] that
/// answers a [`RequestBody`] with a body. An axum `Router` is one.
///
/// It is implemented for all such services, and only for them. Each request is answered by a clone.
pub trait HttpService: Clone + Send + 'static {
    /// The body of an answer.
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// Answers one request.
    #[doc(hidden)]
    fn answer(
        self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Box<dyn Error + Send + Sync>>> + Send;
}

impl<S, B> HttpService for S
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Body = B;

    async fn answer(
        mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<B>, Box<dyn Error + Send + Sync>> {
        poll_fn(|cx| self.poll_ready(cx)).await.map_err(Into::into)?;
        self.call(request).await.map_err(Into::into)
    }
}

/// Where a request comes from, in its extensions. `None` on a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub Option<SocketAddr>);

/// The service as hyper sees it, for one connection.
pub(crate) struct Requests<S> {
    pub(crate) service: S,
    pub(crate) ctx: Context,
    pub(crate) client: ClientAddress,
    pub(crate) link: Slot<Link>,
}

impl<S: HttpService> hyper::service::Service<Request<Incoming>> for Requests<S> {
    type Response = Response<ResponseBody<S::Body>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let in_flight = InFlight::begin(&self.link, &request);
        let (service, ctx, client) = (self.service.clone(), self.ctx.clone(), self.client);
        let handlers = self.link.shared().handlers.clone();
        let responding = respond(service, ctx, client, request, in_flight);
        match handlers {
            None => Box::pin(async move { Ok(responding.await) }),
            Some(handlers) => Box::pin(detached(&handlers, responding)),
        }
    }
}

/// Runs a handler in a task of the server, which goes on if this future is dropped.
fn detached<B, F>(
    handlers: &Spawned,
    responding: F,
) -> impl Future<Output = Result<Response<B>, Infallible>> + Send + use<B, F>
where
    B: Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    handlers.spawn(async move {
        let _ = sender.send(responding.await);
    });
    async move {
        match receiver.await {
            Ok(response) => Ok(response),
            // The server is being dropped, and this connection next.
            Err(_) => pending().await,
        }
    }
}

/// Answers one request, and sends its client away if the connection is to end.
async fn respond<S: HttpService>(
    service: S,
    ctx: Context,
    client: ClientAddress,
    request: Request<Incoming>,
    in_flight: InFlight,
) -> Response<ResponseBody<S::Body>> {
    let link = in_flight.link().clone();
    let mut response = answer(service, &ctx, client, request, in_flight).await;
    if ctx.is_draining() || link.retires() {
        send_away(&mut response, &link);
    }
    response
}

/// Answers one request. A panic of the service is answered by 500, and so is an error.
async fn answer<S: HttpService>(
    service: S,
    ctx: &Context,
    client: ClientAddress,
    request: Request<Incoming>,
    in_flight: InFlight,
) -> Response<ResponseBody<S::Body>> {
    let upgrade = Upgrade::wanted_by(&request);
    // Refused before an upgraded connection can learn of the stop: its client would connect again,
    // and hold the server that it was asked to leave.
    if upgrade.as_ref().is_some_and(Upgrade::is_certain) && ctx.is_cancelled() {
        return refuse(in_flight);
    }
    let timeout = in_flight.link().limits().body_timeout;
    let mut request = request.map(|body| RequestBody::new(body, timeout));
    request.extensions_mut().insert(ctx.clone());
    request.extensions_mut().insert(client);
    let shared = Arc::clone(in_flight.link().shared());
    let Some(permit) = shared.admit().await else { return refuse(in_flight) };
    let response = match catch_panic(|| service.answer(request)).await {
        Ok(Ok(response)) => {
            let switches = match &upgrade {
                // Over HTTP/2 it is one of many streams that would leave HTTP.
                _ if in_flight.link().is_http2() => false,
                Some(upgrade) if upgrade.is_connect() => response.status().is_success(),
                Some(_) | None => response.status() == StatusCode::SWITCHING_PROTOCOLS,
            };
            match upgrade {
                Some(_) if switches && ctx.is_cancelled() => return refuse(in_flight),
                Some(upgrade) if switches => {
                    let name = in_flight.named(&upgrade.to_string());
                    in_flight.link().upgraded(name);
                }
                Some(_) | None => {}
            }
            in_flight.answered(response.headers());
            response.map(|body| ResponseBody::new(body, in_flight))
        }
        Ok(Err(error)) => {
            let error = guarded_text(format_args!("{:#}", anyhow::Error::from_boxed(error)));
            tracing::error!(request = in_flight.name(), error, "a service failed");
            empty(StatusCode::INTERNAL_SERVER_ERROR, in_flight)
        }
        Err(_panic) => {
            Stats::add(&in_flight.link().stats().panics);
            tracing::error!(request = in_flight.name(), "a service panicked");
            empty(StatusCode::INTERNAL_SERVER_ERROR, in_flight)
        }
    };
    drop(permit);
    response
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
fn empty<B: Body>(status: StatusCode, in_flight: InFlight) -> Response<ResponseBody<B>> {
    let mut response = Response::new(ResponseBody::empty(in_flight));
    *response.status_mut() = status;
    response
}

/// Refuses a request that another instance, or this one a moment later, can answer.
fn refuse<B: Body>(in_flight: InFlight) -> Response<ResponseBody<B>> {
    Stats::add(&in_flight.link().stats().refused);
    let mut response = empty(StatusCode::SERVICE_UNAVAILABLE, in_flight);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// The protocol that a client wants to go on with.
struct Upgrade(HeaderValue);

impl Upgrade {
    fn wanted_by<B>(request: &Request<B>) -> Option<Self> {
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
