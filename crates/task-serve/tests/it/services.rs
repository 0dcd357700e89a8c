//! Services that are written by hand: they are not ready at once, fail, and panic wherever they are
//! asked something.

use std::{
    error::Error,
    future::{Ready, ready},
    panic::panic_any,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use task_serve::{
    RequestBody, ServeTask,
    http::{Request, Response},
};
use tower_service::Service;

use crate::{client::Client, server::start_with};

/// Why a service fails.
enum Failed {
    Plainly,
    /// It panics once it is made an error.
    Fragile,
}

impl From<Failed> for Box<dyn Error + Send + Sync> {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Plainly => "no database".into(),
            Failed::Fragile => panic!("in the conversion of an error"),
        }
    }
}

/// A body that panics when it is asked the one thing or the other.
#[derive(PartialEq)]
enum Fragile {
    Size,
    End,
}

impl http_body::Body for Fragile {
    type Data = Bytes;
    type Error = Failed;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failed>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        assert!(*self != Self::End, "in the end of a body");
        false
    }

    fn size_hint(&self) -> SizeHint {
        assert!(*self != Self::Size, "in the size of a body");
        SizeHint::default()
    }
}

/// The payload of a panic, whose drop panics again.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in the drop of a panic");
    }
}

/// Ready at the second look, for the clone that was looked at.
#[derive(Clone, Default)]
struct Late {
    is_ready: bool,
}

impl Service<Request<RequestBody>> for Late {
    type Response = Response<Body>;
    type Error = Failed;
    type Future = Ready<Result<Response<Body>, Failed>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
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
            "/bomb" => panic_any(Bomb),
            "/fail" => ready(Err(Failed::Plainly)),
            "/convert" => ready(Err(Failed::Fragile)),
            "/size" => ready(Ok(Response::new(Body::new(Fragile::Size)))),
            "/end" => ready(Ok(Response::new(Body::new(Fragile::End)))),
            _ => ready(Ok(Response::new(Body::from("late")))),
        }
    }
}

fn finishing(finishes: bool) -> impl FnOnce(ServeTask) -> ServeTask {
    move |serve| if finishes { serve.finish_handlers() } else { serve }
}

#[tokio::test]
async fn a_service_is_called_once_it_is_ready_and_may_fail_or_panic() {
    let asked = [
        ("/", 200),
        ("/panic", 500),
        ("/fail", 500),
        ("/convert", 500),
        ("/size", 500),
        ("/end", 500),
        ("/", 200),
    ];
    for finishes in [false, true] {
        let server = start_with(finishing(finishes), Late::default(), Duration::ZERO).await;
        let mut client = Client::connect(server.address).await;
        for (path, status) in asked {
            assert_eq!(client.get(path).await.status, status, "{path}, {finishes}");
        }
        assert_eq!((server.stats.requests(), server.stats.in_flight()), (7, 0));
        assert!(server.stats.to_string().contains("task_serve_panics_total 4"));
        assert!(server.stopped().await.is_clean());
    }
}

/// What nothing catches ends the connection, and keeps neither its client nor its slot.
#[tokio::test]
async fn a_handler_that_is_lost_ends_its_connection() {
    for finishes in [false, true] {
        let server = start_with(finishing(finishes), Late::default(), Duration::ZERO).await;
        let mut client = Client::connect(server.address).await;
        client.send("GET /bomb HTTP/1.1\r\nHost: x\r\n\r\n").await;
        client.closed().await;
        assert_eq!(Client::connect(server.address).await.get("/").await.status, 200);
        assert!(server.stopped().await.is_clean(), "{finishes}");
    }
}
