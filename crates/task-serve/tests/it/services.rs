//! Services that are written by hand: they are not ready at once, fail, and panic in their call.

use std::{
    future::{Ready, ready},
    io,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use task_serve::{
    RequestBody,
    http::{Request, Response},
};
use tower_service::Service;

use crate::{client::Client, server::start_with};

/// Ready at the second look, for the clone that was looked at.
#[derive(Clone, Default)]
struct Late {
    is_ready: bool,
}

impl Service<Request<RequestBody>> for Late {
    type Response = Response<Body>;
    type Error = io::Error;
    type Future = Ready<io::Result<Response<Body>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_ready {
            return Poll::Ready(Ok(()));
        }
        self.is_ready = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        assert!(self.is_ready, "called before it was ready");
        match request.uri().path() {
            "/panic" => panic!("in the call, before there is a future"),
            "/fail" => ready(Err(io::Error::other("no database"))),
            _ => ready(Ok(Response::new(Body::from("late")))),
        }
    }
}

#[tokio::test]
async fn a_service_is_called_once_it_is_ready_and_may_fail_or_panic_in_its_call() {
    for finishes in [false, true] {
        let configure =
            |serve: task_serve::ServeTask| if finishes { serve.finish_handlers() } else { serve };
        let server = start_with(configure, Late::default(), Duration::ZERO).await;
        let mut client = Client::connect(server.address).await;
        for (path, status) in [("/", 200), ("/panic", 500), ("/fail", 500), ("/", 200)] {
            assert_eq!(client.get(path).await.status, status, "{path}, {finishes}");
        }
        assert_eq!((server.stats.requests(), server.stats.in_flight()), (4, 0));
        assert!(server.stats.to_string().contains("task_serve_panics_total 1"));
        assert!(server.stopped().await.is_clean());
    }
}
