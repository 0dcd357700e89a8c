//! Sends the records of a decided message.

use std::{slice, sync::Arc, time::Duration};

use anyhow::Context as _;
use task_core::Context;
use tokio::time::sleep;

use crate::{
    Delivery, Incoming, Output, Producer, Record, SendError,
    decide::{Decision, Refusal},
};

/// The producer's side of the receive loop.
///
/// A stop interrupts every await but one: once the first record of a message was sent, the others
/// are sent too, so that a stop repeats nothing. That await is bounded by the caller, which drops
/// the loop at the deadline.
pub(crate) struct Dispatcher {
    pub(crate) ctx: Context,
    pub(crate) producer: Producer,
    pub(crate) dead_letter_topic: Option<Arc<str>>,
}

/// A message whose records were sent and are not yet acknowledged.
pub(crate) struct Sent<E> {
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) effect: Option<E>,
    pub(crate) is_dead_letter: bool,
}

impl Dispatcher {
    /// Sends the records of a message, or the message itself to the dead-letter topic.
    ///
    /// A message with a record that is too large is dead-lettered. The records before that one were
    /// sent already: they cannot be recalled, and are awaited with the dead letter.
    pub(crate) async fn dispatch<E>(
        &self,
        incoming: &Incoming<'_>,
        decision: Decision<E>,
    ) -> anyhow::Result<Sent<E>> {
        let mut deliveries = Vec::new();
        let reason = match decision {
            Err(Refusal(reason)) => reason,
            Ok(Output { records, effect }) => {
                match self.send_all(&records, &mut deliveries).await? {
                    Ok(()) => return Ok(Sent { deliveries, effect, is_dead_letter: false }),
                    Err(error) if error.is_too_large() => {
                        String::from("a record made of this message is too large")
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        };
        let Some(topic) = &self.dead_letter_topic else {
            anyhow::bail!("{incoming:?} was refused, and there is no dead-letter topic: {reason}");
        };
        tracing::debug!(?incoming, reason, "message is dead-lettered");
        let mut letter = incoming.to_dead_letter(topic, &reason);
        loop {
            match self.send_all(slice::from_ref(&letter), &mut deliveries).await? {
                Ok(()) => break,
                Err(error) if error.is_too_large() && letter.halve() => {}
                Err(error) => {
                    return Err(error).context("failed to produce to the dead-letter topic");
                }
            }
        }
        Ok(Sent { deliveries, effect: None, is_dead_letter: true })
    }

    /// Sends the records of one message. The outer error is `Cancelled`, which is returned only
    /// before the first record was sent.
    async fn send_all(
        &self,
        records: &[Record],
        deliveries: &mut Vec<Delivery>,
    ) -> anyhow::Result<Result<(), SendError>> {
        for record in records {
            let sent = if deliveries.is_empty() {
                self.ctx.ready_or_cancelled(self.send(record)).await?
            } else {
                self.send(record).await
            };
            match sent {
                Ok(delivery) => deliveries.push(delivery),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(()))
    }

    /// Sends one record, waiting while the producer's queue is full.
    async fn send(&self, record: &Record) -> Result<Delivery, SendError> {
        loop {
            match self.producer.send(record) {
                Err(error) if error.is_queue_full() => sleep(Duration::from_millis(5)).await,
                other => return other,
            }
        }
    }
}
