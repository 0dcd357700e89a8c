//! The log lines. Their target is `task_signal`; the names of their fields are part of the
//! interface.

mod dump;

use task_core::scope::{guarded_name, guarded_text};
use tracing::{Level, event};

pub(crate) use self::dump::dump;
use crate::values::{LogLevel, Reaction, Received, Signal};

/// `event!` takes its level at compile time.
macro_rules! log_at {
    ($level:expr, $($line:tt)+) => {
        match $level {
            LogLevel::Off => {}
            LogLevel::Error => event!(target: "task_signal", Level::ERROR, $($line)+),
            LogLevel::Warn => event!(target: "task_signal", Level::WARN, $($line)+),
            LogLevel::Info => event!(target: "task_signal", Level::INFO, $($line)+),
            LogLevel::Debug => event!(target: "task_signal", Level::DEBUG, $($line)+),
            LogLevel::Trace => event!(target: "task_signal", Level::TRACE, $($line)+),
        }
    };
}

/// Logs a signal that arrived. One that escalates is at least a warning, unless lines are off.
pub(crate) fn received(level: LogLevel, received: &Received) {
    let escalates = matches!(received.reaction, Reaction::EndDrain | Reaction::Abort);
    let level = if escalates { level.min(LogLevel::Warn) } else { level };
    log_at!(
        level,
        signal = %received.signal,
        sender_pid = received.sender,
        count = received.count,
        reaction = received.reaction.as_str(),
        "received {received}"
    );
}

/// What a process was started with that concerns signals to be captured.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    /// They stay ignored.
    pub(crate) ignored: Vec<Signal>,
    /// They were blocked, and arrive at a thread of ours.
    pub(crate) unblocked: Vec<Signal>,
}

/// Logs what was inherited. What keeps a service from its supervisor's signal is at least a
/// warning, unless lines are off.
pub(crate) fn inherited(level: LogLevel, inherited: &Inherited) {
    let warning = level.min(LogLevel::Warn);
    for signal in &inherited.ignored {
        if *signal == Signal::TERM {
            log_at!(
                warning,
                signal = %signal,
                "{signal} stays ignored, as inherited: nothing stops at it; start the process \
                 without that, or capture it in any case (`IgnoredSignals::Capture`)"
            );
        } else {
            log_at!(level, signal = %signal, "{signal} stays ignored, as inherited");
        }
    }
    for signal in &inherited.unblocked {
        log_at!(
            warning,
            signal = %signal,
            "{signal} was blocked, as inherited: one thread receives it while it is captured, and \
             child processes inherit it blocked; start the process without that"
        );
    }
}

/// Logs that a trigger begins a run.
pub(crate) fn triggered(level: LogLevel, signal: Signal, run: u64) {
    log_at!(level, signal = %signal, run, "received {signal}: run {run}");
}

/// Logs a signal that a trigger received during the shutdown.
pub(crate) fn not_triggered(level: LogLevel, signal: Signal) {
    log_at!(level, signal = %signal, "ignored {signal} while shutting down");
}

/// Logs a failed action of a trigger that continues.
pub(crate) fn action_failed(action: &str, run: u64, error: &anyhow::Error) {
    let (action, error) = (guarded_name(action), guarded_text(format_args!("{error:#}")));
    event!(target: "task_signal", Level::ERROR, action, run, error, "action `{action}` failed");
}
