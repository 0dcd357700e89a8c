//! What both modes of delivery share.

use std::sync::Arc;

use task_core::Context;

use crate::{
    Counters, KafkaSettings, Producer,
    decide::{AtStop, Decider},
    dispatch::Dispatcher,
    member::{Consumer, Window},
    stop::Stop,
};

/// The parts of a running task that do not depend on the mode of delivery.
pub(crate) struct Parts<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) settings: &'a KafkaSettings,
    pub(crate) stop: &'a Stop<'a>,
    pub(crate) consumer: &'a Arc<Consumer>,
    pub(crate) producer: Producer,
    pub(crate) window: Arc<Window>,
    pub(crate) counters: Counters,
    /// Whether messages are kept until their effects are written, since the sink may refuse these.
    pub(crate) keeps: bool,
}

impl Parts<'_> {
    /// Creates the decider of the receive loop.
    pub(crate) fn decider<T>(&self, transform: T, at_stop: AtStop) -> Decider<T> {
        Decider {
            at_stop,
            ctx: self.ctx.clone(),
            transform,
            retry_timeout: self.settings.retry_timeout,
            counters: self.counters.clone(),
        }
    }

    /// Creates the dispatcher of the receive loop.
    pub(crate) fn dispatcher(&self) -> Dispatcher {
        Dispatcher {
            ctx: self.ctx.clone(),
            producer: self.producer.clone(),
            dead_letter_topic: self.settings.dead_letter_topic.clone(),
            on_poison: self.settings.on_poison,
        }
    }
}
