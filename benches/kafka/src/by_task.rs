//! The same pipeline as a `KafkaTask`, under a manager.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use task_kafka::{
    Incoming, KafkaSettings, KafkaTask, NoSink, Output, Producer, Record, Transform, Verdict,
};
use task_manager::Manager;
use tokio::{
    sync::oneshot,
    time::{Duration, sleep},
};

use crate::{lap::Lap, load};

#[tokio::main(worker_threads = 2)]
pub(crate) async fn run(brokers: &str, group: &str) -> Result<()> {
    let settings = KafkaSettings::new(brokers).group(group).topics([load::INPUT]);
    let producer = Producer::new(&settings)?;
    let (first, started) = oneshot::channel();
    let task = KafkaTask::new(
        settings,
        producer,
        Upper { output: load::OUTPUT.into(), first: Some(first) },
        NoSink,
    )?;
    let counters = task.counters();
    let manager = Manager::new();
    manager.run(task)?;
    let lap = started.await.context("no message came")?;
    while counters.get().settled < load::MESSAGES {
        sleep(Duration::from_millis(1)).await;
    }
    lap.finish();
    manager.shutdown().await?;
    Ok(())
}

struct Upper {
    output: Arc<str>,
    first: Option<oneshot::Sender<Lap>>,
}

impl Transform for Upper {
    type Effect = ();

    async fn transform(&mut self, message: &Incoming<'_>) -> Result<Verdict<()>> {
        if let Some(first) = self.first.take() {
            let _ = first.send(Lap::start());
        }
        let payload = load::transform(message.payload().context("a tombstone")?);
        let record = Record::to(Arc::clone(&self.output)).payload(payload);
        let record = match message.key() {
            Some(key) => record.key(key),
            None => record,
        };
        Ok(Verdict::Forward(Output::new().record(record)))
    }
}
