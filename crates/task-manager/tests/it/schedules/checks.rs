//! What holds for every schedule: the invariants, checked on the records and the report.

use std::sync::atomic::Ordering;
use std::time::Duration;

use task_manager::{
    CauseKind, FailureKind, FailureOrigin, ManagerHandle, Outcome, Report, Step, Task, task_fn,
};

use super::{
    Behaviour, Hook, Schedule,
    runner::{Records, TaskRecord, WaitResult},
};

/// The resolution of Tokio's timers, by which each deadline may be late.
const TICK: Duration = Duration::from_millis(1);
/// How long an aborted task is waited for.
const JOIN: Duration = Duration::from_millis(250);

pub(super) fn check<'a>(
    schedule: &Schedule,
    records: &Records,
    results: &'a [WaitResult],
) -> &'a Report {
    let reports: Vec<&Report> = results
        .iter()
        .map(|result| {
            let report = match result {
                Ok(report) => report,
                Err(error) => error.report().expect("a wait from outside has a report"),
            };
            assert_eq!(result.is_ok(), report.is_clean(), "Invariant 2: {report}");
            report
        })
        .collect();
    let report = reports[0];
    for other in &reports {
        assert_eq!(format!("{other:?}"), format!("{report:?}"), "Invariant 5");
    }
    check_tasks(records, report);
    check_failures(records, report);
    check_cleanups(schedule, records, report);
    check_times(schedule, records, report);
    report
}

/// Invariants 1, 4 and 7: each admitted task was polled, has one outcome, is counted once, and was
/// dropped unless it was abandoned.
fn check_tasks(records: &Records, report: &Report) {
    let tasks = records.tasks.lock().unwrap();
    let totals = report.totals();
    assert_eq!(totals.started, tasks.len() as u64, "{report}");
    for outcome in OUTCOMES {
        let count = tasks.iter().filter(|task| task.handle.outcome() == Some(outcome)).count();
        assert_eq!(totals.of(outcome), count as u64, "{outcome}: {report}");
    }
    for task in tasks.iter() {
        let TaskRecord { name, phase, is_late, limit, behaviour, handle, counters } = task;
        let outcome = handle.outcome().unwrap_or_else(|| panic!("`{name}` has no outcome"));
        let is_allowed = allowed(*behaviour).contains(&outcome);
        // Its time may be used up when the turn of its phase comes, down to the time to be dropped,
        // if it was admitted during the shutdown, or waited for the drop of one that was.
        let is_behind_late = || {
            tasks.iter().any(|other| {
                let is_before = other.is_late && other.phase < *phase;
                is_before && other.handle.outcome() == Some(Outcome::Abandoned)
            })
        };
        let is_cut_short = matches!(outcome, Outcome::Aborted | Outcome::Abandoned)
            && (*is_late || is_behind_late() || limit.is_some());
        assert!(is_allowed || is_cut_short, "{behaviour:?} was {outcome}: {report}");
        assert_eq!(counters.polls.load(Ordering::SeqCst), 1, "`{name}` was admitted: {report}");
        let is_gone = counters.drops.load(Ordering::SeqCst) == 1;
        assert!(is_gone || outcome == Outcome::Abandoned, "`{name}` is alive: {report}");
        let took = report.tasks().iter().find(|listed| listed.id == handle.id());
        let took = took.and_then(|listed| listed.stop_took).unwrap_or_default();
        let most = limit.map_or(Duration::MAX, |limit| limit + JOIN + 2 * TICK);
        assert!(took <= most, "`{name}` took {took:?} of {limit:?}: {report}");
        let listed = report.tasks().iter().filter(|listed| listed.id == handle.id()).count();
        assert!(listed <= 1 && (listed == 1 || outcome.is_clean()), "`{name}`: {report}");
    }
}

const OUTCOMES: [Outcome; 6] = [
    Outcome::Completed,
    Outcome::Cancelled,
    Outcome::Failed,
    Outcome::Panicked,
    Outcome::Aborted,
    Outcome::Abandoned,
];

fn allowed(behaviour: Behaviour) -> &'static [Outcome] {
    use Outcome::{Abandoned, Aborted, Cancelled, Completed, Failed, Panicked};
    match behaviour {
        Behaviour::CompletesAfter(_)
        | Behaviour::Stops(_)
        | Behaviour::Survives(_)
        | Behaviour::RequestsStop(_)
        | Behaviour::Escalates(..)
        | Behaviour::Spawns(_) => &[Completed, Aborted],
        Behaviour::FailsAfter(_) | Behaviour::FailsWhenStopped(_) => &[Failed, Aborted],
        Behaviour::PanicsAfter(_) => &[Panicked, Aborted],
        Behaviour::StopsByError => &[Cancelled],
        Behaviour::Flickers(_) => &[Cancelled, Completed],
        Behaviour::Unresponsive => &[Aborted],
        Behaviour::HoldsOn(_) => &[Completed, Abandoned],
        Behaviour::PanicsInDrop => &[Panicked],
    }
}

