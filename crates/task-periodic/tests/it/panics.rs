//! Panics of the action, at every point at which it can panic.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    pin::{Pin, pin},
    task::{Context as Cx, Poll, Waker},
};

use task_core::{Context, Task};
use task_periodic::{Action, LoopTask, OnFailure};

use crate::rig::{Rig, ms, secs};

/// An action whose first run is the future that `make` returns; later runs succeed.
struct First<M>(Option<M>);

impl<M, F> Action for First<M>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    fn run(&mut self, _: Context) -> impl Future<Output = anyhow::Result<()>> + Send {
        let first = self.0.take().map(|make| make());
        async {
            match first {
                Some(first) => first.await,
                None => Ok(()),
            }
        }
    }
}

/// Runs such an action for a while and returns all statuses.
async fn statuses_after<M, F>(make: M) -> Vec<String>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let rig = Rig::new();
    let task = LoopTask::with_action("loop", secs(10), First(Some(make))).unwrap();
    rig.run_for(ms(25_500), task.run_timeout(secs(5))).await.unwrap();
    assert!(rig.last_status().starts_with("3 runs, 1 failed; "), "{}", rig.last_status());
    rig.statuses()
}

fn has(statuses: &[String], end: &str) -> bool {
    statuses.iter().any(|status| status.ends_with(end))
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_like_any_other_and_keeps_its_message() {
    let statuses = statuses_after(|| async { panic!("no {}", "way") }).await;
    assert!(has(&statuses, "last: panicked: no way"), "{statuses:?}");
    let statuses = statuses_after(|| async { panic!("literal") }).await;
    assert!(has(&statuses, "last: panicked: literal"), "{statuses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_there_is_a_future_is_a_failure_like_any_other() {
    #[allow(unreachable_code, reason = "gives the closure its type")]
    let statuses = statuses_after(|| {
        panic!("too early");
        async { Ok(()) }
    })
    .await;
    assert!(has(&statuses, "last: panicked: too early"), "{statuses:?}");
}

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("in drop");
    }
}

/// Its drop panics with a payload whose drop panics, too.
struct PanicsOnDropTwice;

impl Drop for PanicsOnDropTwice {
    fn drop(&mut self) {
        panic_any(PanicsOnDrop);
    }
}

/// A future that panics when it is dropped, whether it has ended or not.
struct PanicsInDrop {
    ends: bool,
    _panics: PanicsOnDrop,
}

impl Future for PanicsInDrop {
    type Output = anyhow::Result<()>;

    fn poll(self: Pin<&mut Self>, _: &mut Cx<'_>) -> Poll<Self::Output> {
        if self.ends { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_when_the_ended_run_is_dropped_fails_the_run() {
    let statuses = statuses_after(|| PanicsInDrop { ends: true, _panics: PanicsOnDrop }).await;
    assert!(has(&statuses, "last: panicked: in drop"), "{statuses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_when_a_timed_out_run_is_dropped_does_not_hide_the_timeout() {
    let statuses = statuses_after(|| PanicsInDrop { ends: false, _panics: PanicsOnDrop }).await;
    assert!(has(&statuses, "last: run took longer than 5s"), "{statuses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_no_text_or_panics_when_dropped_is_survived() {
    let statuses = statuses_after(|| async { panic_any(17_u8) }).await;
    assert!(has(&statuses, "last: panicked: (a payload that is no text)"), "{statuses:?}");
    statuses_after(|| async { panic_any(PanicsOnDrop) }).await;
    statuses_after(|| async { panic_any(PanicsOnDropTwice) }).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_ends_the_task_is_resumed_with_its_payload() {
    for on_failure in [OnFailure::Fail, OnFailure::FailAfter(1)] {
        let rig = Rig::new();
        let task = LoopTask::new("loop", ms(1), async |_| panic_any(17_u8)).unwrap();
        let mut run = pin!(task.on_failure(on_failure).boxed().run(rig.ctx()));
        let mut cx = Cx::from_waker(Waker::noop());
        let poll = catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(&mut cx).is_ready()));
        // In the very poll in which it began, as a manager needs to find its location.
        assert_eq!(*poll.unwrap_err().downcast::<u8>().unwrap(), 17);
        assert_eq!(
            rig.last_status(),
            "1 run, 1 failed, 1 in a row; last: panicked: (a payload that is no text)"
        );
    }
}
