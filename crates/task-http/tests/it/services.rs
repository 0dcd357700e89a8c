//! User routes: services of `tower`.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use task_http::{
    Access, Limits, RequestBody,
    http::{Request, Response},
};
use tokio::sync::Semaphore;
use tower_service::Service as TowerService;

use crate::{client::Client, service::Service};

/// Responds with its name, the path that it sees, and an exclamation mark, in three pieces.
#[derive(Clone)]
pub(crate) struct Echo(pub(crate) &'static str);

impl TowerService<Request<RequestBody>> for Echo {
    type Response = Response<Pieces>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Pieces>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let pieces = vec!["!".into(), request.uri().path().to_owned(), format!("{} ", self.0)];
        ready(Ok(Response::new(Pieces(pieces))))
    }
}

/// A body of pieces, from last to first.
pub(crate) struct Pieces(Vec<String>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop().map(|piece| Ok(Frame::data(piece.into()))))
    }
}

/// Responds with a body that always has another piece, for three seconds.
#[derive(Clone)]
struct Talk;

struct Talking(Instant, Arc<Semaphore>);

impl TowerService<Request<RequestBody>> for Talk {
    type Response = Response<Talking>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Talking>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<RequestBody>) -> Self::Future {
        ready(Ok(Response::new(Talking(Instant::now(), Arc::new(Semaphore::new(1))))))
    }
}

impl Body for Talking {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0.elapsed() > Duration::from_secs(3) {
            return Poll::Ready(None);
        }
        // Like a channel that is never empty: only Tokio's cooperative budget makes it return
        // `Pending`.
        let word = || Some(Ok(Frame::data(Bytes::from_static(b"word\n"))));
        pin!(self.1.acquire()).poll(cx).map(|_| word())
    }
}

async fn ask(service: &Service, path: &str) -> (u16, String) {
    let mut client = Client::connect(service.address).await;
    client.send(format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n")).await;
    let head = client.response(false).await;
    (head.status, client.rest().await)
}

#[tokio::test]
async fn a_service_gets_the_free_paths_below_its_own() {
    let service = Service::start(|http| {
        let http = http.service("/admin", Echo("admin"));
        http.service("/admin/deep/", Echo("deep")).service("/", Echo("rest"))
    });
    for (path, body) in [
        ("/admin", "admin /admin!"),
        ("/admin/users?x", "admin /admin/users!"),
        ("/admin/deep/x", "deep /admin/deep/x!"),
        ("/administrator", "rest /administrator!"),
    ] {
        assert_eq!(ask(&service, path).await, (200, body.to_owned()), "{path}");
    }
    assert!(ask(&service, "/").await.1.contains("/metrics"));
    assert_eq!(ask(&service, "/livez").await, (200, "ok\n".to_owned()));
    service.stop().await;
}

#[tokio::test]
async fn a_service_is_under_access_control() {
    let service = Service::start(|http| {
        let http = http.service("/admin", Echo("admin"));
        http.access(Access::default().bearer("s3cret"))
    });
    assert_eq!(ask(&service, "/admin/x").await.0, 401);
    service.stop().await;
}

/// Requirement 8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_body_without_end_is_cut_off_at_the_response_timeout() {
    let limits = Limits::default().response_timeout(Duration::from_millis(200));
    let service = Service::start(|http| http.limits(limits).service("/talk", Talk));
    let mut client = Client::connect(service.address).await;
    client.send("GET /talk HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert_eq!(client.response(false).await.status, 200);
    assert!(!client.rest().await.ends_with("0\r\n\r\n"), "the body was sent to its end");
    service.stop().await;
}

/// Answers with a body that panics.
#[derive(Clone)]
struct Break;

struct Breaking;

impl TowerService<Request<RequestBody>> for Break {
    type Response = Response<Breaking>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Breaking>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<RequestBody>) -> Self::Future {
        ready(Ok(Response::new(Breaking)))
    }
}

impl Body for Breaking {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("no more words")
    }
}

#[tokio::test]
async fn a_response_body_that_panics_ends_its_connection_alone() {
    let service = Service::start(|http| http.service("/break", Break));
    let mut client = Client::connect(service.address).await;
    client.send("GET /break HTTP/1.1\r\nHost: x\r\n\r\n").await;
    client.closed().await;
    assert_eq!(ask(&service, "/livez").await, (200, "ok\n".to_owned()));
    service.stop().await;
}
