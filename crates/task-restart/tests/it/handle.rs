//! Restarts that are asked for.

use std::future::pending;

use anyhow::bail;
use task_core::{Cancelled, Context, Task};
use task_restart::restarting;
use tokio::time::sleep;

use crate::rig::{Rig, ms, secs};

#[tokio::test(start_paused = true)]
async fn a_wanted_restart_ends_the_run_and_begins_another_without_counting_a_failure() {
    let rig = Rig::new();
    let factory = rig.runs(async |ctx: Context, _| {
        ctx.cancelled().await;
        sleep(secs(2)).await; // flushes
        Err(Cancelled.into())
    });
    let task = restarting(factory).unwrap();
    let handle = task.handle();
    let ask = async {
        sleep(secs(1)).await;
        assert!(handle.restart("new certificate"));
        assert!(handle.restart("newer certificate"), "one run for both");
    };
    let (result, ()) = tokio::join!(rig.run_for(secs(60), task), ask);
    result.unwrap_err();
    assert_eq!(rig.starts(), [0, 3000]);
    assert!(rig.reported("count").is_empty());
    assert_eq!(rig.reported("restart").len(), 1);
    let statuses = rig.reported("status ");
    assert_eq!(statuses[0], "run 1 ended for a restart: newer certificate");
    assert!(!handle.restart("too late") && handle.is_ended());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_end_for_a_restart_is_dropped() {
    let rig = Rig::new();
    let factory = rig.runs(async |ctx: Context, run| {
        if run == 1 {
            pending::<()>().await;
        }
        ctx.cancelled().await;
        Ok(())
    });
    let task = restarting(factory).unwrap().run_stop_timeout(secs(3));
    let handle = task.handle();
    let ask = async {
        sleep(secs(1)).await;
        handle.restart("new certificate");
    };
    tokio::join!(rig.run_for(secs(60), task), ask).0.unwrap();
    assert_eq!(rig.starts(), [0, 4000]);
    let statuses = rig.reported("status ");
    assert!(statuses[1].contains("run did not end within 3s for a restart"), "{statuses:?}");
    assert_eq!(rig.reported("count").len(), 1, "it is shown, and no reason to wait");
}

#[tokio::test(start_paused = true)]
async fn a_wanted_restart_ends_a_back_off() {
    let rig = Rig::new();
    let factory = rig.runs(async |ctx: Context, run| {
        if run < 6 {
            bail!("no broker")
        }
        ctx.cancelled().await;
        Ok(())
    });
    let task = restarting(factory).unwrap();
    let handle = task.handle();
    let ask = async {
        // In the fifth wait, of eight to sixteen seconds.
        while rig.starts().len() < 5 {
            sleep(ms(10)).await;
        }
        sleep(ms(100)).await;
        handle.restart("the brokers are back");
        let asked = rig.now();
        sleep(ms(10)).await;
        assert_eq!(*rig.starts().last().unwrap(), asked);
    };
    tokio::join!(rig.run_for(secs(60), task), ask).0.unwrap();
    assert_eq!(rig.starts().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_run_that_ends_for_a_restart_is_not_lost() {
    let rig = Rig::new();
    let factory = rig.runs(async |ctx: Context, run| {
        ctx.cancelled().await;
        if run == 1 { bail!("not flushed") } else { Ok(()) }
    });
    let task = restarting(factory).unwrap().record_failures();
    let handle = task.handle();
    let ask = async {
        sleep(secs(1)).await;
        handle.restart("new certificate");
    };
    tokio::join!(rig.run_for(secs(60), task), ask).0.unwrap();
    assert_eq!(
        (rig.starts(), rig.reported("failure ")),
        (vec![0, 1000], vec!["not flushed".into()])
    );
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_was_asked_for_before_the_first_run_replaces_its_task() {
    let rig = Rig::new();
    let factory = rig.runs(async |ctx: Context, _| {
        ctx.cancelled().await;
        Ok(())
    });
    let task = restarting(factory).unwrap();
    assert!(task.handle().restart("made with an old configuration"));
    rig.run_for(secs(5), task).await.unwrap();
    assert_eq!(rig.starts(), [0, 0]);
}

/// A run that asks for the next one at once must leave the thread to others.
#[tokio::test(start_paused = true)]
async fn restarts_without_end_do_not_starve_other_tasks() {
    let rig = Rig::new();
    let handle = std::sync::Arc::new(std::sync::OnceLock::<task_restart::RestartHandle>::new());
    let again = handle.clone();
    let factory = rig.runs(move |ctx: Context, _| {
        let again = again.clone();
        async move {
            again.get().unwrap().restart("again");
            ctx.cancelled().await;
            Ok(())
        }
    });
    let task = restarting(factory).unwrap();
    handle.set(task.handle()).unwrap();
    let stop = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        rig.cancel();
    };
    tokio::join!(rig.run(task.boxed()), stop).0.unwrap();
    assert!(rig.starts().len() > 10, "{}", rig.starts().len());
}
