//! The settler: awaits the delivery reports, hands the effects to the sink, and only then stores
//! the offsets.
//!
//! It is a task of Tokio's own beside the receive loop, since a rebalance blocks that loop until
//! this one has caught up. It takes messages in the order in which they were received, so that the
//! offset stored of a partition is one up to which everything is done. After the first failure it
//! stores nothing more.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use anyhow::Context as _;
use rdkafka::consumer::Consumer as _;
use task_core::Context;
use tokio::{join, sync::mpsc};

use crate::{
    Counters, Sink,
    consumer::Consumer,
    receive::Entry,
    window::{Run, Window, runs},
};

pub(crate) struct Settler<E, S> {
    pub(crate) ctx: Context,
    pub(crate) consumer: Arc<Consumer>,
    pub(crate) sink: S,
    pub(crate) batch: usize,
    pub(crate) window: Arc<Window>,
    pub(crate) counters: Counters,
    pub(crate) queue: mpsc::UnboundedReceiver<Entry<E>>,
}

impl<E: Send + 'static, S: Sink<E>> Settler<E, S> {
    /// Works until the queue is closed and empty, or something fails.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let mut batch = Vec::with_capacity(self.batch);
        while self.queue.recv_many(&mut batch, self.batch).await > 0 {
            self.settle(&mut batch).await?;
            batch.clear();
        }
        Ok(())
    }

    async fn settle(&mut self, batch: &mut [Entry<E>]) -> anyhow::Result<()> {
        let effects: Vec<E> = batch.iter_mut().filter_map(|entry| entry.effect.take()).collect();
        let write =
            async { if effects.is_empty() { Ok(()) } else { self.sink.write(effects).await } };
        let ((delivered, delivery), written) = join!(deliver(batch, &self.counters), write);
        if let Err(error) = written {
            // Neither error may hide the other.
            if let Err(delivery) = delivery {
                self.ctx.record_failure(delivery);
            }
            return Err(error.context("failed to write to the sink"));
        }
        self.store(&batch[..delivered])?;
        delivery.with_context(|| {
            let entry = &batch[delivered];
            let (place, offset) = (entry.place, entry.offset);
            let topic = self.consumer.native().context().topic(place).unwrap_or("?");
            format!("failed to produce what {topic}[{}]@{offset} became", place.1)
        })
    }

    /// Stores the offsets of messages that are done.
    fn store(&self, done: &[Entry<E>]) -> anyhow::Result<()> {
        let done = runs(done.iter().map(|entry| (entry.place, entry.offset)));
        let consumer = self.consumer.native();
        for &Run { place, last_offset: offset, .. } in &done {
            let topic = consumer.context().topic(place).context("a topic nobody subscribed to")?;
            if let Err(error) = consumer.store_offset(topic, place.1, offset) {
                // The partition has gone to another member, which reads these messages again.
                tracing::warn!(%error, topic, partition = place.1, offset, "offset not stored");
            }
        }
        consumer.context().stored();
        let settled: usize = done.iter().map(|run| run.messages).sum();
        self.counters.0.settled.fetch_add(settled as u64, Relaxed);
        self.window.release(&done);
        Ok(())
    }
}

/// Awaits the reports. Returns how many messages from the first on were delivered in full, and the
/// failure of the one after them.
///
/// The last report is awaited first: when it is there, so are nearly all others, and this task is
/// woken once for a batch and not again and again.
async fn deliver<E>(batch: &mut [Entry<E>], counters: &Counters) -> (usize, anyhow::Result<()>) {
    let sent = batch.iter().rposition(|entry| !entry.deliveries.is_empty());
    let mut last = match sent.and_then(|index| batch[index].deliveries.pop()) {
        Some(delivery) => Some(delivery.await),
        None => None,
    };
    for (index, entry) in batch.iter_mut().enumerate() {
        let mut records = 0;
        for delivery in entry.deliveries.drain(..) {
            if let Err(error) = delivery.await {
                return (index, Err(error));
            }
            records += 1;
        }
        if sent == Some(index)
            && let Some(report) = last.take()
        {
            if let Err(error) = report {
                return (index, Err(error));
            }
            records += 1;
        }
        if entry.is_dead_letter {
            counters.0.dead_lettered.fetch_add(1, Relaxed);
        } else {
            counters.0.produced.fetch_add(records, Relaxed);
        }
    }
    (batch.len(), Ok(()))
}
