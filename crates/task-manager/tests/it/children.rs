//! What a manager does with the children that a wrapper registers.

use std::{
    future::pending,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use task_manager::{
    Context, Hold, Manager, Outcome,
    scope::{ChildrenView, Living},
    task_fn,
};

use crate::support::{SECOND, begin_wait};

/// So many children, of which the abort ends some.
struct Family {
    names: usize,
    left: AtomicUsize,
    ends: usize,
    aborts: AtomicUsize,
    /// The children keep the task from having ended.
    hold: std::sync::Mutex<Option<Hold>>,
}

impl Family {
    fn new(ctx: &Context, names: usize, ends: usize) -> Arc<Self> {
        let (left, aborts) = (AtomicUsize::new(names), AtomicUsize::new(0));
        let hold = std::sync::Mutex::new(Some(ctx.hold()));
        let family = Arc::new(Self { names, left, ends, aborts, hold });
        let view: Weak<dyn ChildrenView> = Arc::<Self>::downgrade(&family);
        ctx.add_children(view);
        family
    }
}

impl ChildrenView for Family {
    fn count(&self) -> usize {
        self.left.load(Ordering::SeqCst)
    }

    fn living(&self, limit: usize) -> Living {
        let mut living = Living::new();
        let all = self.names - self.count()..self.names;
        living.more = all.len().saturating_sub(limit);
        living.names = all.take(limit).map(|number| format!("child {number}")).collect();
        living
    }

    fn abort(&self, _was_requested: bool) {
        self.aborts.fetch_add(1, Ordering::SeqCst);
        self.left.fetch_sub(self.ends, Ordering::SeqCst);
        if self.count() == 0 {
            drop(self.hold.lock().unwrap().take());
        }
    }
}

/// Runs a task with children, and returns what went wrong at its deadline.
async fn at_the_deadline(names: usize, ends: usize, status: &'static str) -> (Outcome, String) {
    let manager = Manager::new();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let task = manager
        .run(task_fn("server", async move |ctx: Context| {
            ctx.set_status(status);
            let _ = sender.send(Family::new(&ctx, names, ends));
            pending().await
        }))
        .unwrap();
    begin_wait(&manager);
    let family = receiver.await.unwrap();
    assert_eq!(task.info().children, names);
    assert_eq!(manager.group().snapshot().tasks[0].children, names);
    let error = manager.shutdown().await.unwrap_err();
    assert_eq!(family.aborts.load(Ordering::SeqCst), 1);
    (task.outcome().unwrap(), error.root().unwrap().to_string())
}

/// Invariant 7.
#[tokio::test(start_paused = true)]
async fn an_abandoned_task_is_named_with_the_children_that_are_alive_after_the_abort() {
    for (names, ends, status, named) in [
        (3, 2, "", "; 1 child is alive: child 2)"),
        (3, 1, "serving", "; serving; 2 children are alive: child 1, child 2)"),
        (
            12,
            1,
            "",
            "; 11 children are alive: child 1, child 2, child 3, child 4, child 5, child 6, \
             child 7, child 8 and 3 more)",
        ),
    ] {
        let (outcome, text) = at_the_deadline(names, ends, status).await;
        assert_eq!(outcome, Outcome::Abandoned);
        assert!(text.ends_with(named), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_children_end_at_the_abort_is_aborted_and_names_none() {
    let (outcome, text) = at_the_deadline(3, 3, "serving").await;
    assert_eq!(outcome, Outcome::Aborted);
    assert!(text.contains("was aborted at its deadline"), "{text}");
    assert!(!text.contains("child"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn children_are_aborted_where_the_future_of_the_task_is_over() {
    let manager = Manager::new();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let task = manager
        .run(task_fn("server", async move |ctx: Context| {
            let _ = sender.send(Family::new(&ctx, 2, 2));
            Ok(())
        }))
        .unwrap();
    let family = receiver.await.unwrap();
    tokio::time::sleep(SECOND).await;
    assert_eq!(task.outcome(), None);
    task.abort();
    assert_eq!(task.ended().await, Outcome::Completed);
    assert_eq!(family.aborts.load(Ordering::SeqCst), 1);
    manager.wait().await.unwrap();
}

/// Invariant 9.
#[tokio::test(start_paused = true)]
async fn children_whose_methods_panic_change_nothing_but_their_names() {
    struct Bomb(#[allow(dead_code, reason = "keeps the task")] Hold);
    impl ChildrenView for Bomb {
        fn count(&self) -> usize {
            panic!("count")
        }
        fn living(&self, _: usize) -> Living {
            panic!("living")
        }
        fn abort(&self, _was_requested: bool) {
            panic!("abort")
        }
    }
    let manager = Manager::new();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let task = manager
        .run(task_fn("server", async move |ctx: Context| {
            let bomb = Arc::new(Bomb(ctx.hold()));
            let view: Weak<dyn ChildrenView> = Arc::<Bomb>::downgrade(&bomb);
            ctx.add_children(view);
            let _ = sender.send(bomb);
            pending().await
        }))
        .unwrap();
    let _bomb = receiver.await.unwrap();
    assert_eq!(task.info().children, 0);
    manager.shutdown().await.unwrap_err();
    assert_eq!(task.outcome(), Some(Outcome::Abandoned));
}
