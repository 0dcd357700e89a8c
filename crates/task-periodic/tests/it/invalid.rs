//! Values that the constructors reject.

use std::time::Duration;

use task_core::Context;
use task_periodic::{Jitter, LoopTask, PollTask};

use crate::rig::secs;

async fn nothing(_: Context) -> anyhow::Result<()> {
    Ok(())
}

#[test]
fn a_poll_with_a_period_of_zero_is_rejected() {
    let error = PollTask::new("poll", Duration::ZERO, nothing).unwrap_err();
    assert!(error.is_interval() && !error.is_jitter());
    assert_eq!(error.to_string(), "period is zero");
}

#[test]
fn a_loop_with_a_delay_of_zero_is_accepted() {
    assert!(LoopTask::new("loop", Duration::ZERO, nothing).is_ok());
}

#[test]
fn intervals_beyond_a_hundred_years_are_rejected() {
    let error = PollTask::new("poll", Duration::MAX, nothing).unwrap_err();
    assert!(error.is_interval(), "{error}");
    let error = LoopTask::new("loop", Duration::MAX, nothing).unwrap_err();
    assert!(error.to_string().starts_with("delay of "), "{error}");
    assert!(error.to_string().ends_with("s is longer than 100 years"), "{error}");
    assert!(PollTask::new("poll", secs(100 * 365 * 24 * 3600), nothing).is_ok());
}

#[test]
fn a_jitter_that_is_no_fraction_is_rejected() {
    for fraction in [-0.01, 1.01, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = Jitter::fraction(fraction).unwrap_err();
        assert!(error.is_jitter() && !error.is_interval(), "{error}");
    }
    for fraction in [0.0, -0.0, 0.5, 1.0] {
        assert!(Jitter::fraction(fraction).is_ok(), "{fraction}");
    }
}
