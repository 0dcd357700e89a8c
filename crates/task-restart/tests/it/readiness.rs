//! Readiness follows the run.

use std::sync::{Arc, Mutex};

use anyhow::bail;
use task_core::{
    Context, Task,
    scope::{Scope, StageCell},
    task_fn,
};
use task_restart::restarting;
use tokio::time::sleep;

use crate::rig::{Rig, ms, secs};

/// Is ready a second after its begin, and fails ten seconds later.
async fn ready_after_a_second(ctx: Context) -> anyhow::Result<()> {
    sleep(secs(1)).await;
    ctx.set_ready(true);
    sleep(secs(10)).await;
    bail!("no broker")
}

#[tokio::test(start_paused = true)]
async fn the_task_is_not_ready_from_the_end_of_a_run_until_the_next_is() {
    let rig = Rig::new();
    let task = restarting(rig.runs(async |ctx, _| ready_after_a_second(ctx).await)).unwrap();
    let check = async {
        sleep(ms(10_999)).await;
        assert!(rig.is_ready());
        sleep(ms(2)).await;
        assert!(!rig.is_ready(), "the run is over");
        while rig.starts().len() < 2 {
            assert!(!rig.is_ready());
            sleep(ms(10)).await;
        }
        sleep(ms(900)).await;
        assert!(!rig.is_ready(), "the second run has not said so yet");
        sleep(ms(200)).await;
        assert!(rig.is_ready());
    };
    tokio::join!(rig.run_for(secs(30), task), check).0.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn readiness_is_kept_through_a_blip_and_not_beyond_it() {
    let rig = Rig::new();
    let factory = rig.runs(async |ctx: Context, run| {
        if run == 2 {
            ctx.set_ready(false); // at its begin, as some tasks do
        }
        if run < 3 {
            ready_after_a_second(ctx).await
        } else {
            ctx.cancelled().await; // never ready again
            Ok(())
        }
    });
    let task = restarting(factory).unwrap().keep_ready_for(secs(5));
    let check = async {
        sleep(secs(2)).await;
        // Down for at most two seconds of back-off and one until it is ready.
        while rig.starts().len() < 3 {
            assert!(rig.is_ready(), "at {}", rig.now());
            sleep(ms(10)).await;
        }
        let ended = rig.starts()[1] + 11_000;
        sleep(ms(ended + 4_990 - rig.now())).await;
        assert!(rig.is_ready());
        sleep(ms(20)).await;
        assert!(!rig.is_ready(), "the third run is not, and the time is over");
    };
    tokio::join!(rig.run_for(secs(90), task), check).0.unwrap();
}

#[tokio::test(start_paused = true)]
async fn readiness_that_is_kept_ends_in_a_long_back_off() {
    let rig = Rig::new();
    let factory = rig.runs(async |ctx: Context, run| {
        if run == 4 {
            ctx.set_ready(true);
        }
        bail!("no broker")
    });
    let task = restarting(factory).unwrap().keep_ready_for(ms(500));
    let check = async {
        while rig.starts().len() < 4 {
            sleep(ms(10)).await;
        }
        let ended = rig.starts()[3];
        sleep(ms(ended + 490 - rig.now())).await;
        assert!(rig.is_ready());
        sleep(ms(20)).await;
        assert!(!rig.is_ready());
        assert_eq!(rig.starts().len(), 4, "it waits four to eight seconds");
    };
    tokio::join!(rig.run_for(secs(20), task), check).0.unwrap();
}

#[tokio::test(start_paused = true)]
async fn of_a_run_that_was_never_ready_no_readiness_is_kept() {
    let rig = Rig::new();
    let factory = rig.runs(async |ctx: Context, run| {
        if run == 2 {
            ctx.set_ready(false); // passed on, and the first word about readiness
        }
        match ctx.or_cancelled(sleep(secs(1))).await {
            Ok(()) => bail!("no broker"),
            Err(_) => Ok(()), // the stop may come in a run
        }
    });
    let task = restarting(factory).unwrap().keep_ready_for(secs(5));
    rig.run_for(secs(30), task).await.unwrap();
    assert!(rig.starts().len() > 3);
    assert_eq!(rig.reported("ready "), ["false"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_says_twice_that_it_is_ready_is_ready() {
    let rig = Rig::new();
    let factory = rig.runs(async |ctx: Context, _| {
        ctx.set_ready(true);
        ctx.set_ready(true);
        ctx.cancelled().await;
        Ok(())
    });
    let check = async {
        sleep(secs(1)).await;
        assert!(rig.is_ready());
    };
    tokio::join!(rig.run_for(secs(2), restarting(factory).unwrap()), check).0.unwrap();
    assert!(!rig.is_ready());
}

/// What stands in the end is right, whenever it changes.
#[tokio::test(start_paused = true)]
async fn readiness_that_changes_while_it_is_passed_on_is_passed_on_again() {
    #[derive(Default)]
    struct Outer {
        stage: StageCell,
        run: Mutex<Option<Context>>,
        passed_on: Mutex<Vec<bool>>,
    }
    impl Scope for Outer {
        fn stage(&self) -> &StageCell {
            &self.stage
        }
        fn set_ready(&self, ready: bool) {
            self.passed_on.lock().unwrap().push(ready);
            let run = self.run.lock().unwrap().take();
            if let Some(run) = run {
                run.set_ready(false);
            }
        }
    }
    let _watched = Rig::new();
    let outer = Arc::new(Outer::default());
    let seen = outer.clone();
    let task = restarting(move || {
        let outer = outer.clone();
        Ok(task_fn("worker", async move |ctx: Context| {
            *outer.run.lock().unwrap() = Some(ctx.clone());
            ctx.set_ready(true);
            Ok(())
        }))
    });
    task.unwrap().run(Context::new(seen.clone())).await.unwrap();
    assert_eq!(*seen.passed_on.lock().unwrap(), [true, false, false]);
}