/// Invariant 2: every failure is listed, no other is, and the root comes first.
fn check_failures(records: &Records, report: &Report) {
    assert_eq!(report.omitted_failures(), 0);
    let failures = report.failures();
    assert!(failures.is_sorted_by_key(|failure| failure.at));
    let named = |origin: FailureOrigin, name: &str| {
        failures.iter().filter(|failure| failure.origin == origin && failure.name == name).count()
    };
    let mut expected = 0;
    for TaskRecord { name, behaviour, handle, .. } in records.tasks.lock().unwrap().iter() {
        let survived = usize::from(matches!(behaviour, Behaviour::Survives(_)));
        let ended = usize::from(handle.outcome().is_some_and(|outcome| !outcome.is_clean()));
        assert_eq!(named(FailureOrigin::Task, name), survived + ended, "`{name}`: {report}");
        expected += survived + ended;
    }
    for cleanup in report.cleanups() {
        let failed = usize::from(cleanup.outcome.is_none_or(|outcome| !outcome.is_clean()));
        assert_eq!(named(FailureOrigin::Cleanup, &cleanup.name), failed, "{report}");
        expected += failed;
    }
    assert_eq!(failures.len(), expected, "{report}");
    if let CauseKind::TaskEnded { task, outcome, .. } = &report.cause().kind
        && !outcome.is_clean()
    {
        let mut fatal =
            failures.iter().filter(|failure| !matches!(failure.kind, FailureKind::Survived(_)));
        assert_eq!(fatal.next().map(|root| &root.name), Some(task), "{report}");
    }
}

/// Invariant 8: each cleanup runs at most once, in reverse order of registration, beside no task.
pub(super) fn check_cleanups(schedule: &Schedule, records: &Records, report: &Report) {
    assert_eq!(*records.alive_in_cleanups.lock().unwrap(), [""; 0], "alive in a cleanup: {report}");
    let hooks = records.hooks.lock().unwrap();
    assert_eq!(report.cleanups().len(), hooks.len(), "{report}");
    for known in hooks.iter() {
        let cleanup = report.cleanups().iter().find(|cleanup| cleanup.name == known.name);
        let cleanup = cleanup.expect("a cleanup in the report");
        let runs = known.runs.load(Ordering::SeqCst);
        assert_eq!(runs, usize::from(cleanup.outcome.is_some()), "`{}`: {report}", known.name);
        let Some(outcome) = cleanup.outcome else {
            // Time is kept for those that are registered in time.
            let is_any_kept =
                !schedule.cleanup.is_zero() && hooks.iter().any(|hook| hook.is_planned);
            assert!(!is_any_kept, "there was time to run `{}`: {report}", known.name);
            continue;
        };
        // In the last instants there is time neither to end nor for an abort to take effect.
        if report.steps().ended - cleanup.began_at <= 4 * TICK && outcome == Outcome::Abandoned {
            continue;
        }
        match known.hook {
            Hook::Succeeds(_) => assert!(
                matches!(outcome, Outcome::Completed | Outcome::Aborted),
                "{}: {report}",
                known.name
            ),
            Hook::Registers => assert_eq!(outcome, Outcome::Completed),
            Hook::Fails => assert_eq!(outcome, Outcome::Failed),
            Hook::Panics => assert_eq!(outcome, Outcome::Panicked),
            Hook::Hangs => assert_eq!(outcome, Outcome::Aborted),
        }
    }
    let began = report.steps().cleaning_up;
    assert!(report.cleanups().iter().all(|cleanup| cleanup.began_at >= began));
    // A cleanup that was registered by a running one runs after that one.
    let order = hooks.iter().filter(|hook| !hook.is_late).rev();
    let order: Vec<usize> = order.map(|hook| hook.ran_at.load(Ordering::SeqCst)).collect();
    let order: Vec<usize> = order.into_iter().filter(|ran_at| *ran_at > 0).collect();
    assert!(order.is_sorted(), "not in reverse order: {report}");
}

/// Invariant 3: the budgets are kept.
fn check_times(schedule: &Schedule, records: &Records, report: &Report) {
    let steps = report.steps();
    let times = [steps.triggered, steps.stopping, steps.cleaning_up, steps.ended];
    assert!(times.is_sorted(), "{steps:?}");
    assert_eq!(report.cause().at, steps.triggered);
    assert!(report.later_triggers().iter().all(|later| later.at >= steps.triggered));
    // There are two waits for each phase and for each cleanup.
    let waits = 2 * (4 + records.hooks.lock().unwrap().len()) + 1;
    let slack = TICK * u32::try_from(waits).unwrap();
    let Schedule { stop, drain, cleanup, .. } = schedule;
    let total = *stop + *drain + *cleanup;
    assert!(steps.ended - steps.triggered <= total + slack, "{steps:?} of {total:?}: {report}");
    assert!(steps.ended - steps.cleaning_up <= *cleanup + slack, "{steps:?}: {report}");
    assert!(steps.stopping - steps.triggered <= *drain + TICK, "{steps:?}: {report}");
}

/// After the end nothing is admitted, and the view shows the end.
pub(super) fn check_closed(handle: &ManagerHandle) {
    let refused = handle.run(task_fn("late", async |_| Ok(()))).unwrap_err();
    assert!(refused.is_too_late());
    assert_eq!(refused.into_inner().name(), "late");
    assert!(handle.cleanup("late", async || Ok(())).is_err());
    if let Some(group) = handle.group() {
        assert_eq!(group.step(), Step::Ended);
        assert!(!group.readiness().is_ready());
    }
}
