//! Panics of the task's code, wherever they are.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use anyhow::bail;
use task_core::{BoxTask, Context, Task, task_fn};
use task_restart::restarting;

use crate::rig::Rig;

struct PanicOnDrop(&'static str);

impl Drop for PanicOnDrop {
    fn drop(&mut self) {
        panic!("{}", self.0)
    }
}

/// Panics at one of the places where the task's code runs.
struct Bad(&'static str);

impl Task for Bad {
    fn admitted(&mut self, _: &Context) {
        assert!(self.0 != "admitted", "in admitted");
    }

    fn run(self, _: Context) -> impl Future<Output = anyhow::Result<()>> + Send {
        assert!(self.0 != "run", "in run");
        async move {
            let place = self.0;
            assert!(place != "poll", "in poll");
            let _on_drop = (place == "drop").then(|| PanicOnDrop("in drop"));
            if place == "error and drop" {
                let _on_drop = PanicOnDrop("in drop");
                bail!("no broker")
            }
            Ok(())
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_run_wherever_it_is() {
    for place in ["factory", "admitted", "run", "poll", "drop", "error and drop"] {
        let rig = Rig::new();
        let made = Arc::new(AtomicUsize::new(0));
        let count = made.clone();
        let factory = move || {
            // The second one is bad: the first of all is made and admitted outside of the task.
            let number = 1 + count.fetch_add(1, Ordering::SeqCst);
            assert!(number != 2 || place != "factory", "in factory");
            Ok::<BoxTask, _>(match number {
                1 => task_fn("first", async |_| bail!("no broker")).boxed(),
                2 => Bad(place).boxed(),
                _ => task_fn("last", async |_| Ok(())).boxed(),
            })
        };
        rig.run(restarting(factory).unwrap()).await.unwrap();
        assert_eq!(made.load(Ordering::SeqCst), 3, "{place}");
        let statuses = rig.reported("status ");
        let text = &statuses[2];
        assert!(text.contains("run 2 failed: panicked: in "), "{place}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_stop_is_the_tasks() {
    let rig = Rig::new();
    let factory = rig.runs(async |ctx: Context, _| {
        ctx.cancelled().await;
        panic!("in the stop")
    });
    let task = restarting(factory).unwrap();
    let stop = async { rig.cancel() };
    let run = tokio::spawn({
        let (rig, task) = (rig.clone(), task.boxed());
        async move { rig.run(task).await }
    });
    stop.await;
    let payload = run.await.unwrap_err().into_panic();
    assert_eq!(*payload.downcast_ref::<&str>().unwrap(), "in the stop");
    assert_eq!(rig.scope.holds(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_payload_whose_drop_panics_is_survived() {
    let rig = Rig::new();
    let factory = rig.runs(async |_, run| {
        if run == 1 {
            std::panic::panic_any(PanicOnDrop("of a payload"));
        }
        Ok(())
    });
    rig.run(restarting(factory).unwrap()).await.unwrap();
    assert_eq!(rig.starts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn too_many_panics_end_the_task_with_an_error_that_names_them() {
    let rig = Rig::new();
    let factory =
        rig.runs(async |_, run| if run == 1 { bail!("no broker") } else { panic!("boom") });
    let error = rig.run(restarting(factory).unwrap()).await.unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("(first: no broker): panicked") && text.ends_with("boom"), "{text}");
}

/// Invariant 2: no error replaces another.
#[tokio::test(start_paused = true)]
async fn a_panic_of_the_drop_of_a_run_that_had_failed_is_recorded_beside_the_failure() {
    let rig = Rig::new();
    let mut run = 0;
    // Not in a box: that would drop the future within its own poll.
    let factory = move || {
        run += 1;
        let on_drop = (run == 1).then(|| PanicOnDrop("in drop"));
        let run = move |_| {
            poll_fn(move |_| {
                let fails = on_drop.is_some();
                Poll::Ready(if fails { Err(anyhow::anyhow!("no broker")) } else { Ok(()) })
            })
        };
        Ok(task_fn("worker", run))
    };
    rig.run(restarting(factory).unwrap()).await.unwrap();
    assert_eq!(rig.reported("panic "), ["in drop"]);
    let statuses = rig.reported("status ");
    assert!(statuses[0].ends_with("run 1 failed: no broker"), "{statuses:?}");
}
