//! One signal that has come.

use std::fmt;

use crate::{Reaction, Signal};

/// A signal that has come, as a callback and the log see it.
///
/// Its `Display` is `SIGTERM`, or `SIGTERM from pid 123` where the sender is known.
#[derive(Clone, Debug)]
pub struct Received {
    pub(crate) signal: Signal,
    pub(crate) sender: Option<u32>,
    pub(crate) count: u32,
    pub(crate) reaction: Reaction,
}

impl Received {
    /// Returns which signal it was.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Returns the process id of the sender, with feature `sender` and where the system gives it.
    ///
    /// It is `None` without the feature, for what the kernel itself sends (Ctrl-C at a terminal), for a sender outside this process's pid
    /// namespace (the runtime of a container stopping it), and on Windows.
    pub fn sender(&self) -> Option<u32> {
        self.sender
    }

    /// Returns the how many-th of its kind it was, from 1, repeats within the
    /// [repeat window](crate::SignalTaskBuilder::repeat_window) left out.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Returns what it leads to.
    pub fn reaction(&self) -> Reaction {
        self.reaction
    }
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.signal)?;
        match self.sender {
            Some(sender) => write!(f, " from pid {sender}"),
            None => Ok(()),
        }
    }
}
