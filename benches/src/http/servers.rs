//! The servers: each prints its address and serves until it is killed, on two workers.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, atomic::AtomicU64},
};

use anyhow::{Result, bail};
use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use hyper::{Response, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use metrics_exporter_prometheus::PrometheusBuilder;
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use task_core::{Context, Task as _, scope::StageCell};
use task_http::HttpTask;
use task_manager::{Manager, task_fn};

/// With 1,000 series; the others are compared to the first.
pub(super) const SERIES: &[(&str, &str)] = &[
    ("hyper", "bare hyper + prometheus-client"),
    // `task-http` encodes on a blocking thread, so that a source that blocks occupies no worker.
    // This is the cost of that alone.
    ("hyper-blocking", "the same on a blocking thread"),
    ("axum", "axum + prometheus-client"),
    ("exporter", "metrics-exporter-prometheus's own"),
    ("task", "task-http + prometheus-client"),
];
/// With the metrics of `task-http` and no registry.
pub(super) const OWN: &[(&str, &str)] =
    &[("own-10", "10 tasks"), ("own-1000", "1,000 tasks"), ("own-10000", "10,000 tasks")];

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Runs the server that the argument names, until the process is killed.
pub(crate) fn serve(arguments: &[String]) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let name = arguments.first().map_or("", String::as_str);
    runtime.block_on(async {
        match name {
            "hyper" => bare().await,
            "hyper-blocking" => bare_blocking().await,
            "axum" => with_axum().await,
            "exporter" => with_exporter().await,
            "task" => with_task().await,
            _ => match name.strip_prefix("own-") {
                Some(tasks) => with_tasks(tasks.parse()?).await,
                None => bail!("no such server: {name}"),
            },
        }
    })
}

fn registry() -> Registry {
    let family = Family::<[(&str, String); 2], Counter<u64, AtomicU64>>::default();
    for shop in 0..1000_u64 {
        let labels = [("shop", shop.to_string()), ("country", (shop % 7).to_string())];
        family.get_or_create(&labels).inc_by(shop * 12_345);
    }
    let mut registry = Registry::default();
    registry.register("orders", "Orders taken", family);
    registry
}

fn encoded(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = encode(&mut text, registry);
    text
}

async fn bare() -> Result<()> {
    let registry = Arc::new(registry());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let registry = Arc::clone(&registry);
        tokio::spawn(async move {
            let service = service_fn(|_| {
                let answer =
                    Response::builder().header(CONTENT_TYPE, OPENMETRICS).body(encoded(&registry));
                async move { answer }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn bare_blocking() -> Result<()> {
    let registry = Arc::new(registry());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let registry = Arc::clone(&registry);
        tokio::spawn(async move {
            let service = service_fn(move |_| {
                let registry = Arc::clone(&registry);
                async move {
                    let text = tokio::task::spawn_blocking(move || encoded(&registry)).await?;
                    let answer =
                        Response::builder().header(CONTENT_TYPE, OPENMETRICS).body(text)?;
                    anyhow::Ok(answer)
                }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn with_axum() -> Result<()> {
    let registry = Arc::new(registry());
    let metrics = get(move || async move { ([(CONTENT_TYPE, OPENMETRICS)], encoded(&registry)) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/metrics", metrics)).await?;
    Ok(())
}

async fn with_exporter() -> Result<()> {
    // The exporter does not return its port, so this uses one that was just free.
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let (recorder, exporter) = PrometheusBuilder::new().with_http_listener(address).build()?;
    metrics::set_global_recorder(recorder)?;
    for shop in 0..1000_u64 {
        let country = (shop % 7).to_string();
        metrics::counter!("orders", "shop" => shop.to_string(), "country" => country)
            .increment(shop * 12_345);
    }
    println!("{address}");
    let _: Result<(), _> = exporter.await;
    Ok(())
}

async fn with_task() -> Result<()> {
    let http = HttpTask::builder()
        .metrics(registry())
        .without_group_metrics()
        .without_process_metrics()
        .without_runtime_metrics()
        .without_server_metrics()
        .bind("127.0.0.1:0")?;
    println!("{}", http.local_addr().unwrap_or_else(|| ([0; 4], 0).into()));
    http.run(Context::new(Arc::new(StageCell::new()))).await
}

async fn with_tasks(tasks: usize) -> Result<()> {
    let manager = Manager::new();
    for number in 0..tasks {
        let name = format!("worker-{number}");
        manager.run(task_fn(name, async |ctx: Context| {
            ctx.cancelled().await;
            Ok(())
        }))?;
    }
    let http = HttpTask::bind("127.0.0.1:0")?;
    println!("{}", http.local_addr().unwrap_or_else(|| ([0; 4], 0).into()));
    manager.run(http)?;
    manager.wait().await?;
    Ok(())
}
