//! When the task is run again, and what one run sees of another.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::bail;
use task_core::{Backoff, Cancelled, Context, Phase, Task, Timeout, task_fn};
use task_restart::{Restart, restarting};
use tokio::time::sleep;

use crate::rig::{Rig, ms, secs};

#[tokio::test(start_paused = true)]
async fn a_failed_run_is_followed_by_another_until_one_completes() {
    let rig = Rig::new();
    let factory = rig.runs(async |_, run| if run < 3 { bail!("no broker") } else { Ok(()) });
    rig.run(restarting(factory).unwrap()).await.unwrap();
    assert_eq!(rig.starts().len(), 3);
    assert_eq!((rig.reported("restart").len(), rig.reported("count").len()), (2, 2));
    assert!(rig.reported("failure").is_empty(), "the report stays clean");
}

#[tokio::test(start_paused = true)]
async fn waits_double_up_to_the_longest_and_are_half_random() {
    let rig = Rig::new();
    let task = restarting(rig.runs(async |_, _| bail!("no broker"))).unwrap();
    rig.run_for(secs(100), task.backoff(Backoff::new(secs(1), secs(8)).unwrap()).seed(1))
        .await
        .unwrap();
    let starts = rig.starts();
    let waits = starts.windows(2).map(|pair| pair[1] - pair[0]);
    for (wait, whole) in waits.zip([1000, 2000, 4000, 8000, 8000, 8000]) {
        assert!((whole / 2..=whole + 1).contains(&wait), "{wait} of {whole}: {starts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_up_for_long_enough_starts_the_back_off_over() {
    let rig = Rig::new();
    let factory = rig.runs(async |ctx: Context, run| {
        ctx.or_cancelled(sleep(if run == 5 { secs(60) } else { ms(59_999) })).await?;
        bail!("no broker")
    });
    rig.run_for(secs(600), restarting(factory).unwrap()).await.unwrap_err();
    let starts = rig.starts();
    let waits: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0] - 59_999).collect();
    assert!(waits[3] >= 4000, "the fourth failure in a row: {waits:?}");
    assert!(waits[4] <= 1002, "the first after a minute: {waits:?}");
    assert!((1000..=2002).contains(&waits[5]), "{waits:?}");
}

