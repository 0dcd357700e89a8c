//! The registries of other crates as sources, each with its feature.

#![cfg(any(
    feature = "prometheus-client",
    feature = "prometheus",
    feature = "metrics-exporter-prometheus"
))]

use task_http::Format;

#[cfg(feature = "prometheus-client")]
use crate::{built_in_families::OPENMETRICS, client::get_with};
use crate::{service::Service, sources::bare};

#[cfg(feature = "prometheus-client")]
#[tokio::test]
async fn the_registry_of_prometheus_client_is_a_source() {
    use prometheus_client::{metrics::counter::Counter, registry::Registry};
    let mut registry = Registry::default();
    let counter = Counter::<u64>::default();
    registry.register("orders", "Orders taken", counter.clone());
    counter.inc();
    let service = Service::start(|http| bare(http).metrics(registry));
    let response = get_with(service.address, "/metrics", &OPENMETRICS).await;
    assert_eq!(response.header("content-type"), Some(Format::OpenMetrics.content_type()));
    let expected = "# HELP orders Orders taken.\n# TYPE orders counter\norders_total 1\n# EOF\n";
    assert_eq!(response.text(), expected);
    service.stop().await;
}

#[cfg(feature = "prometheus")]
#[tokio::test]
async fn the_registry_of_prometheus_is_a_source() {
    let registry = prometheus::Registry::new();
    let counter = prometheus::IntCounter::new("orders_total", "Orders taken").unwrap();
    registry.register(Box::new(counter.clone())).unwrap();
    counter.inc();
    let service = Service::start(|http| bare(http).metrics(registry));
    let response = service.get("/metrics").await;
    assert_eq!(response.header("content-type"), Some(Format::Text.content_type()));
    let expected =
        "# HELP orders_total Orders taken\n# TYPE orders_total counter\norders_total 1\n";
    assert_eq!(response.text(), expected);
    service.stop().await;
}

#[cfg(feature = "metrics-exporter-prometheus")]
#[tokio::test]
async fn the_handle_of_metrics_exporter_prometheus_is_a_source() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let service = Service::start(|http| bare(http).metrics(recorder.handle()));
    let response = service.get("/metrics").await;
    assert_eq!(
        (response.status, response.header("content-type")),
        (200, Some(Format::Text.content_type()))
    );
    service.stop().await;
}
