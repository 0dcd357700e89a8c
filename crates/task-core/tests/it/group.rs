//! The read-only view of a group, over a source of its own.

use std::{
    future::Future as _,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Waker},
};

use task_core::{
    Blocker, Group, GroupSnapshot, Step,
    scope::{GroupView, Level},
};

/// A group whose step the test sets.
#[derive(Default)]
struct Source {
    version: Level,
    step: Mutex<Step>,
}

impl Source {
    fn enter(&self, step: Step) {
        *self.step.lock().unwrap() = step;
        self.version.bump();
    }
}

impl GroupView for Source {
    fn snapshot(&self) -> GroupSnapshot {
        let mut snapshot = GroupSnapshot::default();
        snapshot.name = "source".into();
        snapshot.step = *self.step.lock().unwrap();
        snapshot.readiness.blockers.push(Blocker::SettingUp);
        snapshot
    }

    fn version(&self) -> &Level {
        &self.version
    }
}

fn is_changed(group: &mut Group) -> bool {
    pin!(group.changed()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn a_group_shows_its_source_as_a_whole_and_in_part() {
    let source = Arc::new(Source::default());
    let group = Group::new(source.clone());
    source.enter(Step::Stopping);
    assert_eq!((group.snapshot().name, group.step()), ("source".into(), Step::Stopping));
    assert_eq!(group.readiness().blockers, [Blocker::SettingUp]);
}

#[test]
fn changed_resolves_once_for_all_changes_since_the_last_call() {
    let source = Arc::new(Source::default());
    source.enter(Step::Draining);
    let mut group = Group::new(source.clone());
    // A change before its creation does not count.
    assert!(!is_changed(&mut group));
    source.enter(Step::Stopping);
    source.enter(Step::CleaningUp);
    assert!(is_changed(&mut group));
    assert!(!is_changed(&mut group));
    source.enter(Step::Ended);
    // Each clone observes for itself.
    assert!(is_changed(&mut group.clone()) && is_changed(&mut group));
    assert!(!is_changed(&mut group));
}

#[test]
fn the_group_of_a_task_alone_never_changes() {
    let mut group = Group::alone();
    assert!(!is_changed(&mut group));
    assert!(group.snapshot().name.is_empty());
}
