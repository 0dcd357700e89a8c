//! An abort against a spawn whose handle is not known yet, and the list of children.

use std::future::pending;
use std::sync::{Arc, Weak};

use task_core::scope::{ChildrenView, Living};
use task_core::{Phase, TaskId};

use super::{Identity, Member, Role};
use crate::lifecycle::{Kind, Tick};
use crate::threads::CallerRuntime;

fn member() -> Member {
    let identity = Identity {
        id: TaskId::new(1),
        key: 0,
        name: "task".into(),
        phase: Phase::WORK,
        role: Role::Task(Kind::Critical),
        gates_readiness: false,
        runtime: CallerRuntime::Own,
    };
    Member::new(identity, Tick::ZERO)
}

/// Returns whether a task that never ends by itself was aborted.
async fn is_aborted(member: &Member, then: impl FnOnce(&Member)) -> bool {
    let join = tokio::spawn(pending::<()>());
    let aborted = join.abort_handle();
    member.set_join_handle(join);
    then(member);
    tokio::task::yield_now().await;
    aborted.is_finished()
}

#[tokio::test]
async fn an_abort_between_the_first_poll_and_the_handle_is_carried_out_when_the_handle_comes() {
    let member = member();
    assert_eq!(member.mark_polled(), Some(true));
    member.abort();
    assert!(is_aborted(&member, |_| ()).await);
}

#[tokio::test]
async fn an_abort_after_the_handle_is_carried_out_at_once() {
    let member = member();
    assert_eq!(member.mark_polled(), Some(true));
    assert!(is_aborted(&member, Member::abort).await);
}

#[tokio::test]
async fn an_abort_before_the_first_poll_is_left_to_that_poll() {
    let member = member();
    member.abort();
    assert!(!is_aborted(&member, Member::abort).await, "it would be dropped unpolled");
    assert!(member.is_abort_asked());
}

/// Invariant 10.
#[test]
fn children_that_are_gone_take_no_room() {
    struct Family;
    impl ChildrenView for Family {
        fn count(&self) -> usize {
            1
        }
        fn living(&self, _: usize) -> Living {
            Living::new()
        }
        fn abort(&self, _was_requested: bool) {}
    }
    let (member, alive) = (member(), Arc::new(Family));
    let add = |children: &Arc<Family>| {
        let view: Weak<dyn ChildrenView> = Arc::<Family>::downgrade(children);
        member.add_children(view);
    };
    add(&alive);
    for _ in 0..1_000 {
        add(&Arc::new(Family));
    }
    assert_eq!(member.count_children(), 1);
    let known = member.update(|details| details.children.len());
    assert!(known < 10, "{known}");
}
