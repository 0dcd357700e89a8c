//! A `tower::Service` below a path.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use task_http::{
    Access, RequestBody,
    http::{Request, Response},
};
use tower_service::Service as TowerService;

use crate::{client::Client, service::Service};

/// Answers with its name, the path it sees and three pieces.
#[derive(Clone)]
struct Echo(&'static str);

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

/// From last to first.
struct Pieces(Vec<String>);

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

async fn ask(service: &Service, path: &str) -> (u16, String) {
    let mut client = Client::connect(service.address).await;
    client.send(format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n")).await;
    let head = client.answer(false).await;
    (head.status, client.rest().await)
}

#[tokio::test]
async fn a_service_gets_everything_below_its_path_that_is_nothing_else() {
    let service = Service::start(|http| {
        let http = http.service("/admin", Echo("admin")).unwrap();
        http.service("/admin/deep/", Echo("deep")).unwrap().service("/", Echo("rest")).unwrap()
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
async fn a_service_is_guarded_like_everything_else() {
    let service = Service::start(|http| {
        let http = http.service("/admin", Echo("admin")).unwrap();
        http.access(Access::default().bearer("s3cret").unwrap())
    });
    assert_eq!(ask(&service, "/admin/x").await.0, 401);
    service.stop().await;
}
