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

/// A group that says what it is told to say.
#[derive(Default)]
struct Source {
    version: Level,
    step: Mutex<Step>,
}

impl Source {
    fn go_on(&self, step: Step) {
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
fn it_shows_what_its_source_says_also_in_part() {
    let source = Arc::new(Source::default());
    let group = Group::new(source.clone());
    source.go_on(Step::Stopping);
    assert_eq!((group.snapshot().name, group.step()), ("source".into(), Step::Stopping));
    assert_eq!(group.readiness().blockers, [Blocker::SettingUp]);
}

#[test]
fn changed_resolves_once_for_what_happened_since_the_last_look() {
    let source = Arc::new(Source::default());
    source.go_on(Step::Draining);
    let mut group = Group::new(source.clone());
    // What happened before it was made is no change.
    assert!(!is_changed(&mut group));
    source.go_on(Step::Stopping);
    source.go_on(Step::CleaningUp);
    assert!(is_changed(&mut group));
    assert!(!is_changed(&mut group));
    source.go_on(Step::Ended);
    // Each clone looks for itself.
    assert!(is_changed(&mut group.clone()) && is_changed(&mut group));
    assert!(!is_changed(&mut group));
}

#[test]
fn a_task_alone_has_a_group_that_never_changes() {
    let mut group = Group::alone();
    assert!(!is_changed(&mut group));
    assert!(group.snapshot().name.is_empty());
}
