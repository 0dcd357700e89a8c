//! An abort against a spawn whose handle is not known yet.

use std::future::pending;

use super::{Entry, Identity, Role};
use crate::{
    Phase, TaskId, group::settings::Settings, group::shared::Shared, lifecycle::machine::Kind,
    lifecycle::plan::Tick, threads::clock::Whereabouts,
};

fn entry() -> std::sync::Arc<Entry> {
    let identity = Identity {
        id: TaskId::new(1),
        key: 0,
        name: "task".into(),
        phase: Phase::WORK,
        role: Role::Task(Kind::Critical),
        gates_readiness: false,
        whereabouts: Whereabouts::Within,
    };
    Entry::new(Shared::new(Settings::default()), identity, Tick::ZERO)
}

/// Tells whether a task that never ends by itself was aborted.
async fn is_aborted(entry: &Entry, then: impl FnOnce(&Entry)) -> bool {
    let join = tokio::spawn(pending::<()>());
    let aborted = join.abort_handle();
    entry.set_join_handle(join);
    then(entry);
    tokio::task::yield_now().await;
    aborted.is_finished()
}

#[tokio::test]
async fn an_abort_between_the_first_poll_and_the_handle_is_carried_out_when_the_handle_comes() {
    let entry = entry();
    assert_eq!(entry.mark_polled(), Some(true));
    entry.abort();
    assert!(is_aborted(&entry, |_| ()).await);
}

#[tokio::test]
async fn an_abort_after_the_handle_is_carried_out_at_once() {
    let entry = entry();
    assert_eq!(entry.mark_polled(), Some(true));
    assert!(is_aborted(&entry, Entry::abort).await);
}

#[tokio::test]
async fn an_abort_before_the_first_poll_is_left_to_that_poll() {
    let entry = entry();
    entry.abort();
    assert!(!is_aborted(&entry, Entry::abort).await, "it would be dropped unpolled");
    assert!(entry.is_abort_asked());
}
