//! Programs that deliver signals to a group.

use task_core::Task;
use task_signal::{Signal, SignalTask};

use super::{Scenario, say, serve, serve_for_good, wait_for_go, without_window};
use crate::group::Loud;

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("stop", stop),
    ("captured early", captured_early),
    ("callback", callback),
    ("callback that panics", callback_that_panics),
    ("callback that panics early", callback_that_panics_early),
];

fn stop() {
    serve_for_good(SignalTask::builder());
}

/// Captured outside a runtime, and run when the test says so.
fn captured_early() {
    let task = without_window().dump_on(Signal::USR1).build().unwrap();
    assert_eq!(task.name(), "signals");
    assert!(task.phase().is_support());
    say("ready");
    wait_for_go();
    let _thread = serve(task, &Loud::new());
    wait_for_go();
}

fn callback() {
    serve_for_good(without_window().on_signal(|received| {
        let (count, reaction) = (received.count(), received.reaction());
        say(&format!(
            "called: {received}, {count}, {reaction:?}, {:?}",
            received.signal().number()
        ));
    }));
}

fn callback_that_panics() {
    serve_for_good(without_window().on_signal(|_| panic!("no coffee")));
}

fn callback_that_panics_early() {
    let task = without_window().on_signal(|_| panic!("no coffee")).build().unwrap();
    say("ready");
    wait_for_go();
    let _thread = serve(task, &Loud::new());
    wait_for_go();
}
