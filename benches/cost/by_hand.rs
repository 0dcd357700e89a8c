//! The smallest service on `task-manager` and `task-signal`, written by hand on their dependencies,
//! with fewer features: two tasks, their errors, a log, a signal from a thread, a deadline. A
//! failure stops no other task, and there are no names, no report, no phases and no cleanups.

use std::time::Duration;

use anyhow::Context;
use signal_hook::{consts::SIGTERM, iterator::Signals};
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

#[derive(Debug, thiserror::Error)]
#[error("{0} tasks did not end in time")]
struct Stuck(usize);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let mut signals = Signals::new([SIGTERM]).context("failed to catch signals")?;
    let stopper = stop.clone();
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            tracing::info!(signal, "received");
            stopper.cancel();
        }
    })?;
    let mut tasks = JoinSet::new();
    for _ in 0..2 {
        let stop = stop.clone();
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return anyhow::Ok(()),
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
        });
    }
    stop.cancelled().await;
    let ended = timeout(Duration::from_secs(25), async {
        let mut first = None;
        while let Some(ended) = tasks.join_next().await {
            match ended.context("a task panicked").and_then(|ended| ended) {
                Ok(()) => tracing::debug!("task ended"),
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "task failed");
                    first.get_or_insert(error);
                }
            }
        }
        first.map_or(Ok(()), Err)
    });
    match ended.await {
        Ok(result) => result,
        Err(_) => Err(Stuck(tasks.len()).into()),
    }
}
