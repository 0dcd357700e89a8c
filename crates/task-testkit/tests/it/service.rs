//! Whole services that are stopped whenever they are at rest, at instants of real time, or with
//! their workers blocked.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::Duration,
};

use task_core::{Context, Outcome, Task, blocking_task, scope::panic_text, task_fn};
use task_manager::Manager;
use task_testkit::{
    ReportAssertions as _, assert_stops_within, chaos, stop_everywhere, with_blocked_workers,
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The message of a panic.
fn message(body: impl FnOnce()) -> String {
    panic_text(&*catch_unwind(AssertUnwindSafe(body)).unwrap_err()).to_owned()
}

async fn correct(manager: &Manager) -> anyhow::Result<()> {
    sleep(secs(1)).await; // connects
    manager.cleanup("database", async || {
        sleep(secs(1)).await;
        Ok(())
    })?;
    for name in ["one", "two"] {
        manager.run(chaos::slow_stop(secs(2)).named(name))?;
        sleep(secs(1)).await;
    }
    manager.run_ephemeral(chaos::ends_after(secs(10)))?;
    Ok(())
}

#[test]
fn a_service_that_stops_from_every_point_passes() {
    let setups = Cell::new(0);
    let sweep = assert_stops_within(secs(5), async |manager| {
        setups.set(setups.get() + 1);
        correct(manager).await
    });
    // The setup rests three times, the service until the job ends and then to the end; the clock
    // takes a long wait in several steps.
    assert!(sweep.points() >= 6 && sweep.tested() == sweep.points(), "{sweep}");
    assert!(sweep.is_deterministic(), "{sweep}");
    // Point 0 is before the setup, which is not called then.
    assert_eq!(setups.get(), 2 + sweep.tested() - 1);
}

#[test]
fn a_stop_that_takes_longer_than_the_budget_is_found_with_the_task() {
    let text = message(|| {
        assert_stops_within(secs(2), correct);
    });
    assert!(text.starts_with("service `service`, stopped at "), "{text}");
    assert!(text.contains("it took 3 s of 2 s to stop; task `one` took 2 s"), "{text}");
}

#[test]
fn a_task_that_loses_what_it_holds_at_a_stop_is_found_where_it_does() {
    let sweep = stop_everywhere(async |manager: &Manager| {
        manager.run(task_fn("batcher", async |ctx: Context| {
            for batch in 0.. {
                ctx.or_cancelled(sleep(secs(7))).await?;
                sleep(secs(1)).await; // works
                anyhow::ensure!(batch != 2 || !ctx.is_cancelled(), "batch {batch} is lost");
            }
            Ok(())
        }))?;
        Ok(())
    })
    .run();
    // Its third batch is at work from 23 to 24 s.
    assert!(!sweep.findings().is_empty() && sweep.points() >= 7, "{sweep}");
    for finding in sweep.findings() {
        assert!((23..24).contains(&finding.at.as_secs()), "{sweep}");
        assert_eq!(finding.what, "task `batcher` failed: batch 2 is lost");
    }
}

#[test]
fn a_setup_that_fails_is_found_and_one_that_is_interrupted_is_not() {
    let sweep = stop_everywhere(async |_: &Manager| {
        sleep(secs(1)).await;
        anyhow::bail!("no database")
    })
    .run();
    assert!(sweep.to_string().contains("the setup failed: no database"), "{sweep}");
    // Stopped in its second, the setup is dropped and does not fail.
    let points: Vec<_> = sweep.findings().iter().map(|finding| finding.point).collect();
    assert!(!points.contains(&Some(1)), "{sweep}");
}

#[test]
fn a_cleanup_that_fails_or_hangs_is_found() {
    let sweep = stop_everywhere(async |manager: &Manager| {
        manager.cleanup("pool", async || anyhow::bail!("no pool"))?;
        manager.cleanup("spool", async || std::future::pending().await)?;
        manager.run(chaos::never_ready())?;
        Ok(())
    })
    .max_findings(1)
    .run();
    let text = sweep.to_string();
    assert!(text.contains("cleanup `pool` failed: no pool"), "{text}");
    assert!(text.contains("cleanup `spool` "), "{text}");
}

#[test]
fn the_settings_of_the_manager_are_the_services_own() {
    let sweep = stop_everywhere(async |manager: &Manager| {
        manager.run(chaos::slow_stop(secs(3)).named("slow"))?;
        Ok(())
    })
    .manager(|manager| manager.name("shop").shutdown_timeout(secs(2)))
    .lives_for(secs(1))
    .max_findings(1)
    .run();
    let text = sweep.to_string();
    assert!(text.starts_with("service `shop`, stopped at 0 of "), "{text}");
    assert!(text.contains("stopped at its end, at 1 s: task `slow` "), "{text}");
}

#[test]
fn threads_have_the_real_time_that_is_set() {
    let setup = async |manager: &Manager| {
        manager.run(blocking_task("purge", |ctx: Context| {
            while !ctx.wait_cancelled(secs(60)) {}
            thread::sleep(ms(20)); // some last work
            Ok(())
        }))?;
        Ok(())
    };
    let sweep = || stop_everywhere(setup).max_findings(1);
    assert!(sweep().run().to_string().contains("task `purge`"));
    sweep().real_time_for_threads(secs(10)).check();
}

#[test]
fn nothing_of_a_life_is_left_in_the_next() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let lives = AtomicUsize::new(0);
    stop_everywhere(async |manager: &Manager| {
        let life = lives.fetch_add(1, SeqCst);
        let log = log.clone();
        manager.cleanup("log", async move || {
            log.lock().unwrap().push(life);
            Ok(())
        })?;
        manager.run(chaos::never_ready())?;
        Ok(())
    })
    .check();
    let log = log.lock().unwrap();
    assert!(log.iter().copied().eq(0..lives.load(SeqCst)), "{log:?}");
    assert!(log.len() >= 3, "{log:?}");
}

