//! Stops, failures and panics, in each state.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use anyhow::bail;
use task_core::{Context, Task};
use task_leader::{MemoryFault, MemoryLock, Record, leading};
use task_testkit::TestScope;
use tokio::time::sleep;

use crate::rig::{Marks, Replica, ms, secs, worker};

fn is_released(lock: &MemoryLock) -> bool {
    lock.record().is_some_and(|record| record.holder.is_none())
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_is_stopped_runs_nothing_and_ends_at_once() {
    let (lock, marks) = (MemoryLock::new(), Marks::new());
    let _one = Replica::run(worker("one", &lock, &marks, ms(0)));
    sleep(secs(1)).await;
    let two = Replica::run(worker("two", &lock, &marks, ms(0)));
    sleep(secs(7)).await;
    two.scope.cancel();
    sleep(ms(1)).await;
    two.running.await.unwrap().unwrap();
    assert_eq!(marks.texts(), ["one begins 1"]);
}

#[tokio::test(start_paused = true)]
async fn from_the_drain_on_no_term_begins_and_the_task_ends_at_the_stop() {
    let (lock, marks) = (MemoryLock::new(), Marks::new());
    let one = Replica::run(worker("one", &lock, &marks, ms(0)));
    sleep(secs(1)).await;
    let two = Replica::run(worker("two", &lock, &marks, ms(0)));
    sleep(secs(1)).await;
    two.scope.drain();
    one.scope.cancel();
    sleep(secs(60)).await;
    assert!(one.running.is_finished() && !two.running.is_finished());
    assert!(is_released(&lock));
    two.scope.cancel();
    two.running.await.unwrap().unwrap();
    assert_eq!(marks.texts(), ["one begins 1", "one ends 1", "one is gone 1"]);
}

/// A campaign that is under way at the stop is released, and nobody has seen it.
#[tokio::test(start_paused = true)]
async fn a_campaign_whose_answer_comes_after_the_stop_is_released() {
    let (lock, marks) = (MemoryLock::new(), Marks::new());
    let released = Record { holder: None, term: 7, renewals: 0, lease: secs(15) };
    lock.set_record(Some(released));
    let access = lock.replica();
    let task = leading("purge", access.clone(), async |_, _| bail!("never called"));
    let one = Replica::run(task);
    // It has read the release, and writes within 100 ms, which is applied and not answered.
    tokio::task::yield_now().await;
    access.set_fault(Some(MemoryFault::LosesAnswers));
    sleep(ms(200)).await;
    assert_eq!(lock.record().unwrap().term, 8);
    one.scope.cancel();
    access.set_fault(None);
    sleep(secs(3)).await;
    one.running.await.unwrap().unwrap();
    assert!(is_released(&lock));
    drop(marks);
}

#[tokio::test(start_paused = true)]
async fn an_inner_task_that_ends_fails_or_panics_releases_and_ends_the_task_like_it() {
    for (text, result) in [("ok", Ok(())), ("bad", Err("bad"))] {
        let lock = MemoryLock::new();
        let task = leading("purge", lock.clone(), move |_, _| async move {
            sleep(secs(5)).await;
            result.map_err(anyhow::Error::msg)
        });
        let scope = TestScope::new("purge");
        let ended = task.run(scope.context()).await;
        assert_eq!(ended.map_or_else(|error| error.to_string(), |()| "ok".into()), text);
        assert!(is_released(&lock));
    }
    let lock = MemoryLock::new();
    let task = leading("purge", lock.clone(), async |_, _| {
        sleep(secs(5)).await;
        std::panic::resume_unwind(Box::new("panicked"))
    });
    let scope = TestScope::new("purge");
    let ended = tokio::spawn(task.run(scope.context())).await;
    assert!(ended.unwrap_err().is_panic());
    assert!(is_released(&lock));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_task_drops_the_inner_one_and_lets_the_lease_run_out() {
    let (lock, marks) = (MemoryLock::new(), Marks::new());
    let one = Replica::run(worker("one", &lock, &marks, ms(0)));
    sleep(secs(1)).await;
    one.running.abort();
    sleep(ms(1)).await;
    assert_eq!(marks.texts(), ["one begins 1", "one is gone 1"]);
    assert!(!is_released(&lock) && one.handle.is_ended() && !one.handle.is_leader());
}

/// A stop at any instant of a busy minute leaves nothing held, and runs nothing afterwards.
#[tokio::test(start_paused = true)]
async fn a_stop_at_any_instant_leaves_the_lease_released() {
    for at in 0..300 {
        let lock = MemoryLock::new();
        let alive = std::sync::Arc::new(AtomicUsize::new(0));
        let seen = alive.clone();
        let access = lock.replica();
        let one = Replica::run(leading("purge", access.clone(), move |_, ctx: Context| {
            let alive = seen.clone();
            async move {
                alive.fetch_add(1, SeqCst);
                ctx.cancelled().await;
                sleep(ms(700)).await;
                alive.fetch_sub(1, SeqCst);
                Ok(())
            }
        }));
        sleep(ms(at * 37)).await;
        match at % 4 {
            0 => access.set_fault(Some(MemoryFault::Hangs)),
            1 => access.set_fault(Some(MemoryFault::LosesAnswers)),
            2 => drop(one.handle.step_down("test")),
            _ => {}
        }
        sleep(ms(at * 13 % 900)).await;
        one.scope.cancel();
        access.set_fault(None);
        sleep(secs(8)).await;
        assert!(one.running.is_finished(), "{at}");
        one.running.await.unwrap().unwrap();
        assert_eq!(alive.load(SeqCst), 0);
        assert!(lock.record().is_none() || is_released(&lock), "{at}");
    }
}
