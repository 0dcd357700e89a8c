//! The same work as a `KafkaTask`, under a manager. Its 1,000 keys keep their order up to 100 at
//! once; with 1,000 at once there are too few, and it has none, as the loop by hand.

use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use task_kafka::{
    Incoming, KafkaSettings, KafkaTask, NoSink, Order, Output, Producer, Record, Transform, Verdict,
};
use task_manager::Manager;
use tokio::{
    sync::oneshot,
    time::{Duration, sleep},
};

use super::{WORK, messages};
use crate::{lap::Lap, load};

#[tokio::main(worker_threads = 2)]
pub(crate) async fn run(brokers: &str, group: &str, at_once: usize) -> Result<()> {
    let order = if at_once < 1000 { Order::Key } else { Order::None };
    let settings = KafkaSettings::new(brokers)
        .group(group)
        .topics([load::INPUT])
        .concurrency(at_once)
        .order(order);
    let producer = Producer::new(&settings)?;
    let (first, started) = oneshot::channel();
    let first = Arc::new(Mutex::new(Some(first)));
    let transform = Slow { output: load::OUTPUT.into(), first };
    let task = KafkaTask::parallel(settings, producer, transform, NoSink)?;
    let counters = task.counters();
    let manager = Manager::new();
    manager.run(task)?;
    let lap = started.await.context("no message came")?;
    while counters.get().settled < messages(at_once) {
        sleep(Duration::from_millis(1)).await;
    }
    lap.finish_with(messages(at_once));
    manager.shutdown().await?;
    Ok(())
}

#[derive(Clone)]
struct Slow {
    output: Arc<str>,
    first: Arc<Mutex<Option<oneshot::Sender<Lap>>>>,
}

impl Transform for Slow {
    type Effect = ();

    async fn transform(&mut self, message: &Incoming<'_>) -> Result<Verdict<()>> {
        if let Some(first) = self.first.lock().ok().and_then(|mut first| first.take()) {
            let _ = first.send(Lap::start());
        }
        sleep(WORK).await;
        let payload = load::transform(message.payload().context("a tombstone")?);
        let record = Record::to(Arc::clone(&self.output)).payload(payload);
        let record = match message.key() {
            Some(key) => record.key(key),
            None => record,
        };
        Ok(Verdict::Forward(Output::new().record(record)))
    }
}
