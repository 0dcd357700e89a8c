//! The receive loops: one that transforms each message itself and sends its records, and one that
//! leaves both to workers.
//!
//! A stop interrupts every await but the one that [`Dispatcher`] documents; the caller bounds that
//! one by dropping the loop.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use rdkafka::{Message as _, consumer::Consumer as _};
use task_core::Context;
use tokio::{select, sync::mpsc};

use crate::{
    Counters, Incoming, Transform,
    decide::Decider,
    dispatch::{Dispatcher, Entry, keep, kept_bytes},
    member::{Consumer, Intake, Window},
};

/// Receives messages one by one, until the task is cancelled or something fails.
pub(super) struct Receiver<T: Transform> {
    pub(super) ctx: Context,
    pub(super) consumer: Arc<Consumer>,
    pub(super) decider: Decider<T>,
    pub(super) dispatcher: Dispatcher,
    pub(super) window: Arc<Window>,
    pub(super) counters: Counters,
    pub(super) keeps: bool,
    /// Unbounded, because the window bounds it.
    pub(super) queue: mpsc::UnboundedSender<Entry<T::Effect>>,
}

impl<T: Transform> Receiver<T> {
    /// Runs until the task is cancelled, which may return `Cancelled`, or something fails.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let consumer = Arc::clone(&self.consumer);
        let membership = consumer.native().context();
        let mut intake = Intake::new(&consumer, self.decider.retry_timeout);
        let mut has_room = true;
        loop {
            // With a backlog the awaits below are always ready, so only this check ends the loop.
            if self.ctx.is_cancelled() {
                return Ok(());
            }
            if !has_room {
                wait_for_room(&self.ctx, &mut intake, &self.window).await?;
            }
            let message = self.ctx.ready_or_cancelled(intake.next()).await??;
            let partition = membership.partition(message.topic(), message.partition());
            let revocations = self.window.revocations();
            let mut incoming = Incoming::borrowed(&message);
            let sending = async {
                let stopping = self.ctx.cancelled();
                let decision = self.decider.decide(&mut incoming, stopping).await?;
                self.dispatcher.dispatch(&incoming, decision).await
            };
            let sent = intake.beside(async {
                select! {
                    biased;
                    sent = sending => Some(sent),
                    () = self.window.revoked_since(partition, revocations) => None,
                }
            });
            // A message whose partition was revoked meanwhile is left to the next owner.
            let Some(sent) = sent.await? else { continue };
            let sent = sent?;
            let kept = keep(self.keeps, &message, &sent);
            let bytes = kept_bytes(kept.as_deref());
            let (ticket, room) =
                self.window.admit_finished(partition, message.offset(), bytes, revocations);
            has_room = room;
            self.counters.0.consumed.fetch_add(1, Relaxed);
            // Fails only if the settler has ended, which the caller observes and ends this loop.
            let _ = self.queue.send(Entry { ticket, sent, kept });
        }
    }
}

/// Receives messages for the workers, until the task is cancelled or something fails.
pub(super) async fn feed(
    ctx: Context,
    consumer: Arc<Consumer>,
    window: Arc<Window>,
    retry_timeout: Duration,
) -> anyhow::Result<()> {
    let membership = consumer.native().context();
    let mut intake = Intake::new(&consumer, retry_timeout);
    let mut has_room = true;
    while !ctx.is_cancelled() {
        if !has_room {
            wait_for_room(&ctx, &mut intake, &window).await?;
        }
        let message = ctx.ready_or_cancelled(intake.next()).await??;
        let partition = membership.partition(message.topic(), message.partition());
        has_room = window.admit(partition, &message);
    }
    Ok(())
}

/// Waits until another message may be in flight. Once the partitions are paused, waits until half
/// of the window is free: each pause discards what was prefetched.
async fn wait_for_room(
    ctx: &Context,
    intake: &mut Intake<'_>,
    window: &Window,
) -> anyhow::Result<()> {
    ctx.ready_or_cancelled(intake.beside(window.room())).await??;
    if intake.is_paused() {
        ctx.ready_or_cancelled(intake.beside(window.half_its_room())).await??;
    }
    Ok(())
}
