//! Sends the records of a decided message.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use rdkafka::message::{BorrowedMessage, Message as _, OwnedMessage};
use task_core::Context;
use tokio::time::sleep;

use crate::{
    Delivery, Incoming, OnPoison, Output, Producer, Record, RefusedEffects, SendError,
    decide::{Decision, Refusal},
    member::Ticket,
};

const NOT_LETTERED: &str = "failed to produce to the dead-letter topic";

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

/// A message that was transformed, and whose records were sent.
pub(crate) struct Entry<E> {
    pub(crate) ticket: Ticket,
    pub(crate) sent: Sent<E>,
    /// A copy of the message, if it has an effect that the sink may refuse.
    pub(crate) kept: Option<Box<OwnedMessage>>,
}

/// Copies a message that has an effect, if messages are kept until their effects are written.
pub(crate) fn keep<E>(
    keeps: bool,
    message: &BorrowedMessage<'_>,
    sent: &Sent<E>,
) -> Option<Box<OwnedMessage>> {
    (keeps && sent.effect.is_some()).then(|| Box::new(message.detach()))
}

/// Returns the bytes that a kept message counts: its payload and its key, as
/// [`Window::admit`](crate::member::Window::admit) counts them.
pub(crate) fn kept_bytes(kept: Option<&OwnedMessage>) -> usize {
    let bytes = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
    kept.map_or(0, |it| bytes(it.payload()) + bytes(it.key()))
}

/// Returns what the sink has refused of a batch. Only one that may refuse is asked: for another, no
/// message was kept, and so its error fails the task whatever it is.
pub(crate) fn refused(
    written: anyhow::Result<()>,
    may_refuse: bool,
) -> anyhow::Result<RefusedEffects> {
    let Err(error) = written else { return Ok(RefusedEffects::new()) };
    let refused = if may_refuse { error.downcast() } else { Err(error) };
    refused.context("failed to write to the sink")
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
        let deliveries = vec![sent.context(NOT_LETTERED)?];
        Ok(Sent { deliveries, effect: None, handling: Handling::DeadLettered })
    }

    /// Sends the dead letters of those messages of a batch whose effects the sink has refused, of
    /// the first `produced` ones: the others are read again. Returns their indices in the batch, in
    /// order, each with its dead letter, if there is one. A failure is the last element.
    ///
    /// A stop interrupts no await: the caller bounds them.
    pub(crate) async fn refuse<E>(
        &self,
        batch: &mut [Entry<E>],
        produced: usize,
        refused: RefusedEffects,
    ) -> Vec<(usize, anyhow::Result<Option<Delivery>>)> {
        // Exclusive, since effects need not be `Sync`.
        let messages = batch.iter_mut().enumerate();
        let mut kept = messages.filter_map(|(at, entry)| Some((at, entry.kept.as_deref()?)));
        let (mut letters, mut next) = (Vec::new(), 0);
        for (index, reason) in refused {
            // Each that is kept has had an effect, and so they have the order of the effects.
            let Some((at, message)) = kept.nth(index - next) else {
                let why = format!("which it was not given: {reason}");
                letters.push((0, Err(anyhow!("the sink has refused effect {index}, {why}"))));
                break;
            };
            if at >= produced {
                break;
            }
            next = index + 1;
            let reason = format!("the sink has refused its effect: {reason}");
            let sent = match self.letter(&Incoming::owned(message), &reason) {
                Ok(Some(letter)) => self.send(&letter).await.context(NOT_LETTERED).map(Some),
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            };
            let has_failed = sent.is_err();
            letters.push((at, sent));
            if has_failed {
                break;
            }
        }
        letters
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

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;

    use super::*;

    #[test]
    fn a_kept_message_counts_its_payload_and_its_key() {
        let message = |payload: Option<&[u8]>, key: Option<&[u8]>| {
            let (topic, at) = (String::from("in"), Timestamp::NotAvailable);
            let (payload, key) = (payload.map(Vec::from), key.map(Vec::from));
            OwnedMessage::new(payload, key, topic, at, 0, 7, None)
        };
        assert_eq!(kept_bytes(Some(&message(Some(b"payload"), Some(b"key")))), 10);
        assert_eq!(kept_bytes(Some(&message(None, Some(b"key")))), 3);
        assert_eq!(kept_bytes(Some(&message(None, None))), 0);
        assert_eq!(kept_bytes(None), 0);
    }
}
