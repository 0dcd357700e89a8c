//! The two servers: each prints its address and serves one router until it is killed.

use anyhow::{Context as _, Result};
use axum::{
    Router,
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Response},
    routing::get,
};
use task_manager::Manager;
use task_serve::ServeTask;

/// The reference is the first.
pub(super) const NAMES: [&str; 2] = ["api-axum", "api-task"];

pub(super) const HELLO: &str = "/hello";
pub(super) const JSON: &str = "/json";

/// The length of the answer of [`JSON`].
const LENGTH: usize = 1024;

pub(super) fn serve(name: &str, workers: usize) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    runtime.block_on(async { if name == NAMES[0] { with_axum().await } else { with_task().await } })
}

fn router() -> Router {
    Router::new().route(HELLO, get(async || "Hello, world!")).route(JSON, get(json))
}

/// Writes the text anew for each request, as a handler does that serializes.
async fn json() -> Response {
    let mut text = String::with_capacity(LENGTH);
    text.push_str("{\"text\":\"");
    text.extend(std::iter::repeat_n('x', LENGTH - text.len() - 2));
    text.push_str("\"}");
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

async fn with_axum() -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    // As `ServeTask` does by itself.
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // It matters for the time of answers only.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router()).await?;
    Ok(())
}

async fn with_task() -> Result<()> {
    let serve = ServeTask::bind("127.0.0.1:0")?.service(router());
    println!("{}", serve.local_addr().context("it listens on TCP")?);
    let manager = Manager::new();
    manager.run(serve)?;
    manager.wait().await?;
    Ok(())
}
