//! Programs that escalate in their own way.

use std::time::Duration;

use task_signal::{
    LogLevel,
    Reaction::{Abort, EndDrain, Exit, Stop},
    Signal, SignalTask,
};

use super::{Scenario, serve_for_good, without_window};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("ladder", || serve_for_good(without_window())),
    ("ladder with the default window", || serve_for_good(SignalTask::builder())),
    ("ladder with a long window", ladder_with_a_long_window),
    ("ladder of its own", ladder_of_its_own),
    ("ladder without steps", ladder_without_steps),
    ("ladder of a real-time signal", ladder_of_a_real_time_signal),
    ("quiet", || serve_for_good(without_window().log_level(LogLevel::Off))),
    ("alarmed", || serve_for_good(without_window().log_level(LogLevel::Error))),
    ("dump", || serve_for_good(without_window().dump_on(Signal::USR1))),
];

fn ladder_with_a_long_window() {
    let window = Duration::from_secs(3600);
    serve_for_good(SignalTask::builder().repeat_window(window).dump_on(Signal::USR1));
}

fn ladder_of_its_own() {
    serve_for_good(without_window().ladder(Signal::TERM, [EndDrain, Abort, Exit]));
}

fn ladder_without_steps() {
    serve_for_good(without_window().ladder(Signal::TERM, []));
}

fn ladder_of_a_real_time_signal() {
    let signal = Signal::new(libc::SIGRTMIN() + 1);
    serve_for_good(without_window().signals([signal]).ladder(signal, [Stop, Exit]));
}
