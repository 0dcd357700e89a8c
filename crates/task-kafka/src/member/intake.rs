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
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures_core::Stream as _;
use rdkafka::{
    Message as _,
    consumer::{Consumer as _, MessageStream},
    error::KafkaError as NativeError,
    message::BorrowedMessage,
};
use tokio::{
    select,
    time::{sleep, sleep_until},
};

use super::{Consumer, Membership};
use crate::{
    error::{cause, fault},
    faults::{Budget, Fault},
};

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
    budget: Budget,
    /// The last error that is not known to pass, with the number of assignments before it; until
    /// something moves, or it was [checked](Self::check_lasting).
    lasting: Option<(NativeError, u64)>,
}

impl<'a> Intake<'a> {
    /// `limit` is for how long errors of the consumer may last that are not known to pass.
    pub(crate) fn new(consumer: &'a Consumer, limit: Duration) -> Self {
        // One stream for all messages: `recv` would create one for each.
        let stream = consumer.native().stream();
        let budget = Budget::with_gap(limit);
        Self { consumer, stream, held: VecDeque::new(), budget, lasting: None }
    }

    /// Returns the next message, after it has resumed the partitions if they are paused.
    ///
    /// # Errors
    ///
    /// Returns a permanent error of the consumer, and one that does not pass within its time.
    /// Others are logged.
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
            let next = poll_fn(|cx| Pin::new(&mut self.stream).poll_next(cx));
            let next = match self.budget.spent_at() {
                None => next.await,
                Some(spent_at) => select! {
                    biased;
                    next = next => next,
                    () = sleep_until(spent_at.into()) => {
                        self.check_lasting()?;
                        continue;
                    }
                },
            };
            match next.context("the stream of messages ended")? {
                Ok(message) => {
                    self.budget.moved();
                    self.lasting = None;
                    return Ok(message);
                }
                Err(error) => self.handle(error)?,
            }
        }
    }

    /// Logs an error, or returns it if it is permanent, or has lasted too long.
    fn handle(&mut self, error: NativeError) -> anyhow::Result<()> {
        match fault(&error) {
            Fault::Passes => {}
            Fault::PassesWithin if !self.budget.is_spent_by(Instant::now()) => {
                let assignments = self.consumer.native().context().assignments();
                self.lasting = Some((error.clone(), assignments));
            }
            Fault::PassesWithin | Fault::Permanent => return Err(self.failure(error)),
        }
        let member = self.consumer.native().context();
        member.errors.warn("kafka consumer", &error, "receiving continues");
        Ok(())
    }

    /// Called when the budget is spent and no other error has come.
    ///
    /// An error of the group that stays, such as one that is full, may come less often than the
    /// gap, or only once: it fails a member that has got no assignment since, and has no partitions
    /// left. A member with partitions goes on. The budget stays spent: the next error fails it, if
    /// it does not come later than the gap.
    fn check_lasting(&mut self) -> anyhow::Result<()> {
        self.budget.checked();
        let member = self.consumer.native().context();
        match self.lasting.take() {
            Some((error, assignments))
                if member.assignments() == assignments && !member.has_partitions() =>
            {
                Err(self.failure(error))
            }
            _ => Ok(()),
        }
    }

    /// Returns an error with what librdkafka has said about it.
    fn failure(&self, error: NativeError) -> anyhow::Error {
        let code = error.rdkafka_error_code();
        let reason = self.consumer.native().context().errors.last_reason(code);
        let error = match (self.consumer.native().client().fatal_error(), reason) {
            // `Fatal` alone says nothing.
            (Some((code, reason)), _) => anyhow::Error::from(code).context(reason),
            (None, Some(reason)) => cause(error).context(reason),
            (None, None) => cause(error),
        };
        error.context("failed to receive")
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
