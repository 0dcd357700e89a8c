//! The pulse and the fuse as a context starts them, and the probe of a runtime.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use task_core::{
    Beat, Context, Fuse, FuseInstant, Pulse, Step,
    scope::{PulseFn, RuntimeProbe, Scope, StageCell},
};

/// Calls the callback once, at the start.
struct Once(StageCell);

impl Scope for Once {
    fn stage(&self) -> &StageCell {
        &self.0
    }

    fn pulse(&self, interval: Duration, mut beat: PulseFn) -> Option<Pulse> {
        assert_eq!(interval, Duration::from_secs(3));
        beat(Beat::new(Step::Draining));
        Some(Pulse::new())
    }
}

/// Inside another scope.
struct Inside(Context, StageCell);

impl Scope for Inside {
    fn stage(&self) -> &StageCell {
        &self.1
    }

    fn outer(&self) -> Option<&Context> {
        Some(&self.0)
    }
}

#[test]
fn a_task_without_a_manager_has_no_pulse() {
    let ctx = Context::new(Arc::new(StageCell::new()));
    assert!(ctx.pulse(Duration::from_secs(3), |_| {}).is_none());
}

#[test]
fn the_pulse_of_a_scope_inside_another_is_that_of_the_outer_one() {
    let outer = Context::new(Arc::new(Once(StageCell::new())));
    let ctx = Context::new(Arc::new(Inside(outer, StageCell::new())));
    let beats = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&beats);
    let pulse = ctx.pulse(Duration::from_secs(3), move |beat| {
        assert_eq!(beat.step, Step::Draining);
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let pulse = pulse.unwrap();
    assert_eq!(beats.load(Ordering::SeqCst), 1);
    pulse.clone().stop();
    assert!(pulse.is_stopped());
}

#[test]
fn a_probe_whose_task_is_dropped_unpolled_counts_it_as_run() {
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let probe = RuntimeProbe::new(move |waited, _| {
        assert_eq!(waited, Duration::from_secs(4));
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let task = probe.look(Duration::from_secs(1)).unwrap();
    assert_eq!(probe.look(Duration::from_secs(4)).unwrap_err(), Duration::from_secs(4));
    assert_eq!(probe.waiting(), Some(Duration::from_secs(4)));
    drop(task);
    assert_eq!((probe.waiting(), runs.load(Ordering::SeqCst)), (None, 1));
}

#[test]
fn a_task_without_a_manager_has_no_fuse() {
    let ctx = Context::new(Arc::new(StageCell::new()));
    assert!(ctx.fuse(FuseInstant::now(), 5, "lease").is_none());
}

#[test]
fn a_fuse_that_was_dropped_does_not_burn_and_a_move_is_made_known() {
    let changes = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&changes);
    let now = FuseInstant::now();
    let (fuse, cell) = Fuse::new(now + Duration::from_secs(3600), move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let sooner = now + Duration::from_secs(1800);
    assert!(fuse.move_to(sooner));
    assert_eq!((cell.at(), changes.load(Ordering::SeqCst)), (Some(sooner), 1));
    drop(fuse);
    assert_eq!((cell.at(), cell.burn()), (None, false));

    let (_due, cell) = Fuse::new(now, || {});
    assert!(cell.burn());
}

#[test]
fn a_clock_that_outruns_the_waits_of_threads_is_looked_at_every_250_ms() {
    let hour = FuseInstant::now() + Duration::from_secs(3600);
    let outruns = cfg!(all(feature = "suspend", target_os = "linux"));
    let longest = Duration::from_secs(if outruns { 1 } else { 3600 });
    assert!(hour.wait() <= longest && outruns == (hour.wait() == Duration::from_millis(250)));
    assert_eq!((hour + Duration::MAX).until(hour), Duration::ZERO);
}
