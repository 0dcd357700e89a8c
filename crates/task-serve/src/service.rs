//! The services that are served, and how hyper sees them.

use std::{
    error::Error,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Extensions, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use task_listen::Slot;
use tokio::sync::oneshot::{self, error::RecvError};
use tower_service::Service;

use crate::{
    answering::Answering,
    body::{RequestBody, ResponseBody},
    exchange::InFlight,
    link::Link,
};

/// A service that a [`ServeTask`](crate::ServeTask) can serve: any [`tower_service::Service`] that
/// answers a [`RequestBody`] with a body. An axum `Router` is one.
///
/// It is implemented for all such services, and only for them. Each request is answered by a clone.
pub trait HttpService: Clone + Send + 'static {
    /// The body of an answer.
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    #[doc(hidden)]
    type Error: Into<Box<dyn Error + Send + Sync>>;

    #[doc(hidden)]
    type Future: Future<Output = Result<Response<Self::Body>, Self::Error>> + Send + 'static;

    /// Waits until the service can be called.
    #[doc(hidden)]
    fn poll_callable(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>>;

    /// Answers one request.
    #[doc(hidden)]
    fn answer(&mut self, request: Request<RequestBody>) -> Self::Future;
}

impl<S, B> HttpService for S
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Body = B;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_callable(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.poll_ready(cx)
    }

    fn answer(&mut self, request: Request<RequestBody>) -> S::Future {
        self.call(request)
    }
}

/// Where a request comes from, in its extensions. `None` on a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub Option<SocketAddr>);

/// The service as hyper sees it, for one connection.
pub(crate) struct Requests<S> {
    service: S,
    link: Slot<Link>,
    /// What each request gets a copy of: a table that is copied need not grow, nor look for places.
    extensions: Extensions,
}

impl<S> Requests<S> {
    pub(crate) fn new(service: S, client: ClientAddress, link: Slot<Link>) -> Self {
        let mut extensions = Extensions::new();
        extensions.insert(link.shared().ctx.clone());
        extensions.insert(client);
        Self { service, link, extensions }
    }
}

impl<S: HttpService> hyper::service::Service<Request<Incoming>> for Requests<S> {
    type Response = Response<ResponseBody<S::Body>>;
    type Error = RecvError;
    type Future = Answer<S>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let in_flight = InFlight::begin(&self.link, &request);
        let answering = Answering::new(self.service.clone(), &self.extensions, request, in_flight);
        let Some(handlers) = &self.link.shared().handlers else {
            return Answer::Here { answering };
        };
        let (sender, receiver) = oneshot::channel();
        handlers.spawn(async move {
            let _ = sender.send(answering.await);
        });
        Answer::Detached { receiver: Some(receiver) }
    }
}

pin_project! {
    /// The answer to a request.
    #[project = AnswerView]
    pub(crate) enum Answer<S: HttpService> {
        /// By a handler that is dropped with its connection.
        Here { #[pin] answering: Answering<S> },
        /// By one in a task of the server, which goes on if this future is dropped.
        Detached { receiver: Option<oneshot::Receiver<Response<ResponseBody<S::Body>>>> },
    }
}

impl<S: HttpService> Future for Answer<S> {
    type Output = Result<Response<ResponseBody<S::Body>>, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            AnswerView::Here { answering } => answering.poll(cx).map(Ok),
            AnswerView::Detached { receiver } => {
                // `None` once it is over.
                let Some(answered) = receiver else { return Poll::Pending };
                let answered = ready!(Pin::new(answered).poll(cx));
                *receiver = None;
                // Without an answer, the task of the handler was aborted by the end of the server,
                // or panicked where nothing catches it. The error ends the connection, or the
                // stream of HTTP/2, as a panic in the connection would.
                Poll::Ready(answered)
            }
        }
    }
}
