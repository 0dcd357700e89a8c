//! Sends the records of a decided message.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use task_core::Context;
use tokio::time::sleep;

use crate::{
    Delivery, Incoming, OnPoison, Output, Producer, Record, SendError,
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
    pub(crate) on_poison: OnPoison,
}

/// A message whose records were sent and are not yet acknowledged.
pub(crate) struct Sent<E> {
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) effect: Option<E>,
    pub(crate) handling: Handling,
}

/// How a message was handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handling {
    Forwarded,
    DeadLettered,
    /// It was refused, and could not be dead-lettered.
    Skipped,
}

impl Dispatcher {
    /// Sends the records of a message, or the message itself to the dead-letter topic.
    ///
    /// A message with a record that is too large is dead-lettered, and none of its records is sent.
    pub(crate) async fn dispatch<E>(
        &self,
        incoming: &Incoming<'_>,
        decision: Decision<E>,
    ) -> anyhow::Result<Sent<E>> {
        let reason = match decision {
            Err(Refusal(reason)) => reason,
            Ok(Output { records, effect }) => match self.too_large(&records) {
                Some(reason) => reason,
                None => {
                    let deliveries = self.send_all(&records).await?;
                    return Ok(Sent { deliveries, effect, handling: Handling::Forwarded });
                }
            },
        };
        let Some(letter) = self.letter(incoming, &reason)? else {
            return Ok(Sent { deliveries: vec![], effect: None, handling: Handling::Skipped });
        };
        let sent = self.ctx.ready_or_cancelled(self.send(&letter)).await?;
        let deliveries = vec![sent.context("failed to produce to the dead-letter topic")?];
        Ok(Sent { deliveries, effect: None, handling: Handling::DeadLettered })
    }

    /// Returns why the records of a message cannot be produced, if one is too large.
    fn too_large(&self, records: &[Record]) -> Option<String> {
        let limit = self.producer.max_record_bytes();
        let (index, bytes) =
            records.iter().map(Record::wire_bytes).enumerate().find(|&(_, bytes)| bytes > limit)?;
        let (ordinal, count) = (index + 1, records.len());
        Some(format!("its record {ordinal} of {count} is too large: {bytes} B, above {limit}"))
    }

    /// Returns the dead letter of a refused message, cut to fit. If there can be none, returns
    /// `None` or an error, as the settings say.
    fn letter(&self, incoming: &Incoming<'_>, reason: &str) -> anyhow::Result<Option<Record>> {
        let why = match &self.dead_letter_topic {
            None => "was refused, and there is no dead-letter topic",
            Some(topic) => {
                let mut letter = incoming.to_dead_letter(topic, reason);
                let limit = self.producer.max_record_bytes();
                while letter.wire_bytes() > limit && letter.halve() {}
                if letter.wire_bytes() <= limit {
                    tracing::debug!(?incoming, reason, "message is dead-lettered");
                    return Ok(Some(letter));
                }
                "was refused, and is too large for the dead-letter topic"
            }
        };
        match self.on_poison {
            OnPoison::Fail => bail!("{incoming:?} {why}: {reason}"),
            OnPoison::Skip => tracing::error!("skipped: {incoming:?} {why}: {reason}"),
        }
        Ok(None)
    }

    /// Sends the records of one message. `Cancelled` is returned only before the first one was
    /// sent.
    async fn send_all(&self, records: &[Record]) -> anyhow::Result<Vec<Delivery>> {
        let mut deliveries = Vec::new();
        for record in records {
            let sent = if deliveries.is_empty() {
                self.ctx.ready_or_cancelled(self.send(record)).await?
            } else {
                self.send(record).await
            };
            deliveries.push(sent?);
        }
        Ok(deliveries)
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