/// A run that says that it is ready is not well for that.
#[tokio::test(start_paused = true)]
async fn a_run_that_was_ready_for_a_moment_does_not_start_the_back_off_over() {
    let rig = Rig::new();
    let factory = rig.runs(async |ctx: Context, _| {
        ctx.set_ready(true);
        bail!("no broker")
    });
    rig.run_for(secs(30), restarting(factory).unwrap()).await.unwrap();
    assert!(rig.starts().len() < 8, "{:?}", rig.starts());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_completes_at_once_and_always_runs_again_does_not_spin() {
    let rig = Rig::new();
    let task = restarting(rig.runs(async |_, _| Ok(()))).unwrap().on(Restart::Always);
    rig.run_for(secs(100), task).await.unwrap();
    let runs = rig.starts().len();
    assert!((100..=201).contains(&runs), "{runs} runs in 100 s of half to one second each");
    assert!(rig.reported("count").is_empty(), "to complete is no failure");
    let statuses = rig.reported("status ");
    assert!(
        statuses[0].starts_with("waits ") && statuses[0].ends_with("for run 2; run 1 completed")
    );
    assert_eq!(rig.reported("restart").len(), runs - 1);
}

#[tokio::test(start_paused = true)]
async fn cancelled_is_a_failure_where_nobody_asked() {
    let rig = Rig::new();
    let factory = rig.runs(async |_, run| if run == 1 { Err(Cancelled.into()) } else { Ok(()) });
    rig.run(restarting(factory).unwrap()).await.unwrap();
    assert_eq!((rig.starts().len(), rig.reported("count").len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_factory_captures_is_kept_from_run_to_run() {
    let rig = Rig::new();
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    for message in 1..=4 {
        sender.send(message).unwrap();
    }
    drop(sender);
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let taken = seen.clone();
    let factory = move || {
        let (receiver, seen) = (receiver.clone(), seen.clone());
        Ok(task_fn("reader", async move |_| {
            let mut receiver = receiver.lock().await;
            while let Some(message) = receiver.recv().await {
                seen.lock().unwrap().push(message);
                anyhow::ensure!(message != 2, "a bad message");
            }
            Ok(())
        }))
    };
    rig.run(restarting(factory).unwrap()).await.unwrap();
    assert_eq!(*taken.lock().unwrap(), [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_helper_of_a_run_that_is_over_has_no_say_in_the_next() {
    let rig = Rig::new();
    let old = Arc::new(Mutex::new(None));
    let kept = old.clone();
    let factory = rig.runs(move |ctx: Context, run| {
        let kept = kept.clone();
        async move {
            if run == 1 {
                *kept.lock().unwrap() = Some(ctx);
                bail!("no broker")
            }
            ctx.cancelled().await;
            Ok(())
        }
    });
    let task = restarting(factory).unwrap();
    let check = async {
        sleep(secs(5)).await;
        let old = old.lock().unwrap().take().unwrap();
        assert!(old.is_cancelled(), "its run is over");
        rig.calls();
        old.set_ready(true);
        old.set_status("from the grave");
        drop(old.hold());
        assert_eq!(rig.calls(), Vec::<String>::new());
        old.record_failure(anyhow::anyhow!("late"));
        assert_eq!(rig.calls(), ["count"], "it is logged, and is a failure that was survived");
        rig.cancel();
    };
    tokio::join!(rig.run(task.boxed()), check).0.unwrap();
    assert_eq!(rig.scope.holds(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_first_task_is_made_at_construction_and_gives_the_properties() {
    struct Made(u32);
    impl Task for Made {
        fn name(&self) -> std::borrow::Cow<'static, str> {
            format!("made-{}", self.0).into()
        }
        fn phase(&self) -> Phase {
            Phase::SUPPORT
        }
        fn gates_readiness(&self) -> bool {
            true
        }
        fn stop_timeout(&self) -> Timeout {
            secs(3).into()
        }
        async fn run(self, _: Context) -> anyhow::Result<()> {
            anyhow::ensure!(self.0 == 3, "made as {}", self.0);
            Ok(())
        }
    }
    let made = Arc::new(AtomicUsize::new(0));
    let count = made.clone();
    let task = restarting(move || Ok(Made(1 + count.fetch_add(1, Ordering::SeqCst) as u32)));
    let task = task.unwrap();
    assert_eq!(made.load(Ordering::SeqCst), 1);
    assert_eq!((task.name(), task.phase()), ("made-1".into(), Phase::SUPPORT));
    assert_eq!((task.gates_readiness(), task.stop_timeout()), (true, secs(3).into()));
    Rig::new().run(task.boxed()).await.unwrap();
    assert_eq!(made.load(Ordering::SeqCst), 3);

    let plain = restarting(|| Ok(task_fn("plain", async |_| Ok(())))).unwrap();
    assert!(!plain.gates_readiness());

    let error = restarting(|| -> anyhow::Result<Made> { bail!("no such topic") }).unwrap_err();
    assert_eq!(error.to_string(), "no such topic");
}

#[tokio::test(start_paused = true)]
async fn a_factory_that_fails_later_is_a_failed_run() {
    let rig = Rig::new();
    let mut made = 0;
    let mut inner = rig.runs(async |_, run| if run < 2 { bail!("no broker") } else { Ok(()) });
    let factory = move || {
        made += 1;
        if made == 2 { Err(anyhow::anyhow!("no file")) } else { inner() }
    };
    rig.run(restarting(factory).unwrap()).await.unwrap();
    let statuses = rig.reported("status ");
    assert!(statuses[0].ends_with("for run 2; run 1 failed: no broker"), "{statuses:?}");
    assert!(statuses[2].ends_with("for run 3; run 2 failed: no file"), "{statuses:?}");
    assert!(statuses[0].starts_with("waits "), "{statuses:?}");
    assert_eq!((&*statuses[1], rig.reported("restart").len()), ("", 2));
    let waits = rig.reported("wait ");
    assert_eq!(waits.len(), 4, "{waits:?}");
    assert_eq!((&*waits[1], &*waits[3]), ("None", "None"));
}

#[tokio::test(start_paused = true)]
async fn each_instance_is_admitted_with_the_context_of_its_run() {
    struct Admitted(Rig, Option<Context>);
    impl Task for Admitted {
        fn admitted(&mut self, ctx: &Context) {
            self.1 = Some(ctx.clone());
            self.0.mark();
        }
        async fn run(self, ctx: Context) -> anyhow::Result<()> {
            let admitted = self.1.unwrap();
            ctx.set_ready(true);
            admitted.set_ready(false); // the same run
            anyhow::ensure!(self.0.starts().len() > 2, "again");
            Ok(())
        }
    }
    let rig = Rig::new();
    let made = rig.clone();
    let mut task = restarting(move || Ok(Admitted(made.clone(), None))).unwrap();
    task.admitted(&rig.ctx());
    assert_eq!((rig.starts().len(), rig.scope.holds()), (1, 1));
    rig.run(task).await.unwrap();
    assert_eq!(rig.starts().len(), 3);
    assert!(!rig.is_ready());
    assert_eq!(rig.scope.holds(), 0);
}
