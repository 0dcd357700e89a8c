//! OpenTelemetry: spans and log lines reach the collector, up to the last ones.
//!
//! The providers' `shutdown_with_timeout` blocks, and has to come last: behind the cleanups, whose
//! spans it sends, and behind the log's last line, which is the report. [`Manager::telemetry`] is
//! that place. It runs on plain threads, so it neither blocks a worker of the runtime nor needs
//! one, and it has time that nothing else can use up: 2 s of the 25 s of a shutdown. A collector
//! that does not answer delays the end by no more, and one line on stderr says so.
//!
//! The collector is a stub in this process. Run it with `hangs`, `slow` or `wedged` to see what
//! then happens, and with `current` for a runtime on one thread.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

mod collector;

use std::{env, process::ExitCode, thread, time::Duration};

use anyhow::anyhow;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{LogExporter, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{logs::SdkLoggerProvider, trace::SdkTracerProvider};
use taskkit::{Context, Manager, Service, task_fn};
use tracing::{Instrument as _, Level};
use tracing_subscriber::{
    filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use collector::{Collector, Mode};

fn main() -> anyhow::Result<ExitCode> {
    let words: Vec<String> = env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|given| given == word);
    let mode = match () {
        () if has("hangs") => Mode::Hangs,
        () if has("slow") => Mode::Slow,
        () => Mode::Answers,
    };
    let collector = Collector::start(mode)?;

    let service = Service::new()
        .manager(|manager| manager.name("orders").shutdown_timeout(Duration::from_secs(4)));
    let service = if has("current") { service.current_thread() } else { service };
    let (endpoint, is_wedged) = (collector.endpoint(), has("wedged"));
    let code = service.run(async |manager| {
        // First, so that whatever fails in the setup is sent, too.
        telemetry(manager, &endpoint)?;
        manager.cleanup("pool", async || {
            tracing::info_span!("close the pool").in_scope(|| tracing::info!("pool closed"));
            Ok(())
        })?;
        manager.run(task_fn("consumer", consume))?;
        if is_wedged {
            manager.run(task_fn("wedged", async |_| {
                thread::sleep(Duration::from_secs(60));
                Ok(())
            }))?;
        }
        Ok(())
    });

    for name in ["order", "cleanup", "close the pool"] {
        println!("the collector got {} spans named `{name}`", collector.count(name));
    }
    for line in collector.lines() {
        println!("and the line: {line}");
    }
    Ok(code)
}

/// Sends spans and log lines to a collector, and flushes them last.
fn telemetry(manager: &Manager, endpoint: &str) -> anyhow::Result<()> {
    let spans = SpanExporter::builder().with_http().with_protocol(Protocol::HttpJson);
    let spans = spans.with_endpoint(format!("{endpoint}/v1/traces")).build()?;
    let traces = SdkTracerProvider::builder().with_batch_exporter(spans).build();
    let lines = LogExporter::builder().with_http().with_protocol(Protocol::HttpJson);
    let lines = lines.with_endpoint(format!("{endpoint}/v1/logs")).build()?;
    let logs = SdkLoggerProvider::builder().with_batch_exporter(lines).build();

    tracing_subscriber::registry()
        .with(tracing_opentelemetry::layer().with_tracer(traces.tracer("orders")))
        .with(OpenTelemetryTracingBridge::new(&logs))
        // Not of the exporters: each export would cause another.
        .with(Targets::new().with_targets([("task", Level::INFO), (module_path!(), Level::INFO)]))
        .try_init()?;

    // The providers are kept here: nothing flushes them by itself.
    manager.telemetry("traces", move |left| {
        traces.shutdown_with_timeout(left).map_err(|error| anyhow!(error))
    })?;
    manager.telemetry("logs", move |left| {
        logs.shutdown_with_timeout(left).map_err(|error| anyhow!(error))
    })?;
    Ok(())
}

/// A hundred orders, the last of which ends with the service.
async fn consume(ctx: Context) -> anyhow::Result<()> {
    for order in 1..=100 {
        let span = tracing::info_span!("order", order);
        async { tokio::time::sleep(Duration::from_millis(1)).await }.instrument(span).await;
    }
    ctx.request_stop("the example is over");
    Ok(())
}
