//! The advice to set a drain delay: where a load balancer may be, and nobody has decided.

use std::{
    cell::RefCell,
    fmt::{self, Write},
    time::Duration,
};

use task_core::{Context, Phase, Task, task_fn};
use task_http::{Endpoint, HttpListener, HttpTask, ListenOptions};
use task_manager::{Manager, ManagerBuilder};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::client::get;

thread_local! {
    static WARNINGS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps the warnings of this thread.
struct Log;

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        struct Fields(String);
        impl Visit for Fields {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                write!(self.0, "{field}={value:?};").unwrap();
            }
        }
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        WARNINGS.with_borrow_mut(|warnings| warnings.push(fields.0));
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

async fn until_stopped(ctx: Context) -> anyhow::Result<()> {
    ctx.cancelled().await;
    Ok(())
}

/// Runs a service until it was ready for a while, and returns the advice that it logged.
async fn advice(
    builder: ManagerBuilder,
    address: &str,
    endpoints: &[Endpoint],
    phase: Phase,
) -> Vec<String> {
    WARNINGS.take();
    let _log = tracing::subscriber::set_default(Log);
    let listener = ListenOptions::default().bind(address).unwrap();
    let http =
        HttpTask::builder().listener(HttpListener::from(listener).only(endpoints.iter().copied()));
    let http = http.bind("127.0.0.1:0").unwrap();
    let probed = http.addresses().last().unwrap().to_string().parse().unwrap();
    let manager = builder.build().unwrap();
    manager.run(http).unwrap();
    // After the server has started.
    tokio::task::yield_now().await;
    manager.run(task_fn("worker", until_stopped).in_phase(phase)).unwrap();
    let handle = manager.handle();
    let ended = tokio::spawn(async move { manager.wait().await.unwrap() });
    while get(probed, "/readyz").await.status != 200 {}
    // On this single thread, what was woken before the request has been polled by its end.
    for _ in 0..3 {
        get(probed, "/livez").await;
    }
    handle.stop();
    assert!(ended.await.unwrap().is_clean());
    WARNINGS.take().into_iter().filter(|line| line.contains("drain_delay")).collect()
}

#[tokio::test]
async fn ingress_without_a_drain_behind_a_public_probe_gets_one_line_of_advice() {
    let advice = advice(Manager::builder(), "0.0.0.0:0", &Endpoint::PROBES, Phase::INGRESS).await;
    assert_eq!(advice.len(), 1, "{advice:?}");
    assert!(advice[0].contains("address=0.0.0.0:"), "{advice:?}");
}

#[tokio::test]
async fn there_is_no_advice_where_nothing_can_be_lost_or_the_delay_was_set() {
    let builder = Manager::builder;
    let zero = builder().drain_delay(Duration::ZERO);
    let millisecond = builder().drain_delay(Duration::from_millis(1));
    let (any, loopback) = ("0.0.0.0:0", "127.0.0.1:0");
    let (probes, metrics) = (&Endpoint::PROBES[..], &[Endpoint::Metrics][..]);
    for (builder, address, endpoints, phase) in [
        (zero, any, probes, Phase::INGRESS),
        (millisecond, any, probes, Phase::INGRESS),
        (builder(), loopback, probes, Phase::INGRESS),
        (builder(), any, metrics, Phase::INGRESS),
        (builder(), any, probes, Phase::WORK),
    ] {
        let advice = advice(builder, address, endpoints, phase).await;
        assert_eq!(advice, [""; 0], "{address} {endpoints:?} {phase:?}");
    }
}
