//! A signal that arrived.

use std::fmt;

use crate::values::{Reaction, Signal};

/// A signal that arrived, as a [callback](crate::SignalTaskBuilder::on_signal) and the log see it.
///
/// Its `Display` output is `SIGTERM`, or `SIGTERM from pid 123` if the sender is known.
///
/// # Examples
///
/// ```
/// use task_signal::{Received, SignalTask};
///
/// fn announce(received: &Received) {
///     println!("{received}: number {}, {}", received.count(), received.reaction().as_str());
/// }
///
/// # fn main() -> Result<(), task_signal::SignalError> {
/// let signals = SignalTask::builder().on_signal(announce).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Received {
    pub(crate) signal: Signal,
    pub(crate) sender: Option<u32>,
    pub(crate) count: u32,
    pub(crate) reaction: Reaction,
}

impl Received {
    /// Returns the signal.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Returns the process id of the sender, with feature `sender` and if the system provides it.
    ///
    /// Returns `None` without the feature, for a signal from the kernel itself (Ctrl-C at a
    /// terminal), for a sender outside of this process's pid namespace (the runtime of a container
    /// that stops it), and on Windows. The process may have exited since.
    pub fn sender(&self) -> Option<u32> {
        self.sender
    }

    /// Returns the ordinal of this signal among those of its kind, starting at 1. Repeats within
    /// the [repeat window](crate::SignalTaskBuilder::repeat_window) are not counted.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Returns what the signal leads to.
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
