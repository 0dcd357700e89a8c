//! The settler: awaits the delivery reports, hands the effects to the sink, and then stores the
//! offsets.
//!
//! It is a separate Tokio task beside the receive loop, because a rebalance blocks that loop until
//! the settler has caught up. It takes messages in the order in which they were sent; the window
//! says which offsets may be stored, so that every message of a partition up to its stored offset
//! is done. After the first failure it stores nothing more.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use anyhow::Context as _;
use rdkafka::consumer::Consumer as _;
use task_core::Context;
use tokio::{join, sync::mpsc};

use crate::{
    Counters, RefusedEffects, Sink,
    dispatch::{Dispatcher, Entry, Handling, refused},
    member::{Consumer, Settled, Ticket, Window},
};

/// Settles messages in batches.
pub(super) struct Settler<E, S> {
    pub(super) ctx: Context,
    pub(super) consumer: Arc<Consumer>,
    pub(super) sink: S,
    /// The most messages of one batch.
    pub(super) batch: usize,
    pub(super) may_refuse: bool,
    pub(super) window: Arc<Window>,
    pub(super) counters: Counters,
    pub(super) dispatcher: Dispatcher,
    pub(super) queue: mpsc::UnboundedReceiver<Entry<E>>,
}

impl<E: Send + 'static, S: Sink<E>> Settler<E, S> {
    /// Runs until the queue is closed and empty, or something fails.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        // Grows as needed: the limit is the user's and may be any number.
        let mut batch = Vec::new();
        while self.queue.recv_many(&mut batch, self.batch).await > 0 {
            self.settle(&mut batch).await?;
            batch.clear();
        }
        Ok(())
    }

    /// Settles one batch. If a delivery fails, the messages before it are settled nevertheless.
    async fn settle(&mut self, batch: &mut [Entry<E>]) -> anyhow::Result<()> {
        let effects: Vec<E> =
            batch.iter_mut().filter_map(|entry| entry.sent.effect.take()).collect();
        let slow = &self.counters.0.slow;
        let write = async {
            if effects.is_empty() {
                return Ok(());
            }
            let count = effects.len();
            slow.watch(|| format!("writing {count} effects"), self.sink.write(effects)).await
        };
        // Beside each other, since both wait for the network.
        let ((delivered, delivery), written) = join!(deliver(batch, &self.counters), write);
        let refused = match refused(written, self.may_refuse) {
            Ok(refused) => refused,
            Err(error) => {
                // Neither error may hide the other.
                if let Err(delivery) = delivery {
                    self.ctx.record_failure(delivery);
                }
                return Err(error);
            }
        };
        let delivery = delivery.with_context(|| {
            let Ticket { partition, offset, .. } = batch[delivered].ticket;
            let number = partition.1;
            let topic = self.consumer.native().context().topic(partition).unwrap_or("?");
            format!("failed to produce the records of {topic}[{number}]@{offset}")
        });
        let (settled, refusal) = self.refuse(batch, delivered, refused).await;
        self.store(batch[..delivered.min(settled)].iter().map(|entry| entry.ticket));
        match (delivery, refusal) {
            (Err(delivery), Err(refusal)) => {
                self.ctx.record_failure(delivery);
                Err(refusal)
            }
            (delivery, refusal) => delivery.and(refusal),
        }
    }

    /// Dead-letters the messages whose effects the sink has refused, of the first `produced` ones:
    /// the others are read again. Returns how many messages of
    /// the batch, counted from the first one, are done, and the failure of the one after them.
    async fn refuse(
        &mut self,
        batch: &mut [Entry<E>],
        produced: usize,
        refused: RefusedEffects,
    ) -> (usize, anyhow::Result<()>) {
        if refused.is_empty() {
            return (batch.len(), Ok(()));
        }
        for (at, letter) in self.dispatcher.refuse(batch, produced, refused).await {
            match letter {
                Ok(None) => _ = self.counters.0.skipped.fetch_add(1, Relaxed),
                Ok(Some(delivery)) => match delivery.await {
                    Ok(()) => _ = self.counters.0.dead_lettered.fetch_add(1, Relaxed),
                    Err(error) => return (at, Err(error)),
                },
                Err(error) => return (at, Err(error)),
            }
        }
        (batch.len(), Ok(()))
    }

    /// Stores the offsets of messages that are done, and releases the messages.
    fn store(&self, done: impl Iterator<Item = Ticket>) {
        let consumer = self.consumer.native();
        let store = |&Settled { partition, last_offset: offset, .. }: &Settled| {
            consumer.context().note_stored(partition, offset);
            let topic = consumer.context().topic(partition).unwrap_or_default();
            let partition = partition.1;
            if let Err(error) = consumer.store_offset(topic, partition, offset) {
                // The partition is about to go to another member, which reads these messages again.
                tracing::warn!(%error, topic, partition, offset, "offset was not stored");
            }
        };
        let (settled, repeated) = self.window.settle(done, store);
        consumer.context().mark_stored();
        self.counters.0.settled.fetch_add(settled as u64, Relaxed);
        self.counters.0.rewound.fetch_add(repeated as u64, Relaxed);
    }
}

/// Awaits the delivery reports of a batch. Returns how many messages, counted from the first one,
/// were delivered in full, and the failure of the one after them.
///
/// The last report is awaited first: once it has arrived, nearly all others have, so that this task
/// is woken once per batch and not once per record.
async fn deliver<E>(batch: &mut [Entry<E>], counters: &Counters) -> (usize, anyhow::Result<()>) {
    let sent = batch.iter().rposition(|entry| !entry.sent.deliveries.is_empty());
    let mut last = match sent.and_then(|index| batch[index].sent.deliveries.pop()) {
        Some(delivery) => Some(delivery.await),
        None => None,
    };
    for (index, entry) in batch.iter_mut().enumerate() {
        let mut records = 0;
        for delivery in entry.sent.deliveries.drain(..) {
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
        match entry.sent.handling {
            Handling::Forwarded => counters.0.produced.fetch_add(records, Relaxed),
            Handling::DeadLettered => counters.0.dead_lettered.fetch_add(1, Relaxed),
            Handling::Skipped => counters.0.skipped.fetch_add(1, Relaxed),
        };
    }
    (batch.len(), Ok(()))
}
