//! What the constructors refuse, before signal-hook sees it.

use std::time::Duration;

use task_core::{Task, Timeout};
use task_signal::{IgnoredSignals, Reaction, Signal, SignalError, SignalTask, SignalTrigger};

fn error_of(number: i32) -> SignalError {
    let refused = SignalTask::builder().signals([Signal::INT, Signal::new(number)]).build();
    let error = refused.unwrap_err();
    let trigger = SignalTrigger::builder().signals([number]).action("act", async |_| Ok(()));
    let trigger = trigger.build().unwrap_err();
    let dump = SignalTask::builder().dump_on(number).build().unwrap_err();
    assert_eq!(error.to_string(), trigger.to_string());
    assert_eq!(error.to_string(), dump.to_string());
    assert_eq!(error.signal(), Some(Signal::new(number)));
    error
}

#[test]
fn a_set_without_signals_is_refused() {
    let error = SignalTask::builder().signals([0_i32; 0]).build().unwrap_err();
    assert!(error.is_empty());
    assert_eq!(error.to_string(), "no signals to capture");
    let trigger = SignalTrigger::builder().signals([0_i32; 0]).action("act", async |_| Ok(()));
    assert!(trigger.build().unwrap_err().is_empty());
}

#[test]
fn a_trigger_without_actions_is_refused() {
    let error = SignalTrigger::builder().build().unwrap_err();
    assert!(error.is_empty());
    assert_eq!(error.to_string(), "no actions to run");
}

#[test]
fn a_number_that_is_no_signal_is_refused() {
    let above = libc::SIGRTMAX() + 1;
    for number in [i32::MIN, -1, 0, above, 128, 129, 1_000, i32::MAX] {
        let error = error_of(number);
        assert!(error.is_unknown() && !error.is_forbidden());
        assert_eq!(error.to_string(), format!("signal {number} does not exist on this platform"));
    }
}

#[test]
fn a_signal_that_nobody_may_catch_is_refused() {
    let forbidden =
        [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, libc::SIGILL, libc::SIGFPE, libc::SIGBUS];
    for number in forbidden {
        assert!(error_of(number).is_forbidden());
    }
    assert_eq!(error_of(libc::SIGKILL).to_string(), "SIGKILL must not be captured");
}

#[test]
fn a_signal_that_the_c_library_keeps_for_itself_is_refused() {
    for number in 32..libc::SIGRTMIN() {
        let error = error_of(number);
        assert!(error.is_forbidden());
        assert_eq!(error.to_string(), format!("signal {number} must not be captured"));
    }
}

#[test]
fn a_ladder_for_a_signal_outside_the_set_is_refused() {
    let builder = SignalTask::builder().signals([Signal::TERM]);
    let error = builder.ladder(Signal::INT, [Reaction::Exit]).build().unwrap_err();
    assert!(error.is_contradictory());
    assert_eq!(error.signal(), Some(Signal::INT));
    assert_eq!(error.to_string(), "a ladder is set for SIGINT, which is not among the signals");
}

#[test]
fn a_dump_on_a_signal_of_the_set_is_refused() {
    let error = SignalTask::builder().dump_on(Signal::QUIT).build().unwrap_err();
    assert!(error.is_contradictory());
    assert_eq!(error.signal(), Some(Signal::QUIT));
}

#[test]
fn a_required_signal_that_does_not_stop_the_group_is_refused() {
    let required = || SignalTask::builder().required_signals([Signal::INT]);
    let error = required().signals([Signal::TERM]).build().unwrap_err();
    assert_eq!(error.to_string(), "SIGINT is to stop the group, and is not among the signals");
    assert!(error.is_contradictory());
    assert_eq!(error.signal(), Some(Signal::INT));
    for (steps, first) in [
        (vec![], "log"),
        (vec![Reaction::Log, Reaction::Stop], "log"),
        (vec![Reaction::Abort], "abort"),
        (vec![Reaction::Exit], "exit"),
    ] {
        let error = required().ladder(Signal::INT, steps).build().unwrap_err();
        let text = format!("SIGINT is to stop the group, and its first reaction is `{first}`");
        assert_eq!(error.to_string(), text);
        assert!(error.is_contradictory());
        assert_eq!(error.signal(), Some(Signal::INT));
    }
    assert!(required().build().is_ok());
    let ends_drain = required().ladder(Signal::INT, [Reaction::EndDrain, Reaction::Exit]);
    assert!(ends_drain.build().is_ok());
    // Nothing is captured for its sake.
    let error = SignalTask::builder().required_signals([Signal::HUP]).build().unwrap_err();
    assert_eq!(error.signal(), Some(Signal::HUP));
}

#[test]
fn a_signal_that_is_named_twice_counts_once() {
    let task = SignalTask::builder().signals([Signal::USR2, Signal::USR2]).build().unwrap();
    assert_eq!(task.signals(), [Signal::USR2]);
}

#[test]
fn every_other_signal_has_a_name_and_can_be_captured() {
    for number in (1..=31).chain(libc::SIGRTMIN()..=libc::SIGRTMAX()) {
        let signal = Signal::new(number);
        let builder = SignalTask::builder().signals([signal]).ignored(IgnoredSignals::Capture);
        match builder.build() {
            Ok(task) => assert_eq!(task.signals(), [signal]),
            Err(error) => assert!(error.is_forbidden(), "{error}"),
        }
    }
    assert_eq!(Signal::HUP.name(), "SIGHUP");
    assert_eq!(Signal::new(libc::SIGRTMIN()).to_string(), "SIGRTMIN");
    assert_eq!(
        Signal::new(libc::SIGRTMAX()).to_string(),
        format!("SIGRTMIN+{}", libc::SIGRTMAX() - libc::SIGRTMIN())
    );
}

#[test]
fn both_tasks_have_a_name_of_their_own_and_belong_to_the_support_phase() {
    let task = SignalTask::builder().signals([Signal::USR2]);
    let trigger = SignalTrigger::builder().signals([Signal::USR2]).action("act", async |_| Ok(()));
    let named = (task.name("catcher").build().unwrap(), trigger.name("reload").build().unwrap());
    assert_eq!((named.0.name(), named.1.name()), ("catcher".into(), "reload".into()));
    let task = SignalTask::builder().signals([Signal::USR2]).build().unwrap();
    let trigger = SignalTrigger::builder().signals([Signal::USR2]).action("act", async |_| Ok(()));
    let trigger = trigger.build().unwrap();
    assert_eq!((task.name(), trigger.name()), ("signals".into(), "trigger".into()));
    let reload = SignalTrigger::new("configuration", async |_| Ok(())).unwrap();
    assert_eq!(reload.name(), "configuration", "the name that its constructor takes");
    assert!(task.phase().is_support() && trigger.phase().is_support());
    assert!(!task.gates_readiness() && !trigger.gates_readiness());
}

#[test]
fn a_signal_task_takes_little_time_to_end_unless_it_has_a_callback() {
    let builder = || SignalTask::builder().signals([Signal::USR2]);
    let limit = builder().build().unwrap().stop_timeout().limit().unwrap();
    assert_eq!(limit, Duration::from_millis(500));
    assert_eq!(builder().on_signal(|_| {}).build().unwrap().stop_timeout(), Timeout::Never);
    let trigger = SignalTrigger::builder().signals([Signal::USR2]).action("act", async |_| Ok(()));
    assert_eq!(trigger.build().unwrap().stop_timeout(), Timeout::Never);
}
