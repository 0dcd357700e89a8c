//! Servers as the documentation of their libraries shows them. Each is asked to stop by SIGTERM.
//!
//! With a drain, they do what is often done by hand: they are not ready any more, and sleep before
//! they begin to stop.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Result;
use axum::{Router, http::StatusCode, routing::get};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};

use tonic::{service::Routes, transport::Server};

use super::{Settings, app::app};

/// The end of a plain server's work.
struct Stop {
    terminate: Signal,
    is_ready: Arc<AtomicBool>,
    drain: Duration,
}

impl Stop {
    async fn requested(mut self) {
        self.terminate.recv().await;
        self.is_ready.store(false, Relaxed);
        sleep(self.drain).await;
    }
}

/// Returns the application with `/readyz`, and its stop.
fn prepare(settings: &Settings) -> Result<(Router, Stop)> {
    let is_ready = Arc::new(AtomicBool::new(true));
    let stop = Stop {
        terminate: signal(SignalKind::terminate())?,
        is_ready: Arc::clone(&is_ready),
        drain: settings.drain(),
    };
    let readyz = async move || match is_ready.load(Relaxed) {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    Ok((app(&settings.record)?.route("/readyz", get(readyz)), stop))
}

pub(super) async fn axum(settings: &Settings) -> Result<()> {
    let (app, stop) = prepare(settings)?;
    let listener = TcpListener::bind(settings.address).await?;
    axum::serve(listener, app).with_graceful_shutdown(stop.requested()).await?;
    Ok(())
}

pub(super) async fn tonic(settings: &Settings) -> Result<()> {
    let (app, stop) = prepare(settings)?;
    let mut server = Server::builder().accept_http1(true);
    let routes = server.add_routes(Routes::from(app));
    routes.serve_with_shutdown(settings.address, stop.requested()).await?;
    Ok(())
}

pub(super) async fn hyper(settings: &Settings) -> Result<()> {
    let (app, stop) = prepare(settings)?;
    let listener = TcpListener::bind(settings.address).await?;
    let builder = auto::Builder::new(TokioExecutor::new());
    let graceful = GracefulShutdown::new();
    let mut stopped = std::pin::pin!(stop.requested());
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let service = TowerToHyperService::new(app.clone());
                let connection =
                    builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
                let connection = graceful.watch(connection.into_owned());
                tokio::spawn(async {
                    // An error of a connection is its client's.
                    let _ = connection.await;
                });
            }
            () = &mut stopped => break,
        }
    }
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}
