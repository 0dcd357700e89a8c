//! Signals that arrive when the group has ended: while the report is written, and before the next
//! group.

use std::{
    os::unix::process::ExitStatusExt,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{child::Child, undisturbed::in_real_time};

/// Waits for 0.3 ms in the first round, and up to 4 ms in later ones: shells and wrappers forward a
/// Ctrl-C to a process that the terminal has sent it to as well.
fn dither(round: u32) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_micros(300 + 185 * u64::from(round)) {
        std::hint::spin_loop();
    }
}

const ROUNDS: u32 = 20;

/// Longer than the repeat window.
const DELIBERATE: Duration = Duration::from_millis(300);

#[test]
fn a_repeat_just_after_the_end_neither_kills_nor_costs_the_report() {
    in_real_time(|| {
        for scenario in ["quick", "quick with a guard"] {
            for round in 0..ROUNDS {
                let mut child = Child::start(scenario);
                let signal = [Signal::INT, Signal::TERM][usize::from(round % 2 == 0)];
                child.kill(signal);
                dither(round);
                let _ = child.try_kill(signal);
                child.ends_with(0);
                child.wait_for("code 0 after signal");
            }
        }
    });
}

#[test]
fn a_repeat_of_a_long_window_is_held_back_for_a_second_after_the_end() {
    in_real_time(|| {
        let mut child = Child::start("ending with a long window");
        child.kill_and_see(Signal::TERM, "request_stop");
        child.go();
        child.wait_for("cleaning up");
        let counted = Instant::now();
        child.go();
        child.wait_for("ended");
        // Held back as long as it is within a second of the first.
        while child.try_kill(Signal::TERM).is_ok() && !child.is_over() {
            assert!(counted.elapsed() < Duration::from_secs(20), "it never ended");
            thread::sleep(Duration::from_millis(10));
        }
        child.ends_by(Signal::TERM);
        assert!(counted.elapsed() > Duration::from_millis(500), "{:?}", counted.elapsed());
    });
}

#[test]
fn a_deliberate_signal_waits_for_the_guard_and_acts_by_default_then() {
    in_real_time(|| {
        for second in [Signal::INT, Signal::TERM] {
            let mut child = Child::start("guarded");
            child.kill(Signal::TERM);
            child.wait_for("ended");
            thread::sleep(DELIBERATE);
            child.kill(second);
            thread::sleep(DELIBERATE);
            child.go();
            child.wait_for("code 0 after signal SIGTERM");
            child.ends_by(second);
        }
    });
}

#[test]
fn a_signal_after_the_guard_acts_by_default() {
    let mut child = Child::start("guarded without a window");
    child.kill(Signal::TERM);
    child.wait_for("ended");
    child.go();
    child.wait_for("code 0 after signal SIGTERM");
    child.kill(Signal::TERM);
    child.ends_by(Signal::TERM);
}

#[test]
fn what_waited_for_the_guard_does_nothing_if_so_set() {
    let mut child = Child::start("guarded with nothing after");
    child.kill(Signal::TERM);
    child.wait_for("ended");
    child.kill(Signal::INT);
    child.kill(Signal::QUIT);
    child.go();
    child.wait_for("code 0 after signal SIGTERM");
    child.go();
    child.ends_with(0);
}

#[test]
fn the_last_step_of_a_ladder_is_taken_while_a_guard_holds_the_signals() {
    in_real_time(|| {
        let mut child = Child::start("guarded without a window");
        child.kill(Signal::INT);
        child.wait_for("ended");
        child.kill(Signal::INT);
        thread::sleep(DELIBERATE);
        child.kill(Signal::INT);
        child.ends_with(130);
    });
}

#[test]
fn a_signal_for_a_task_that_never_ran_waits_for_the_next_one() {
    let mut child = Child::start("guarded and dropped early");
    child.kill_and_see(Signal::TERM, "count=1");
    child.go();
    child.wait_for("dropped");
    child.go();
    child.wait_for("code 0 after signal SIGTERM");
    child.ends_with(0);
}

