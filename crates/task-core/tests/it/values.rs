//! Small values, and their names in logs and metrics.

use std::{error::Error, fmt};

use anyhow::{Context as _, anyhow};
use task_core::{
    Blocker, Cancelled, CleanupState, Exits, Outcome, Phase, Readiness, Step, TaskId, TaskInfo,
    TaskState, Totals,
};

#[test]
fn every_value_has_a_name_and_respects_the_width_of_a_format() {
    let outcomes = Outcome::ALL.map(Outcome::as_str);
    assert_eq!(outcomes, ["completed", "cancelled", "failed", "panicked", "aborted", "abandoned"]);
    let steps = [Step::Running, Step::Draining, Step::Stopping, Step::CleaningUp, Step::Ended];
    let names = ["running", "draining", "stopping", "cleaning up", "ended"];
    assert_eq!(steps.map(Step::as_str), names);
    let states =
        [TaskState::Running, TaskState::Stopping, TaskState::Aborting, TaskState::Abandoned];
    assert_eq!(states.map(TaskState::as_str), ["running", "stopping", "aborting", "abandoned"]);
    let ended = CleanupState::Ended(Outcome::Panicked);
    let states = [CleanupState::Waiting, CleanupState::Running, ended, CleanupState::NotRun];
    assert_eq!(states.map(CleanupState::as_str), ["waiting", "running", "panicked", "not run"]);
    let padded = format!("{:>10}|{:>8}|{:>9}|", Outcome::Failed, Step::Ended, TaskState::Running);
    assert_eq!(padded, "    failed|   ended|  running|");
    assert_eq!(format!("{:>3}", TaskId::new(7)), "  7");
}

#[test]
fn only_completed_and_cancelled_are_clean() {
    let clean: Vec<Outcome> = Outcome::ALL.into_iter().filter(|it| it.is_clean()).collect();
    assert_eq!(clean, [Outcome::Completed, Outcome::Cancelled]);
}

#[test]
fn totals_count_each_outcome_apart() {
    let mut totals = Totals::default();
    for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
        for _ in 0..=index {
            totals.count(outcome);
        }
    }
    assert_eq!(Outcome::ALL.map(|outcome| totals.of(outcome)), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn the_ends_of_one_name_are_counted_by_outcome_and_in_total() {
    let mut exits = Exits::new(Some("job".into()));
    for outcome in [Outcome::Completed, Outcome::Failed, Outcome::Failed] {
        exits.count(outcome);
    }
    assert_eq!(Outcome::ALL.map(|outcome| exits.of(outcome)), [1, 0, 2, 0, 0, 0]);
    assert_eq!((exits.total(), exits.name.as_deref()), (3, Some("job")));
}

#[test]
fn readiness_is_the_absence_of_blockers_and_each_blocker_has_a_text() {
    let mut readiness = Readiness::default();
    assert!(readiness.is_ready());
    let blockers = [
        Blocker::SettingUp,
        Blocker::ShuttingDown(Step::Draining),
        Blocker::NotReady("a".into()),
        Blocker::HasEnded("b".into(), Outcome::Failed),
        Blocker::CheckFailed("c".into()),
    ];
    readiness.blockers.extend(blockers);
    assert!(!readiness.is_ready());
    let texts: Vec<String> = readiness.blockers.iter().map(ToString::to_string).collect();
    let expected = [
        "setting up",
        "shutting down (draining)",
        "task `a` is not ready",
        "task `b` has ended (failed)",
        "check `c` failed",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn phases_are_ordered_by_number_and_support_begins_at_its_own() {
    assert_eq!(Phase::default(), Phase::WORK);
    assert_eq!(Phase::new(7).number(), 7);
    assert!(Phase::INGRESS < Phase::WORK && Phase::WORK < Phase::SUPPORT);
    let is_support = [0, 100, 199, 200, 255].map(|number| Phase::new(number).is_support());
    assert_eq!(is_support, [false, false, false, true, true]);
}

#[test]
fn a_description_is_of_a_critical_work_task_that_has_just_started() {
    let info = TaskInfo::new(TaskId::new(3), "a");
    assert_eq!((info.id.number(), &*info.name, info.phase), (3, "a", Phase::WORK));
    assert!(!info.is_ephemeral && !info.is_ready && info.state == TaskState::Running);
}

#[test]
fn an_error_is_cancelled_only_if_that_is_what_it_is_under_its_contexts() {
    let plain = anyhow::Error::new(Cancelled);
    assert!(Cancelled::is_outermost_in(&plain));
    assert!(Cancelled::is_outermost_in(&plain.context("one").context("two")));
    assert!(!Cancelled::is_outermost_in(&anyhow!("disk full").context(Cancelled)));
    assert!(!Cancelled::is_outermost_in(&anyhow!("cancelled")));
    let hidden = Err::<(), _>(std::io::Error::other(Cancelled)).context("reading").unwrap_err();
    assert!(!Cancelled::is_outermost_in(&hidden));
    // The task was stopped in the middle of something, and says so by an error of its own.
    #[derive(Debug, thiserror::Error)]
    #[error("the batch is half written")]
    struct HalfWritten(#[source] Cancelled);
    let caused = anyhow::Error::new(HalfWritten(Cancelled));
    assert!(caused.root_cause().is::<Cancelled>() && !Cancelled::is_outermost_in(&caused));
    assert!(!Cancelled::is_outermost_in(&caused.context("writing")));
}

#[test]
fn an_error_that_has_cancelled_as_its_source_or_a_bad_source_is_not_cancelled() {
    /// With the cause, or without one and a panic in place of it.
    #[derive(Debug)]
    struct Lost(Option<Cancelled>);
    impl fmt::Display for Lost {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("connection lost")
        }
    }
    impl Error for Lost {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            match &self.0 {
                Some(cancelled) => Some(cancelled),
                None => panic!("no source"),
            }
        }
    }
    let lost = anyhow::Error::new(Lost(Some(Cancelled)));
    assert!(lost.root_cause().is::<Cancelled>());
    assert!(!Cancelled::is_outermost_in(&lost));
    assert!(!Cancelled::is_outermost_in(&lost.context("reading orders")));
    assert!(!Cancelled::is_outermost_in(&anyhow::Error::new(Lost(None)).context(Cancelled)));
}
