//! The receive loop: takes a message, transforms it, sends what came of it, and queues it for the
//! settler.
//!
//! Every await races the stop, but for the one that the outlet documents; the caller bounds that
//! one by dropping the loop.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use anyhow::Context as _;
use futures_core::Stream as _;
use rdkafka::{
    Message as _,
    consumer::Consumer as _,
    error::{KafkaError, RDKafkaErrorCode},
};
use task_core::Context;
use tokio::sync::mpsc;

use crate::{
    Counters, Delivery, Incoming, Transform,
    consumer::Consumer,
    decide::Decider,
    error::cause,
    outlet::Outlet,
    window::{Place, Window},
};

/// A message on its way: transformed, its records sent.
pub(crate) struct Entry<E> {
    pub(crate) place: Place,
    pub(crate) offset: i64,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) is_dead_letter: bool,
    pub(crate) effect: Option<E>,
}

pub(crate) struct Receiver<T: Transform> {
    pub(crate) ctx: Context,
    pub(crate) consumer: Arc<Consumer>,
    pub(crate) decider: Decider<T>,
    pub(crate) outlet: Outlet,
    pub(crate) window: Arc<Window>,
    pub(crate) counters: Counters,
    /// Unbounded, because the window bounds it.
    pub(crate) queue: mpsc::UnboundedSender<Entry<T::Effect>>,
}

impl<T: Transform> Receiver<T> {
    /// Works until the task is cancelled, which may give `Cancelled`, or something fails.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let consumer = Arc::clone(&self.consumer);
        let membership = consumer.native().context();
        let mut stream = consumer.native().stream();
        loop {
            // A backlog is always ready: only this check ends it.
            if self.ctx.is_cancelled() {
                return Ok(());
            }
            // Room first: what has been received is never kept waiting. While there is none the
            // consumer is not polled, which the producer's message timeout and the sink bound far
            // below `max.poll.interval.ms`.
            let room = self.ctx.ready_or_cancelled(self.window.room()).await?;
            let next = poll_fn(|cx| Pin::new(&mut stream).poll_next(cx));
            let next = self.ctx.ready_or_cancelled(next).await?;
            let message = match next.context("the stream of messages ended")? {
                Ok(message) => message,
                Err(error) if is_fatal(&error) => {
                    return Err(cause(error).context("failed to receive"));
                }
                Err(error) => {
                    membership.errors.warn("kafka consumer", &error, "receiving goes on");
                    continue;
                }
            };
            let mut incoming = Incoming::new(&message);
            let decision = self.decider.decide(&mut incoming).await?;
            let sent = self.outlet.dispatch(&incoming, decision).await?;

            let place = membership.place(message.topic(), message.partition());
            let entry = Entry {
                place,
                offset: message.offset(),
                deliveries: sent.deliveries,
                is_dead_letter: sent.is_dead_letter,
                effect: sent.effect,
            };
            self.window.admit(room, place);
            self.counters.0.consumed.fetch_add(1, Relaxed);
            // If the settler is gone, the caller knows and ends this loop.
            let _ = self.queue.send(entry);
        }
    }
}

/// Tells the errors that do not pass from those that librdkafka deals with by itself: brokers that
/// are away, a topic that does not exist yet, a member that was too slow and joins again.
pub(crate) fn is_fatal(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        Authentication, Fatal, FencedInstanceId, GroupAuthorizationFailed,
        SaslAuthenticationFailed, TopicAuthorizationFailed, UnsupportedSASLMechanism,
    };
    let fatal_code = matches!(
        error.rdkafka_error_code(),
        Some(
            Authentication
                | Fatal
                | FencedInstanceId
                | GroupAuthorizationFailed
                | SaslAuthenticationFailed
                | TopicAuthorizationFailed
                | UnsupportedSASLMechanism
        )
    );
    fatal_code || matches!(error, KafkaError::MessageConsumptionFatal(_))
}