#[test]
fn two_hang_ups_in_quick_succession_start_a_service_anew_once_and_do_not_kill_it() {
    in_real_time(|| {
        let mut child = Child::start("starting anew");
        for round in 0..8 {
            child.kill(Signal::HUP);
            dither(2 * round);
            child.kill(Signal::HUP);
            child.wait_for("ready");
            // The next pair is none of repeats.
            thread::sleep(DELIBERATE);
        }
        assert_eq!(child.count("ready"), 1 + 8);
        child.kill(Signal::TERM);
        child.wait_for("code 0 after signal SIGTERM");
        child.ends_with(0);
    });
}

/// Whichever group it comes to, and also if it comes to none.
#[test]
fn a_termination_while_a_service_starts_anew_is_not_lost() {
    for round in 0..ROUNDS {
        let mut child = Child::start("starting anew until a termination");
        child.kill(Signal::HUP);
        dither(round);
        child.kill(Signal::TERM);
        // The system may deliver them in either order. A SIGHUP that comes after the group which
        // the SIGTERM ended waits for the guard, and kills then.
        let status = child.end();
        let was_last = status.signal() == Some(Signal::HUP.as_raw());
        assert!(status.code() == Some(0) || was_last, "{status}");
        // Handed over at most once, though no window absorbs a repeat.
        assert_eq!(child.count("count=3"), 0);
    }
}

#[test]
fn a_repeat_of_what_counted_for_one_group_does_not_count_for_the_next() {
    in_real_time(|| {
        let mut child = Child::start("starting anew with a long window");
        child.kill_and_see(Signal::HUP, "ready");
        child.kill(Signal::HUP);
        thread::sleep(DELIBERATE);
        child.kill(Signal::TERM);
        child.wait_for("code 0 after signal SIGTERM");
        child.ends_with(0);
        assert_eq!(child.count("ready"), 2);
    });
}

#[test]
fn a_signal_between_two_groups_goes_to_the_next_task() {
    in_real_time(|| {
        let mut child = Child::start("between two groups");
        child.kill_and_see(Signal::TERM, "between");
        child.kill(Signal::USR1);
        child.kill(Signal::TERM);
        child.kill(Signal::TERM);
        thread::sleep(DELIBERATE);
        child.go();
        child.wait_for("code 0 after signal SIGTERM");
        child.wait_for("code 0 after signal SIGTERM");
        child.wait_for("between");
        // As during the shutdown, it has no effect if there is no other trigger. A thread of the
        // child may handle it some time after it was sent.
        child.kill(Signal::USR1);
        thread::sleep(DELIBERATE);
        child.go();
        child.wait_for("released");
        child.kill(Signal::USR1);
        child.ends_by(Signal::USR1);
    });
}

#[test]
fn a_signal_for_a_trigger_between_two_groups_leads_to_a_run_of_the_next_one() {
    let mut child = Child::start("between two groups");
    child.kill_and_see(Signal::TERM, "between");
    child.kill(Signal::USR1);
    child.go();
    child.wait_for("ran");
    child.kill(Signal::TERM);
    child.wait_for("between");
    assert_eq!(child.count("ran"), 1);
}

#[test]
fn a_task_that_is_made_before_the_other_one_is_gone_gets_what_comes_in_between() {
    let mut child = Child::spawn(
        crate::child::program(),
        "between two overlapping groups",
        std::process::Stdio::piped(),
    );
    child.wait_for("between");
    child.kill(Signal::TERM);
    child.go();
    child.wait_for("code 0 after signal SIGTERM");
    child.ends_with(0);
}

#[test]
fn groups_under_one_guard_leave_no_threads_and_no_open_files_behind() {
    let mut child = Child::start("many guarded lives");
    child.ends_with(0);
}
