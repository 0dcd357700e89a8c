//! Messages on their way to systemd: in order, few, and kept until they can be sent.

use std::{collections::VecDeque, io};

use crate::{message::Message, platform::Descriptor};

/// How many messages are kept while systemd reads none.
const MAX: usize = 64;

/// Messages that could not be sent so far, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    messages: VecDeque<(Message, Option<Descriptor>)>,
    /// How many were dropped for want of room.
    dropped: u64,
    /// The first failure of an outage that was not reported yet.
    failure: Option<String>,
    is_failing: bool,
}

impl Outbox {
    /// Adds a message. A status takes the place of one that still waits behind everything else.
    pub(crate) fn push(&mut self, message: Message, descriptor: Option<Descriptor>) {
        let is_last_superfluous =
            message.is_status() && self.messages.back().is_some_and(|(last, _)| last.is_status());
        if is_last_superfluous {
            self.messages.pop_back();
        }
        if self.messages.len() == MAX {
            // A status says the least; of the others, what is oldest.
            let at = self.messages.iter().position(|(message, _)| message.is_status());
            self.messages.remove(at.unwrap_or(0));
            self.dropped += 1;
        }
        self.messages.push_back((message, descriptor));
    }

    /// Sends what can be sent, in order. Returns whether nothing is left.
    pub(crate) fn flush(
        &mut self,
        send: impl Fn(&Message, Option<&Descriptor>) -> io::Result<()>,
    ) -> bool {
        while let Some((message, descriptor)) = self.messages.front() {
            if let Err(error) = send(message, descriptor.as_ref()) {
                if !self.is_failing {
                    self.is_failing = true;
                    self.failure = Some(error.to_string());
                }
                return false;
            }
            self.is_failing = false;
            self.messages.pop_front();
        }
        true
    }

    /// Returns what was not reported yet: why messages wait, and how many were dropped.
    pub(crate) fn take_faults(&mut self) -> (Option<String>, u64) {
        (self.failure.take(), std::mem::take(&mut self.dropped))
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, io};

    use super::{MAX, Outbox};
    use crate::message::Message;

    fn refused() -> io::Result<()> {
        Err(io::ErrorKind::ConnectionRefused.into())
    }

    fn sent(outbox: &mut Outbox) -> Vec<String> {
        let sent = RefCell::new(Vec::new());
        assert!(outbox.flush(|message, _| {
            sent.borrow_mut().push(message.text().to_owned());
            Ok(())
        }));
        sent.into_inner()
    }

    #[test]
    fn what_cannot_be_sent_is_kept_in_order_and_only_the_last_status() {
        let mut outbox = Outbox::default();
        outbox.push(Message::ready(), None);
        assert!(!outbox.flush(|_, _| refused()));
        outbox.push(Message::status("one"), None);
        outbox.push(Message::status("two"), None);
        outbox.push(Message::stopping(), None);
        outbox.push(Message::status("three"), None);
        assert_eq!(sent(&mut outbox), ["READY=1", "STATUS=two", "STOPPING=1", "STATUS=three"]);
        assert_eq!(sent(&mut outbox), [""; 0]);
    }

    #[test]
    fn an_outage_is_reported_once() {
        let mut outbox = Outbox::default();
        outbox.push(Message::ready(), None);
        outbox.flush(|_, _| refused());
        outbox.flush(|_, _| refused());
        assert_eq!(outbox.take_faults(), (Some("connection refused".into()), 0));
        outbox.flush(|_, _| refused());
        assert_eq!(outbox.take_faults(), (None, 0));
    }

    #[test]
    fn of_too_many_a_status_is_dropped_first_and_then_the_oldest() {
        let mut outbox = Outbox::default();
        outbox.push(Message::ready(), None);
        outbox.push(Message::status("old"), None);
        (2..MAX as u64).for_each(|number| outbox.push(Message::reloading(number), None));
        outbox.push(Message::stopping(), None);
        assert_eq!(outbox.take_faults().1, 1);
        outbox.push(Message::status("new"), None);
        assert_eq!(outbox.take_faults().1, 1);
        let sent = sent(&mut outbox);
        assert_eq!(sent.len(), MAX);
        assert_eq!(sent[0], "RELOADING=1\nMONOTONIC_USEC=2");
        assert_eq!(sent[MAX - 2..], ["STOPPING=1", "STATUS=new"]);
    }
}
