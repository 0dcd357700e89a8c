//! The log lines. Their target is `task_signal`; the fields' names are part of the interface.

use tracing::{Level, event};

use crate::{LogLevel, Reaction, Received, Signal};

/// `event!` wants its level at compile time.
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

/// A signal has come. One that escalates is at least a warning, unless there are to be no lines.
pub(crate) fn received(level: LogLevel, received: &Received) {
    let escalates = matches!(received.reaction, Reaction::EndDrain | Reaction::Abort);
    let level = match level {
        LogLevel::Info | LogLevel::Debug | LogLevel::Trace if escalates => LogLevel::Warn,
        level => level,
    };
    log_at!(
        level,
        signal = %received.signal,
        sender_pid = received.sender,
        count = received.count,
        reaction = received.reaction.as_str(),
        "received {received}"
    );
}

/// Signals that stay ignored, as the process was started with.
pub(crate) fn ignored(level: LogLevel, signals: &[Signal]) {
    for signal in signals {
        log_at!(level, signal = %signal, "{signal} stays ignored, as inherited");
    }
}

/// A trigger begins a run.
pub(crate) fn triggered(level: LogLevel, signal: Signal, run: u64) {
    log_at!(level, signal = %signal, run, "received {signal}: run {run}");
}

/// A signal came to a trigger during the shutdown.
pub(crate) fn not_triggered(level: LogLevel, signal: Signal) {
    log_at!(level, signal = %signal, "ignored {signal} while shutting down");
}

/// An action has failed and the trigger goes on.
pub(crate) fn action_failed(action: &str, run: u64, error: &anyhow::Error) {
    event!(target: "task_signal", Level::ERROR, action, run, error = format!("{error:#}"), "action `{action}` failed");
}
