//! The workers: transform messages at once, and send their records.
//!
//! A worker is a Tokio task with a clone of the transform. It takes the next message that the
//! window lets start, so that order and limits are the window's affair alone.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use anyhow::anyhow;
use rdkafka::message::OwnedMessage;
use task_core::Cancelled;
use tokio::{select, sync::mpsc, task::JoinSet};

use crate::{
    Counters, Incoming, Transform,
    decide::{AtStop, Decider},
    dispatch::{Dispatcher, Entry, Sent},
    failures::Ended,
    member::{Ticket, Window},
    panics::catch_panic,
    parts::Parts,
};

/// The running workers. Dropping them drops their transforms at their awaits.
pub(crate) struct Workers {
    window: Arc<Window>,
    running: JoinSet<Ended>,
}

/// How to clone the transform for a worker.
pub(crate) type CloneTransform<T> = fn(&T) -> T;

impl Workers {
    /// Starts as many workers as the settings allow. They send what they have done to `queue`,
    /// which is unbounded because the window bounds it, in the order of each lane.
    pub(crate) fn start<T: Transform>(
        parts: &Parts<'_>,
        transform: &T,
        clone: CloneTransform<T>,
        queue: &mpsc::UnboundedSender<Entry<T::Effect>>,
    ) -> Self {
        let mut running = JoinSet::new();
        for _ in 0..parts.settings.concurrency {
            let worker = Worker {
                decider: parts.decider(clone(transform), AtStop::Finish),
                dispatcher: parts.dispatcher(),
                window: Arc::clone(&parts.window),
                counters: parts.counters.clone(),
                keeps: parts.keeps,
                queue: queue.clone(),
            };
            running.spawn(catch_panic(parts.ctx.clone(), worker.run()));
        }
        Self { window: Arc::clone(&parts.window), running }
    }

    /// Starts none: the receive loop transforms the messages.
    pub(crate) fn none(parts: &Parts<'_>) -> Self {
        Self { window: Arc::clone(&parts.window), running: JoinSet::new() }
    }

    /// Waits until a worker fails.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no failure is lost.
    pub(crate) async fn failed(&mut self) -> Ended {
        match self.running.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(error)) => Ok(Err(anyhow!(error))),
            // There are none, or each has failed before.
            None => std::future::pending().await,
        }
    }

    /// Waits until every message in the window is transformed and sent, or abandoned. Adds the
    /// failures of workers to `failed`.
    pub(crate) async fn finish(&mut self, failed: &mut Vec<Ended>) {
        let window = Arc::clone(&self.window);
        let mut finished = std::pin::pin!(window.finished());
        loop {
            select! {
                biased;
                () = &mut finished => return,
                ended = self.failed() => failed.push(ended),
            }
        }
    }

    /// Drops the transforms at their awaits, and waits for that. Adds the failures of workers to
    /// `failed`.
    pub(crate) async fn abort(&mut self, failed: &mut Vec<Ended>) {
        self.running.abort_all();
        while let Some(ended) = self.running.join_next().await {
            // The others were aborted.
            failed.extend(ended);
        }
    }
}

struct Worker<T: Transform> {
    decider: Decider<T>,
    dispatcher: Dispatcher,
    window: Arc<Window>,
    counters: Counters,
    keeps: bool,
    queue: mpsc::UnboundedSender<Entry<T::Effect>>,
}

impl<T: Transform> Worker<T> {
    /// Runs until it is aborted, or something fails.
    async fn run(mut self) -> anyhow::Result<()> {
        let window = Arc::clone(&self.window);
        loop {
            let (ticket, message) = window.start().await;
            let started = Started { window: &window, ticket: Some(ticket) };
            let sent = select! {
                biased;
                sent = self.work(&message) => sent,
                () = window.revoked(ticket) => continue,
            };
            match sent {
                Ok(sent) => {
                    self.counters.0.consumed.fetch_add(1, Relaxed);
                    // Before the next message of its lane may be started: effects keep the order.
                    // Fails only if the task ends.
                    let kept = (self.keeps && sent.effect.is_some()).then(|| Box::new(message));
                    let _ = self.queue.send(Entry { ticket, sent, kept });
                    started.finish();
                }
                // In a pause before a retry, at a stop.
                Err(error) if Cancelled::is_outermost_in(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn work(&mut self, message: &OwnedMessage) -> anyhow::Result<Sent<T::Effect>> {
        let mut incoming = Incoming::owned(message);
        let decision = self.decider.decide(&mut incoming, self.window.stopping()).await?;
        self.dispatcher.dispatch(&incoming, decision).await
    }
}

/// A message that is being transformed. Dropping it abandons the message.
struct Started<'a> {
    window: &'a Window,
    ticket: Option<Ticket>,
}

impl Started<'_> {
    fn finish(mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.window.finish(ticket);
        }
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.window.abandon(ticket);
        }
    }
}
