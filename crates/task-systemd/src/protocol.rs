//! What is said to systemd, and when: a pure machine, which reads no clock and sends nothing.
//!
//! What holds, whatever it is given and in whatever order:
//!
//! - `READY=1` is said once for the group, and once at the end of each reload that was announced.
//! - `STOPPING=1` is said once, and after it neither `READY=1` nor `RELOADING=1`.
//! - At most one message within [`PAUSE`] has a status and nothing else, but for the first that
//!   says that the runtime is blocked, and the last of all.

use std::time::{Duration, Instant};

use crate::message::Message;

/// The time between two messages with a status and nothing else.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);
/// How much time each extension of the start asks for: it may come late by this, less [`PAUSE`].
const EXTENSION: Duration = Duration::from_secs(10);
/// What a stop may take beyond its budget: the hard exit comes up to a second later.
const BEYOND: Duration = Duration::from_secs(2);

/// The settings of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extending {
    /// For how long the start is extended, from the first look on.
    pub(crate) start: Option<Duration>,
    /// Whether the stop is.
    pub(crate) stop: bool,
}

/// What is seen of the group, cheap to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen {
    /// It has never been ready.
    Starting,
    /// It has been ready.
    Ready,
    /// Its shutdown has begun.
    Stopping,
    /// Its shutdown is over.
    Ended,
}

/// What is seen of the group, costlier to find out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    pub(crate) status: String,
    /// The time that is left until the end of the shutdown, if it has begun and has a limit.
    pub(crate) remaining: Option<Duration>,
}

/// What has been said.
#[derive(Debug, Default)]
pub(crate) struct Protocol {
    extending: Extending,
    is_ready: bool,
    is_stopping: bool,
    has_ended: bool,
    /// Whether the runtime was blocked when it was last looked at.
    is_blocked: bool,
    /// How many reloads are in progress that were announced, as one.
    reloads: usize,
    /// The status that was said last, and from when on another may be.
    status: String,
    status_from: Option<Instant>,
    /// When the start was first looked at, and when to extend it next.
    began: Option<Instant>,
    extend_from: Option<Instant>,
}

/// The result of a look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// What to say now, in this order.
    pub(crate) messages: Vec<Message>,
    /// When to look again even if nothing changes.
    pub(crate) again: Option<Instant>,
}

impl Protocol {
    pub(crate) fn new(extending: Extending) -> Self {
        Self { extending, ..Self::default() }
    }

    pub(crate) fn has_been_ready(&self) -> bool {
        self.is_ready
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Looks at the group, and at whether its runtime is blocked. `details` is called only if
    /// something may be said.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        seen: Seen,
        is_blocked: bool,
        details: impl FnOnce() -> Details,
    ) -> Step {
        let mut step = Step::default();
        if self.has_ended {
            return step;
        }
        self.has_ended = seen == Seen::Ended;
        if !is_blocked {
            self.extend_start(now, seen, &mut step);
        }
        let begins_stop = seen >= Seen::Stopping && !self.is_stopping;
        let begins_ready = seen == Seen::Ready && !self.is_ready && !self.is_stopping;
        // At once, since a watchdog may end the process within the second.
        let begins_block = is_blocked && !self.is_blocked;
        self.is_blocked = is_blocked;
        if !(begins_stop || begins_ready || begins_block || self.has_ended)
            && let Some(from) = self.status_from.filter(|from| *from > now)
        {
            step.look_again(from);
            return step;
        }
        let Details { status, remaining } = details();
        let is_new = status != self.status;
        // With each message of a stop: systemd forgets it when its units are loaded anew.
        let extension = remaining.filter(|_| self.extending.stop && seen == Seen::Stopping);
        let extended = |message: Message| match extension {
            Some(remaining) => message.extended(remaining.saturating_add(BEYOND)),
            None => message,
        };
        if begins_stop {
            self.is_stopping = true;
            step.messages.push(extended(Message::stopping().with_status(&status)));
        } else if begins_ready {
            self.is_ready = true;
            step.messages.push(Message::ready().with_status(&status));
        } else if is_new {
            step.messages.push(extended(Message::status(&status)));
        } else if !self.is_stopping {
            return step;
        }
        self.status = status;
        self.status_from = Some(now + PAUSE);
        if self.is_stopping && !self.has_ended {
            // The time that the stop has taken is part of the status.
            step.look_again(now + PAUSE);
        }
        step
    }

    /// Asks for more time to start, again and again.
    fn extend_start(&mut self, now: Instant, seen: Seen, step: &mut Step) {
        let Some(limit) = self.extending.start.filter(|_| seen == Seen::Starting) else { return };
        let left =
            limit.saturating_sub(now.saturating_duration_since(*self.began.get_or_insert(now)));
        if left.is_zero() {
            return;
        }
        if self.extend_from.is_none_or(|from| from <= now) {
            step.messages.push(Message::extend(left.min(EXTENSION)));
            self.extend_from = Some(now + PAUSE);
        }
        self.extend_from.into_iter().for_each(|from| step.look_again(from));
    }

    /// Begins a reload. Returns what to say, and whether this reload is announced.
    pub(crate) fn begin_reload(
        &mut self,
        monotonic: impl FnOnce() -> u64,
    ) -> (Option<Message>, bool) {
        if !self.is_ready || self.is_stopping {
            return (None, false);
        }
        self.reloads += 1;
        ((self.reloads == 1).then(|| Message::reloading(monotonic())), true)
    }

    /// Ends a reload that was announced, with a status if there is one to say.
    pub(crate) fn end_reload(&mut self, status: Option<&str>) -> Option<Message> {
        self.reloads = self.reloads.saturating_sub(1);
        if self.reloads > 0 || self.is_stopping {
            return None;
        }
        let ready = Message::ready();
        Some(match status {
            Some(status) => {
                self.status = status.to_owned();
                ready.with_status(status)
            }
            None => ready,
        })
    }
}

impl Step {
    fn look_again(&mut self, at: Instant) {
        self.again = Some(self.again.map_or(at, |again| again.min(at)));
    }
}

#[cfg(test)]
mod tests;
