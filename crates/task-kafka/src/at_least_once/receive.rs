//! The receive loop: takes a message, transforms it, sends its records, and queues it for the
//! settler.
//!
//! A stop interrupts every await but the one that [`Dispatcher`] documents; the caller bounds that
//! one by dropping the loop.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use anyhow::Context as _;
use futures_core::Stream as _;
use rdkafka::{Message as _, consumer::Consumer as _};
use task_core::Context;
use tokio::sync::mpsc;

use crate::{
    Counters, Delivery, Incoming, Transform,
    decide::Decider,
    dispatch::Dispatcher,
    error::{cause, is_fatal},
    member::{Consumer, TopicPartition, Window},
};

/// A message that was transformed, and whose records were sent.
pub(super) struct Entry<E> {
    pub(super) partition: TopicPartition,
    pub(super) offset: i64,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) is_dead_letter: bool,
    pub(super) effect: Option<E>,
}

/// Receives messages until the task is cancelled or something fails.
pub(super) struct Receiver<T: Transform> {
    pub(super) ctx: Context,
    pub(super) consumer: Arc<Consumer>,
    pub(super) decider: Decider<T>,
    pub(super) dispatcher: Dispatcher,
    pub(super) window: Arc<Window>,
    pub(super) counters: Counters,
    /// Unbounded, because the window bounds it.
    pub(super) queue: mpsc::UnboundedSender<Entry<T::Effect>>,
}

impl<T: Transform> Receiver<T> {
    /// Runs until the task is cancelled, which may return `Cancelled`, or something fails.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let consumer = Arc::clone(&self.consumer);
        let membership = consumer.native().context();
        // One stream for all messages: `recv` would create one for each.
        let mut stream = consumer.native().stream();
        loop {
            // With a backlog the awaits below are always ready, so only this check ends the loop.
            if self.ctx.is_cancelled() {
                return Ok(());
            }
            // The permit first: a message that was received never waits. While the window is full
            // the consumer is not polled, for a time that the producer's message timeout and the
            // sink bound far below `max.poll.interval.ms`.
            let permit = self.ctx.ready_or_cancelled(self.window.acquire()).await?;
            let next = poll_fn(|cx| Pin::new(&mut stream).poll_next(cx));
            let next = self.ctx.ready_or_cancelled(next).await?;
            let message = match next.context("the stream of messages ended")? {
                Ok(message) => message,
                Err(error) if is_fatal(&error) => {
                    return Err(cause(error).context("failed to receive"));
                }
                Err(error) => {
                    membership.errors.warn("kafka consumer", &error, "receiving continues");
                    continue;
                }
            };
            let mut incoming = Incoming::new(&message);
            let decision = self.decider.decide(&mut incoming).await?;
            let sent = self.dispatcher.dispatch(&incoming, decision).await?;

            let partition = membership.partition(message.topic(), message.partition());
            let entry = Entry {
                partition,
                offset: message.offset(),
                deliveries: sent.deliveries,
                is_dead_letter: sent.is_dead_letter,
                effect: sent.effect,
            };
            self.window.admit(permit, partition);
            self.counters.0.consumed.fetch_add(1, Relaxed);
            // Fails only if the settler has ended, which the caller observes and ends this loop.
            let _ = self.queue.send(entry);
        }
    }
}
