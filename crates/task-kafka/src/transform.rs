//! What the user gives: a transform, and a sink for its effects.

use crate::{Incoming, Verdict};

/// Turns one message into any number of records, and an effect for the [`Sink`].
pub trait Transform: Send + 'static {
    /// What the sink gets of a message.
    type Effect: Send + 'static;

    /// Decides what becomes of `message`.
    ///
    /// Messages are transformed one after the other, in the order of their partition. It is dropped
    /// where it stands when the task is stopped, and the message is read again later.
    ///
    /// # Errors
    ///
    /// An error fails the task. What is wrong with the message alone is a [`Verdict::DeadLetter`].
    fn transform(
        &mut self,
        message: &Incoming<'_>,
    ) -> impl Future<Output = anyhow::Result<Verdict<Self::Effect>>> + Send;
}

/// Takes the effects of messages, in batches.
pub trait Sink<E>: Send + 'static {
    /// Writes a batch; the offsets of its messages are stored afterwards.
    ///
    /// Effects come in the order of their partitions, and may come again: after a failure, or when
    /// a stop left no time to store. So writing one twice must do no harm. It is dropped where it
    /// stands if a stop has come and the time to finish is over.
    ///
    /// # Errors
    ///
    /// An error fails the task, so retry here whatever may pass.
    fn write(&mut self, effects: Vec<E>) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// The sink of a transform that has no effects but its records.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSink;

impl<E: Send + 'static> Sink<E> for NoSink {
    async fn write(&mut self, _effects: Vec<E>) -> anyhow::Result<()> {
        Ok(())
    }
}
