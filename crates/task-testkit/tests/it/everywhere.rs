//! What a sweep does beside finding bugs: its points, its settings, its text.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Duration,
};

use task_core::{Context, Task, blocking_task, scope::panic_text, task_fn};
use task_testkit::{cancel_everywhere, chaos, drop_everywhere};
use tokio::{task::yield_now, time::sleep};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Awaits so many times, then fails if it was cancelled at the await of this number.
fn fails_where_cancelled_at(awaits: usize, bad: usize) -> impl Task {
    task_fn("sweeper", async move |ctx: Context| {
        for nth in 1..=awaits {
            ctx.set_status(format!("await {nth}"));
            let was_cancelled = ctx.is_cancelled();
            sleep(ms(10)).await;
            anyhow::ensure!(nth != bad || was_cancelled || !ctx.is_cancelled(), "cut at {nth}");
        }
        Ok(())
    })
}

/// The message of a panic.
fn message(body: impl FnOnce()) -> String {
    panic_text(&*catch_unwind(AssertUnwindSafe(body)).unwrap_err()).to_owned()
}

#[test]
fn each_await_is_a_point_and_so_is_the_time_before_the_first_poll() {
    let sweep =
        cancel_everywhere(async || ((), fails_where_cancelled_at(10, 7))).run(async |()| {});
    assert_eq!((sweep.points(), sweep.tested()), (11, 11));
    let [finding] = sweep.findings() else { panic!("{sweep}") };
    assert_eq!((finding.point, finding.at), (Some(7), ms(60)));
    assert_eq!(
        sweep.to_string(),
        "task `sweeper`, cancelled at 11 of 11 points: 1 found\n  \
         point 7 at 0.06 s (status `await 7`): failed: cut at 7",
    );
}

#[test]
fn a_sweep_that_is_not_clean_panics_with_its_text() {
    let text = message(|| {
        let sweep = cancel_everywhere(async || ((), fails_where_cancelled_at(3, 2)));
        sweep.check(async |()| {});
    });
    assert!(text.contains("point 2 at 0.01 s (status `await 2`): failed: cut at 2"), "{text}");
}

#[test]
fn a_thousand_points_of_a_task_with_ten_awaits_are_tested() {
    let mut points = 0;
    while points < 1000 {
        let build = async || ((), fails_where_cancelled_at(10, 0));
        points += cancel_everywhere(build).check(async |()| {}).tested();
    }
    assert_eq!(points, 91 * 11);
}

#[test]
fn of_many_points_some_are_tested() {
    let sweep = cancel_everywhere(async || ((), fails_where_cancelled_at(300, 300)))
        .max_points(80)
        .seed(7)
        .run(async |()| {});
    assert_eq!((sweep.points(), sweep.tested()), (301, 80));
    // The last point is always one of them.
    assert_eq!(sweep.findings()[0].point, Some(300));
    assert!(sweep.to_string().contains("at 80 of 301 points (seed 7): 1 found"), "{sweep}");
}

#[test]
fn a_sweep_stops_after_as_many_findings_as_it_may_have() {
    let sweep = cancel_everywhere(async || ((), chaos::hang())).max_findings(1).run(async |()| {});
    assert_eq!(sweep.findings().len(), 1);
    assert!(sweep.to_string().contains("1 found, and not tested any further"), "{sweep}");
}

#[test]
fn a_task_that_is_not_deterministic_is_reported_and_not_failed() {
    let lives = Cell::new(0);
    let sweep = cancel_everywhere(async || {
        lives.set(lives.get() + 1);
        ((), fails_where_cancelled_at(4 - lives.get() % 2, 0))
    })
    .check(async |()| {});
    assert!(!sweep.is_deterministic());
    let text = sweep.to_string();
    assert!(text.contains("it is not deterministic: 4 points, then 5"), "{text}");
}

#[test]
fn a_task_that_lives_until_it_is_stopped_is_cancelled_at_the_end_of_its_life() {
    let flap = || chaos::flaps_ready(secs(10));
    let sweep = cancel_everywhere(async || ((), flap())).lives_for(secs(35)).check(async |()| {});
    // At 0, 10, 20 and 30 s, and before the first poll.
    assert_eq!(sweep.points(), 5);
    let failing = cancel_everywhere(async || ((), chaos::slow_stop(secs(9)))).run(async |()| {});
    let text = failing.to_string();
    assert!(text.contains("stopped at its end, at 60 s: alive 5 s after the stop"), "{text}");
}

#[test]
fn the_last_awaits_of_a_task_that_was_cancelled_are_points_of_a_drop() {
    let task = || chaos::slow_stop(ms(1));
    assert_eq!(cancel_everywhere(async || ((), task())).check(async |()| {}).points(), 2);
    assert_eq!(drop_everywhere(async || ((), task())).check(async |()| {}).points(), 3);
}

#[test]
fn a_task_that_ends_at_the_very_limit_is_in_time() {
    let sweep = |time| {
        cancel_everywhere(async || ((), chaos::slow_stop(time)))
            .ends_within(secs(3))
            .run(async |()| {})
    };
    assert!(sweep(secs(3)).findings().is_empty());
    assert!(!sweep(ms(3002)).findings().is_empty());
}

