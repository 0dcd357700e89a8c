//! A server under a manager, with the routes that the tests ask.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    routing::{get, post},
};
use task_core::Context;
use task_manager::{Manager, ManagerHandle, Report};
use task_serve::{ClientAddress, HttpService, ServeStats, ServeTask};
use tokio::{task::JoinHandle, time::sleep};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// More bytes than the windows of the tests have.
pub(crate) const LARGE: usize = 16_000;

/// A running server.
pub(crate) struct Server {
    pub(crate) handle: ManagerHandle,
    ended: JoinHandle<Report>,
    pub(crate) address: SocketAddr,
    pub(crate) stats: ServeStats,
}

/// Answers at `/`, after a time at `/after/SECONDS`, with what is posted to `/echo`, never at
/// `/stuck`, without an end at `/events` and with more than a client takes at `/big`.
pub(crate) fn api() -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .route(
            "/stage",
            get(async |Extension(ctx): Extension<Context>| format!("{:?}", ctx.stage())),
        )
        .route(
            "/client",
            get(async |Extension(client): Extension<ClientAddress>| format!("{:?}", client.0)),
        )
        .route(
            "/after/{seconds}",
            get(async |axum::extract::Path(seconds): axum::extract::Path<u64>| {
                sleep(SECOND * seconds as u32).await;
                "late"
            }),
        )
        .route("/echo", post(async |body: Bytes| body))
        .route("/stuck", get(std::future::pending::<&str>))
        .route("/big", get(async || Body::from("x".repeat(64 << 20))))
        .route("/large", get(async || "x".repeat(LARGE)))
        .route("/pieces", get(async || Body::new(Pieces)))
        .route("/panic", get(async || -> &str { panic!("of a handler") }))
}

/// Serves on a free port, and stops within a minute, after a drain.
pub(crate) async fn start_with(
    configure: impl FnOnce(ServeTask) -> ServeTask,
    api: impl HttpService,
    drain: Duration,
) -> Server {
    let builder = Manager::builder().shutdown_timeout(60 * SECOND + drain).drain_delay(drain);
    let manager = builder.build().unwrap();
    let serve = configure(ServeTask::bind("127.0.0.1:0").unwrap()).service(api);
    let (address, stats) = (serve.local_addr().unwrap(), serve.stats());
    manager.run(serve).unwrap();
    let handle = manager.handle();
    let ended = tokio::spawn(async move {
        let result = manager.wait().await;
        result.unwrap_or_else(|error| error.report().unwrap().clone())
    });
    let mut group = handle.group().unwrap();
    while !group.readiness().is_ready() {
        group.changed().await;
    }
    Server { handle, ended, address, stats }
}

pub(crate) async fn start(drain: Duration) -> Server {
    start_with(|serve| serve, api(), drain).await
}

impl Server {
    /// Stops the server, and returns the report, clean or not.
    pub(crate) async fn stopped(self) -> Report {
        self.handle.stop();
        self.ended.await.unwrap()
    }
}

/// A body without an end, in pieces that are larger than a small window.
struct Pieces;

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        let piece = Bytes::from_static(&[b'x'; 1_000]);
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(piece))))
    }
}

/// Returns the last status of the server.
pub(crate) fn status(report: &Report) -> String {
    let task = report.tasks().iter().find(|task| task.name == "serve").unwrap();
    task.status.as_deref().unwrap_or_default().to_owned()
}
