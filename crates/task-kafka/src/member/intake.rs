//! The intake: receives messages, and goes on polling while the task cannot take any.
//!
//! A consumer that is not polled takes part in no rebalance, and leaves the group after
//! `max.poll.interval.ms`. So whatever the receive loop waits for, it waits for beside the polling:
//! the assigned partitions are paused, and rebalances go on.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use anyhow::Context as _;
use futures_core::Stream as _;
use rdkafka::{
    Message as _,
    consumer::{Consumer as _, MessageStream},
    message::BorrowedMessage,
};
use tokio::{select, time::sleep};

use super::{Consumer, Membership};
use crate::error::{cause, is_fatal};

/// How long the receive loop waits without polling. A pause costs what librdkafka has prefetched,
/// which it fetches again afterwards, so that a short wait is cheaper without one.
const UNPOLLED_TIMEOUT: Duration = Duration::from_millis(500);

/// The stream of messages of a consumer.
pub(crate) struct Intake<'a> {
    consumer: &'a Consumer,
    stream: MessageStream<'a, Membership>,
    /// Messages that came while the partitions were to be paused, with the number of revocations
    /// before them. There are none unless a pause fails.
    held: VecDeque<(BorrowedMessage<'a>, u64)>,
}

impl<'a> Intake<'a> {
    pub(crate) fn new(consumer: &'a Consumer) -> Self {
        // One stream for all messages: `recv` would create one for each.
        Self { consumer, stream: consumer.native().stream(), held: VecDeque::new() }
    }

    /// Returns the next message, after it has resumed the partitions if they are paused.
    ///
    /// # Errors
    ///
    /// Returns a permanent error of the consumer. Others are logged.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no message is lost.
    pub(crate) async fn next(&mut self) -> anyhow::Result<BorrowedMessage<'a>> {
        let member = self.consumer.native().context();
        if member.is_paused() {
            self.resume();
        }
        while let Some((message, revocations)) = self.held.pop_front() {
            let partition = member.partition(message.topic(), message.partition());
            if !member.window().is_revoked_since(partition, revocations) {
                return Ok(message);
            }
        }
        self.receive().await
    }

    /// Waits for `work`, and polls the consumer beside it if that takes long.
    ///
    /// # Errors
    ///
    /// Returns a permanent error of the consumer; `work` is dropped then.
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as `work`.
    pub(crate) async fn beside<W: Future>(&mut self, work: W) -> anyhow::Result<W::Output> {
        let mut work = pin!(work);
        // Nearly always it is ready, and no timer is needed.
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
            return Ok(output);
        }
        select! {
            biased;
            output = &mut work => return Ok(output),
            () = sleep(UNPOLLED_TIMEOUT) => {}
        }
        loop {
            self.pause();
            select! {
                biased;
                output = &mut work => return Ok(output),
                message = self.receive() => {
                    let revocations = self.consumer.native().context().window().revocations();
                    self.held.push_back((message?, revocations));
                }
            }
        }
    }

    /// Returns whether the partitions are paused.
    pub(crate) fn is_paused(&self) -> bool {
        self.consumer.native().context().is_paused()
    }

    async fn receive(&mut self) -> anyhow::Result<BorrowedMessage<'a>> {
        loop {
            let next = poll_fn(|cx| Pin::new(&mut self.stream).poll_next(cx)).await;
            match next.context("the stream of messages ended")? {
                Ok(message) => return Ok(message),
                Err(error) if is_fatal(&error) => {
                    return Err(cause(error).context("failed to receive"));
                }
                Err(error) => {
                    let member = self.consumer.native().context();
                    member.errors.warn("kafka consumer", &error, "receiving continues");
                }
            }
        }
    }

    /// Pauses all assigned partitions. From now on those that are assigned are paused, too.
    fn pause(&self) {
        let consumer = self.consumer.native();
        consumer.context().set_paused(true);
        if let Err(error) = consumer.assignment().and_then(|assigned| consumer.pause(&assigned)) {
            tracing::warn!(%error, "failed to pause the assigned partitions");
        }
    }

    fn resume(&self) {
        let consumer = self.consumer.native();
        consumer.context().set_paused(false);
        // Only what is paused is resumed: librdkafka fetches the others again from their start.
        if let Err(error) = consumer.assignment().and_then(|assigned| consumer.resume(&assigned)) {
            tracing::warn!(%error, "failed to resume the assigned partitions");
        }
    }
}