#[test]
fn a_task_may_drain_before_it_is_cancelled() {
    let build = async || {
        let task = task_fn("server", async |ctx: Context| {
            ctx.draining().await;
            anyhow::ensure!(!ctx.is_cancelled(), "no drain");
            sleep(secs(2)).await;
            anyhow::ensure!(!ctx.is_cancelled(), "a short drain");
            ctx.cancelled().await;
            Ok(())
        });
        ((), task)
    };
    let without = cancel_everywhere(build).run(async |()| {});
    assert!(without.to_string().contains("failed: no drain"), "{without}");
    let short = cancel_everywhere(build).drains_for(secs(1)).run(async |()| {});
    assert!(short.to_string().contains("point 1 at 0 s: failed: a short drain"), "{short}");
    let long = cancel_everywhere(build).drains_for(secs(3)).run(async |()| {});
    // The run to the end of the life is not stopped at a point, and has no drain.
    assert!(long.findings().iter().all(|finding| finding.point.is_none()), "{long}");
}

#[test]
fn a_context_counts_the_time_down_or_says_what_it_is_set_to() {
    let build = async || {
        let task = task_fn("flusher", async |ctx: Context| {
            ctx.cancelled().await;
            sleep(secs(1)).await;
            let left = ctx.remaining().unwrap();
            anyhow::ensure!(left.is_zero(), "{} s left", left.as_secs());
            Ok(())
        });
        ((), task)
    };
    let sweep = cancel_everywhere(build).run(async |()| {});
    assert!(sweep.to_string().contains("failed: 4 s left"), "{sweep}");
    cancel_everywhere(build).remaining(Duration::ZERO).check(async |()| {});
}

#[test]
fn a_poll_that_blocks_is_found_and_a_busy_machine_is_not() {
    let blocked = |blocks: fn(u32) -> bool| {
        let lives = Cell::new(0);
        cancel_everywhere(async || {
            lives.set(lives.get() + 1);
            let blocks = blocks(lives.get());
            let task = task_fn("hasher", async move |_: Context| {
                if blocks {
                    thread::sleep(ms(300));
                }
                Ok(())
            });
            ((), task)
        })
        .max_findings(1)
        .run(async |()| {})
    };
    let always = blocked(|_| true).to_string();
    assert!(always.contains("a poll blocked its thread for 3"), "{always}");
    let once = blocked(|life| life == 1);
    assert!(once.findings().is_empty(), "{once}");
}

#[test]
fn tasks_that_are_left_behind_are_found_where_that_is_asked_for() {
    let build = async || {
        let task = task_fn("parent", async |ctx: Context| {
            tokio::spawn(std::future::pending::<()>());
            ctx.cancelled().await;
            Ok(())
        });
        ((), task)
    };
    cancel_everywhere(build).check(async |()| {});
    let sweep = cancel_everywhere(build).leaves_no_tasks().run(async |()| {});
    assert!(sweep.to_string().contains("spawned tasks that it left behind: 1"), "{sweep}");
    let clean = async || {
        let task = task_fn("parent", async |ctx: Context| {
            let helper = tokio::spawn(std::future::pending::<()>());
            ctx.cancelled().await;
            helper.abort();
            Ok(())
        });
        // What the world spawned before is not the task's.
        (tokio::spawn(std::future::pending::<()>()), task)
    };
    cancel_everywhere(clean).leaves_no_tasks().check(async |_| {});
}

#[test]
fn a_thread_of_a_task_has_real_time_to_end() {
    let build = async || {
        let task = blocking_task("purge", |ctx: Context| {
            while !ctx.wait_cancelled(secs(60)) {}
            thread::sleep(ms(20)); // some last work
            Ok(())
        });
        ((), task)
    };
    cancel_everywhere(build).check(async |()| {});
    drop_everywhere(build).check(async |()| {});
}

#[test]
fn a_hold_that_is_leaked_is_found() {
    let sweep =
        cancel_everywhere(async || ((), chaos::leaks_hold())).max_findings(1).run(async |()| {});
    assert!(sweep.to_string().contains("it ended, and a hold of it did not"), "{sweep}");
}

#[test]
fn a_check_may_wait_and_one_that_never_ends_is_a_finding() {
    let sweep = |wait| {
        cancel_everywhere(async || ((), chaos::ends_after(secs(1))))
            .max_findings(1)
            .run(async |()| sleep(wait).await)
    };
    assert!(sweep(secs(3000)).findings().is_empty());
    let text = sweep(secs(4000)).to_string();
    assert!(text.contains("the check failed: the check did not end within 3600 s"), "{text}");
}

#[test]
fn a_failure_of_the_task_by_itself_is_found() {
    let build = async || ((), chaos::fails_after(secs(1)));
    let text = cancel_everywhere(build).run(async |()| {}).to_string();
    assert!(text.contains("stopped at its end, at 1 s: failed: chaos: failed"), "{text}");
}

#[test]
fn a_task_that_never_waits_is_cancelled_after_many_polls() {
    let sweep = cancel_everywhere(async || ((), chaos::spins())).max_points(3).check(async |()| {});
    assert_eq!((sweep.points(), sweep.tested()), (100_001, 3));
}

#[test]
fn a_sweep_within_a_runtime_is_refused_with_the_reason() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let text = runtime.block_on(async {
        message(|| {
            cancel_everywhere(async || ((), chaos::hang())).check(async |()| {});
        })
    });
    assert!(text.contains("call it from a plain `#[test]`, not within a runtime"), "{text}");
}

#[test]
fn the_world_is_fresh_at_each_point() {
    cancel_everywhere(async || {
        let mut polls = 0;
        let task = task_fn("counter", async move |ctx: Context| {
            while !ctx.is_cancelled() {
                polls += 1;
                anyhow::ensure!(polls <= 3, "an old world");
                if polls == 3 {
                    break;
                }
                yield_now().await;
            }
            Ok(())
        });
        (0, task)
    })
    .check(async |count| {
        *count += 1;
        assert_eq!(*count, 1);
    });
}
