//! Tasks that misbehave, each in one way: to test what runs, watches or reports tasks.
//!
//! Each has the name of its function, which [`named`](task_core::Task::named) replaces.

use std::{
    future::{pending, poll_fn},
    mem,
    sync::mpsc::{self, Sender},
    task::Poll,
    thread,
    time::Duration,
};

use task_core::{Context, Task, blocking_task, task_fn};
use tokio::time::sleep;

/// When a task of [`panics`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// At its first poll.
    Start,
    /// At its poll of this number, from 1 on. It wakes itself until then.
    Poll(usize),
    /// When it is cancelled.
    Cancel,
    /// When it is dropped, by an abort or because it has ended. It ends when it is cancelled.
    Drop,
}

/// A task that waits for ever. A stop does not end it, an abort does.
pub fn hang() -> impl Task {
    task_fn("hang", async |_| pending().await)
}

/// A task that works on and on, in steps of 1 s, and never looks at its context. An abort ends it.
pub fn ignores_cancel() -> impl Task {
    task_fn("ignores_cancel", async |ctx: Context| {
        for step in 1_u64.. {
            ctx.set_status(format!("step {step}"));
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    })
}

/// Releases the thread of [`hang_blocking`] when it is dropped.
#[derive(Debug)]
#[must_use = "the thread is released when this is dropped"]
pub struct Release(#[expect(dead_code, reason = "its drop ends the wait")] Sender<()>);

/// A task whose thread is blocked until the returned value is dropped. Neither a stop nor an abort
/// ends it.
pub fn hang_blocking() -> (impl Task, Release) {
    let (release, released) = mpsc::channel::<()>();
    let task = blocking_task("hang_blocking", move |_| {
        let _ = released.recv();
        Ok(())
    });
    (task, Release(release))
}

/// A task that panics.
pub fn panics(when: When) -> impl Task {
    struct OnDrop(bool);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            // A second panic would end the process.
            assert!(!self.0 || thread::panicking(), "chaos: on drop");
        }
    }
    task_fn("panics", async move |ctx: Context| {
        let _on_drop = OnDrop(when == When::Drop);
        match when {
            When::Start => panic!("chaos: at the start"),
            When::Poll(at) => {
                let mut polls = 0;
                poll_fn(|cx| {
                    polls += 1;
                    assert!(polls < at, "chaos: at poll {at}");
                    cx.waker().wake_by_ref();
                    Poll::<()>::Pending
                })
                .await;
            }
            When::Cancel | When::Drop => ctx.cancelled().await,
        }
        assert!(when != When::Cancel, "chaos: at the cancellation");
        Ok(())
    })
}

/// A task that takes this long to end once it is cancelled.
pub fn slow_stop(time: Duration) -> impl Task {
    task_fn("slow_stop", async move |ctx: Context| {
        ctx.cancelled().await;
        ctx.set_status("stopping slowly");
        sleep(time).await;
        Ok(())
    })
}

/// A task whose future blocks its thread for this long when it is dropped, in real time. It ends
/// when it is cancelled.
pub fn slow_drop(time: Duration) -> impl Task {
    struct SlowDrop(Duration);
    impl Drop for SlowDrop {
        fn drop(&mut self) {
            thread::sleep(self.0);
        }
    }
    task_fn("slow_drop", async move |ctx: Context| {
        let _slow = SlowDrop(time);
        ctx.cancelled().await;
        Ok(())
    })
}

/// A task that gates the readiness of its group and is never ready. It ends when it is cancelled.
pub fn never_ready() -> impl Task {
    let task = task_fn("never_ready", async |ctx: Context| {
        ctx.cancelled().await;
        Ok(())
    });
    task.gating_readiness()
}

/// A task that gates the readiness of its group, and becomes ready and not ready in turns, each for
/// `period`, ready first. It ends when it is cancelled.
pub fn flaps_ready(period: Duration) -> impl Task {
    let task = task_fn("flaps_ready", async move |ctx: Context| {
        loop {
            for ready in [true, false] {
                ctx.set_ready(ready);
                ctx.or_cancelled(sleep(period)).await?;
            }
        }
    });
    task.gating_readiness()
}

/// A task that fails after this time, with the error `chaos: failed`, unless it is cancelled first.
pub fn fails_after(time: Duration) -> impl Task {
    task_fn("fails_after", async move |ctx: Context| {
        ctx.or_cancelled(sleep(time)).await?;
        anyhow::bail!("chaos: failed")
    })
}

/// A task that completes after this time, unless it is cancelled first.
pub fn ends_after(time: Duration) -> impl Task {
    task_fn("ends_after", async move |ctx: Context| {
        ctx.or_cancelled(sleep(time)).await?;
        Ok(())
    })
}

/// A task that is ready to be polled at all times, so that a paused clock does not advance. It ends
/// when it is cancelled.
pub fn spins() -> impl Task {
    task_fn("spins", async |ctx: Context| {
        poll_fn(|cx| {
            if ctx.is_cancelled() {
                return Poll::Ready(Ok(()));
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    })
}

/// A task that leaks a [`Hold`](task_core::Hold): its future ends when it is cancelled, and the
/// task never does.
pub fn leaks_hold() -> impl Task {
    task_fn("leaks_hold", async |ctx: Context| {
        mem::forget(ctx.hold());
        ctx.cancelled().await;
        Ok(())
    })
}

/// A task that sets its status this often at its first poll. It ends when it is cancelled.
pub fn floods_status(times: usize) -> impl Task {
    task_fn("floods_status", async move |ctx: Context| {
        for time in 1..=times {
            ctx.set_status(format!("status {time}"));
        }
        ctx.cancelled().await;
        Ok(())
    })
}