#[test]
fn a_wait_returns_in_time_though_every_worker_is_blocked() {
    let report = with_blocked_workers(secs(1), async |manager| {
        manager.run(chaos::slow_stop(ms(10)).named("worker"))?;
        Ok(())
    });
    report.assert_stuck(&["worker"]).assert_outcome("worker", Outcome::Abandoned);
}

#[test]
fn workers_that_the_service_blocks_itself_are_named_as_the_reason() {
    let (_release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let text = message(|| {
        with_blocked_workers(secs(1), async |manager| {
            let released = released.clone();
            manager.run(task_fn("busy", async move |_| {
                let _ = released.lock().unwrap().recv();
                Ok(())
            }))?;
            // Until it has a worker for itself.
            sleep(ms(50)).await;
            Ok(())
        });
    });
    assert_eq!(text, "the workers of the service are blocked already");
}

/// A peer in another thread, which answers after a while of real time.
fn peer() -> mpsc::Sender<oneshot::Sender<()>> {
    let (requests, received) = mpsc::channel::<oneshot::Sender<()>>();
    thread::spawn(move || {
        for answer in received {
            thread::sleep(ms(20));
            let _ = answer.send(());
        }
    });
    requests
}

/// A service whose client asks its peer all the time. A request whose answer it does not read is
/// lost; `loses` reads them within `or_cancelled`.
async fn with_a_peer(manager: &Manager, loses: bool) -> anyhow::Result<()> {
    let unread = Arc::new(AtomicUsize::new(0));
    manager.cleanup("requests", {
        let unread = unread.clone();
        async move || {
            anyhow::ensure!(unread.load(SeqCst) == 0, "an answer is lost");
            Ok(())
        }
    })?;
    let requests = peer();
    timeout(secs(20), ask(&requests)).await??; // connects
    manager.run(task_fn("client", async move |ctx: Context| {
        while !ctx.is_cancelled() {
            unread.fetch_add(1, SeqCst);
            let asking = timeout(secs(20), ask(&requests));
            if loses {
                ctx.or_cancelled(asking).await???;
            } else {
                asking.await??;
            }
            unread.fetch_sub(1, SeqCst);
        }
        Ok(())
    }))?;
    Ok(())
}

async fn ask(peer: &mpsc::Sender<oneshot::Sender<()>>) -> anyhow::Result<()> {
    let (answer, answered) = oneshot::channel();
    peer.send(answer)?;
    Ok(answered.await?)
}

#[test]
fn in_real_time_a_service_that_stops_from_every_instant_passes() {
    let setups = Cell::new(0);
    let sweep = stop_everywhere(async |manager: &Manager| {
        setups.set(setups.get() + 1);
        with_a_peer(manager, false).await
    })
    .in_real_time(4, ms(400))
    .check();
    // A stop may come before the setup is called.
    assert!(sweep.points() == 4 && sweep.tested() == 4 && setups.get() <= 4, "{sweep}");
    assert!(sweep.is_deterministic(), "{sweep}");
    // What a paused clock cannot run: it leaps over the answer.
    let sweep = stop_everywhere(async |manager: &Manager| with_a_peer(manager, false).await).run();
    assert!(sweep.to_string().contains("the setup failed"), "{sweep}");
}

#[test]
fn in_real_time_a_task_that_loses_what_it_waits_for_is_found_with_the_instants() {
    let sweep = stop_everywhere(async |manager: &Manager| with_a_peer(manager, true).await)
        .in_real_time(3, ms(60))
        .once_ready_within(secs(30))
        .seed(7)
        .run();
    let text = sweep.to_string();
    assert!(text.starts_with("service `service`, stopped at 3 of 3 points (seed 7): "), "{text}");
    assert!(text.contains("\n  the points are instants of real time: 0.0"), "{text}");
    // It waits nearly always.
    assert!(!sweep.findings().is_empty(), "{text}");
    for finding in sweep.findings() {
        assert_eq!(finding.what, "cleanup `requests` failed: an answer is lost");
        // The first answer comes before it is ready.
        assert!(finding.at >= ms(20), "{text}");
    }
}

#[test]
fn in_real_time_the_budget_and_the_readiness_are_checked() {
    let sweep = stop_everywhere(async |manager: &Manager| {
        manager.run(chaos::slow_stop(ms(300)).named("slow"))?;
        manager.run(chaos::never_ready())?;
        Ok(())
    })
    .in_real_time(9, ms(1))
    .once_ready_within(ms(50))
    .within(ms(100))
    .max_findings(2)
    .run();
    let text = sweep.to_string();
    assert!(sweep.tested() == 1 && sweep.findings().len() == 2, "{text}");
    assert!(text.contains("it was not ready within 0.05 s"), "{text}");
    assert!(text.contains("of 0.1 s to stop; task `slow` took "), "{text}");
    assert!(sweep.findings()[0].at >= ms(50), "{text}");
}

#[test]
fn in_real_time_a_life_that_ends_or_fails_before_its_instant_is_said() {
    let ends = stop_everywhere(async |manager: &Manager| {
        manager.run_ephemeral(chaos::ends_after(ms(1)))?;
        Ok(())
    })
    .in_real_time(1, secs(3600))
    .run();
    assert!(ends.findings().is_empty() && !ends.is_deterministic(), "{ends}");
    assert!(ends.to_string().ends_with("\n  1 runs ended before their point"), "{ends}");
    let fails = stop_everywhere(async |_: &Manager| anyhow::bail!("no database"))
        .in_real_time(1, secs(3600))
        .once_ready_within(secs(3600))
        .run();
    assert!(fails.to_string().contains("the setup failed: no database"), "{fails}");
    assert!(!fails.is_deterministic(), "{fails}");
}
