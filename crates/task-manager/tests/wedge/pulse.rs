//! The pulse: what it is called with, until when, with every worker blocked, and at a hard exit.

use std::{
    io::{Write, stderr},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use task_manager::{Beat, Context, FailureKind, Manager, Phase, Pulse, Step, Task, task_fn};

use crate::{
    child,
    support::{SECOND, block, block_workers, current_thread, short, worker, workers},
};

const INTERVAL: Duration = Duration::from_millis(100);

type Beats = Arc<Mutex<Vec<(Instant, Beat)>>>;

/// A support task that starts a pulse, and ends when it is stopped.
fn pulsing(
    interval: Duration,
    beat: impl FnMut(Beat) + Send + 'static,
) -> (impl Task, Receiver<Option<Pulse>>) {
    let (sender, started) = mpsc::channel();
    let task = task_fn("watchdog", async move |ctx: Context| {
        let _ = sender.send(ctx.pulse(interval, beat));
        ctx.cancelled().await;
        Ok(())
    });
    (task.in_phase(Phase::SUPPORT), started)
}

/// As [`pulsing`], with the beats recorded.
fn recorded() -> (impl Task, Beats) {
    let beats = Beats::default();
    let record = Arc::clone(&beats);
    let (task, _) = pulsing(INTERVAL, move |beat| {
        record.lock().unwrap().push((Instant::now(), beat));
    });
    (task, beats)
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < 10 * SECOND, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_pulse_beats_from_its_start_through_the_cleanups_to_the_end_and_not_after() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = Manager::new();
            let (task, beats) = recorded();
            manager.run(task).unwrap();
            manager
                .cleanup("slow", async || {
                    tokio::time::sleep(SECOND).await;
                    Ok(())
                })
                .unwrap();
            tokio::time::sleep(SECOND).await;
            manager.shutdown().await.unwrap();
            let ended = Instant::now();
            let at_end = beats.lock().unwrap().clone();
            tokio::time::sleep(5 * INTERVAL).await;
            assert_eq!(at_end.len(), beats.lock().unwrap().len(), "none after `wait`");
            let of = |step| at_end.iter().filter(|(_, beat)| beat.step == step).count();
            // Ten are due in a second; the machine may be busy.
            assert!(of(Step::Running) >= 4, "{at_end:?}");
            assert!(of(Step::CleaningUp) >= 4, "{at_end:?}");
            // One that was due meanwhile may have it, too.
            assert!((1..=2).contains(&of(Step::Ended)), "{at_end:?}");
            let (last, beat) = at_end.last().unwrap();
            assert!(beat.step == Step::Ended && *last <= ended);
            assert!(at_end.iter().all(|(_, beat)| beat.is_alive()), "{at_end:?}");
        });
    })
    .passed();
}

#[test]
fn while_the_service_runs_a_blocked_runtime_is_stale_and_not_alive() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = Manager::new();
            let (task, beats) = recorded();
            manager.run(task).unwrap();
            until("a beat", || !beats.lock().unwrap().is_empty());
            block_workers(|task| manager.run(task).unwrap(), 2);
            let blocked = Instant::now();
            let is_stale = |(_, beat): &(Instant, Beat)| beat.stale.is_some();
            until("stale beats", || {
                beats.lock().unwrap().iter().filter(|beat| is_stale(beat)).count() > 4
            });
            let beats = beats.lock().unwrap().clone();
            let fresh = beats.iter().rfind(|beat| !is_stale(beat)).unwrap();
            // A task that is spawned runs at once, so no beat follows the instant of the block.
            let late = fresh.0.saturating_duration_since(blocked);
            eprintln!("measured: the last fresh beat was {} us late", late.as_micros());
            assert!(late < INTERVAL / 2, "{late:?}");
            let stale: Vec<_> = beats.into_iter().filter(is_stale).collect();
            assert!(stale.iter().all(|(_, beat)| !beat.is_alive() && !beat.has_deadline));
            let waited: Vec<_> = stale.iter().map(|(_, beat)| beat.stale).collect();
            assert!(waited.is_sorted() && waited[0].unwrap() >= INTERVAL / 2, "{waited:?}");
        });
    })
    .passed();
}

#[test]
fn a_runtime_that_is_free_again_has_a_beat_at_once() {
    child::run(|| {
        current_thread().block_on(async {
            let manager = Manager::new();
            let (task, beats) = recorded();
            manager.run(task).unwrap();
            tokio::time::sleep(2 * INTERVAL).await;
            thread::sleep(5 * INTERVAL);
            let freed = Instant::now();
            tokio::time::sleep(2 * INTERVAL).await;
            let beats = beats.lock().unwrap().clone();
            assert!(beats.iter().any(|(at, beat)| *at < freed && !beat.is_alive()), "{beats:?}");
            let after = beats.iter().find(|(at, _)| *at >= freed).unwrap();
            assert!(after.1.is_alive(), "{beats:?}");
            manager.shutdown().await.unwrap();
        });
    })
    .passed();
}

/// The beats of the child, as milliseconds since its start, from its stderr.
fn written(stderr: &str) -> Vec<(u64, bool, bool)> {
    let lines = stderr.lines().filter_map(|line| line.strip_prefix("beat "));
    let beats = lines.map(|line| {
        let mut words = line.split(' ');
        let at = words.next().unwrap().parse().unwrap();
        let mut flag = || words.next().unwrap() == "true";
        (at, flag(), flag())
    });
    beats.collect()
}

/// FAILURES 18.
#[test]
fn during_the_stop_a_blocked_runtime_is_alive_until_the_instant_of_the_hard_exit() {
    let ended = child::run(|| {
        current_thread().block_on(async {
            let began = Instant::now();
            let manager = short().name("orders").hard_exit(70).build().unwrap();
            let (task, _) = pulsing(INTERVAL, move |beat: Beat| {
                let (at, is_stale) = (began.elapsed().as_millis(), beat.stale.is_some());
                writeln!(stderr(), "beat {at} {is_stale} {}", beat.is_alive()).unwrap();
            });
            manager.run(task).unwrap();
            manager
                .run(task_fn("stuck", async |ctx| {
                    ctx.cancelled().await;
                    block();
                    Ok(())
                }))
                .unwrap();
            tokio::time::sleep(2 * INTERVAL).await;
            manager.stop();
            let _ = manager.wait().await;
        });
    });
    assert_eq!(ended.status.code(), Some(70), "{}", ended.stderr);
    let beats = written(&ended.stderr);
    assert!(beats.iter().all(|(_, _, is_alive)| *is_alive), "{}", ended.stderr);
    assert!(beats.iter().filter(|(_, is_stale, _)| *is_stale).count() >= 8, "{}", ended.stderr);
    // From 200 ms on the stop takes 1 s, and the hard exit comes 1 s later.
    let last = beats.last().unwrap().0;
    assert!((2_000..2_700).contains(&last), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().filter(|line| line.contains("hard exit")).count(), 1);
}

#[test]
fn without_a_hard_exit_a_blocked_runtime_is_not_alive_once_its_instant_has_passed() {
    child::run(|| {
        workers(1).block_on(async {
            let manager = Arc::new(short().build().unwrap());
            let (task, beats) = recorded();
            manager.run(task).unwrap();
            until("a beat", || !beats.lock().unwrap().is_empty());
            block_workers(|task| manager.run(task).unwrap(), 1);
            let began = Instant::now();
            manager.stop();
            // Nothing takes the report.
            until("the end", || {
                beats
                    .lock()
                    .unwrap()
                    .iter()
                    .any(|(_, beat)| !beat.is_alive() && beat.step == Step::Ended)
            });
            assert!(began.elapsed() >= 2 * SECOND);
            let beats = beats.lock().unwrap().clone();
            let first =
                beats.iter().find(|(_, beat)| !beat.is_alive() && beat.step > Step::Running);
            assert!(first.unwrap().0 - began >= 2 * SECOND, "{beats:?}");
        });
    })
    .passed();
}

#[test]
fn a_shutdown_without_a_limit_leaves_a_blocked_runtime_not_alive() {
    child::run(|| {
        workers(1).block_on(async {
            let never = task_manager::Timeout::Never;
            let manager = Manager::builder().shutdown_timeout(never).build().unwrap();
            let (task, beats) = recorded();
            manager.run(task).unwrap();
            until("a beat", || !beats.lock().unwrap().is_empty());
            block_workers(|task| manager.run(task).unwrap(), 1);
            manager.stop();
            until("stale", || {
                let beats = beats.lock().unwrap();
                let mut stopping = beats.iter().filter(|(_, beat)| beat.step > Step::Running);
                stopping.any(|(_, beat)| beat.stale.is_some() && !beat.is_alive())
            });
        });
    })
    .passed();
}

#[test]
fn a_callback_that_blocks_leaves_beats_out_and_holds_up_no_shutdown_for_long() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            let (task, _) = pulsing(INTERVAL, |_| block());
            manager.run(task).unwrap();
            let (other, beats) = recorded();
            manager.run(other).unwrap();
            tokio::time::sleep(5 * INTERVAL).await;
            assert!(beats.lock().unwrap().len() >= 2, "the other pulse has a thread of its own");
            let began = Instant::now();
            manager.shutdown().await.unwrap();
            let took = began.elapsed();
            assert!((Duration::from_millis(250)..SECOND).contains(&took), "{took:?}");
        });
    })
    .passed();
}

/// Invariants 2 and 9.
#[test]
fn a_callback_that_panics_is_a_failure_that_the_task_survives_and_ends_the_pulse() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = Manager::new();
            let mut count = 0;
            let (task, started) = pulsing(INTERVAL, move |_| {
                count += 1;
                assert!(count < 2, "beat {count}");
            });
            manager.run(task).unwrap();
            let pulse = started.recv_timeout(5 * SECOND).unwrap().unwrap();
            until("the panic", || pulse.is_stopped());
            tokio::time::sleep(3 * INTERVAL).await;
            let error = manager.shutdown().await.unwrap_err();
            let failures = error.report().unwrap().failures();
            assert_eq!(failures.len(), 1, "{error:?}");
            let FailureKind::SurvivedPanic(panic) = &failures[0].kind else { panic!("{error:?}") };
            assert_eq!((&*failures[0].name, &*panic.message), ("watchdog", "beat 2"));
            assert!(panic.location.is_some());
        });
    })
    .passed();
}

#[test]
fn a_pulse_that_is_stopped_drops_its_callback_and_makes_room_for_another() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = Manager::new();
            let captured = Arc::new(());
            let mut pulses = Vec::new();
            for _ in 0..8 {
                let kept = Arc::clone(&captured);
                let (task, started) = pulsing(INTERVAL, move |_| {
                    let _ = &kept;
                });
                manager.run(task.in_phase(Phase::WORK)).unwrap();
                pulses.push(started.recv_timeout(5 * SECOND).unwrap().unwrap());
            }
            let start = || {
                let (task, started) = pulsing(INTERVAL, |_| {});
                manager.run(task).unwrap();
                started.recv_timeout(5 * SECOND).unwrap()
            };
            assert!(start().is_none(), "eight are enough");
            pulses[0].clone().stop();
            until("the drop", || Arc::strong_count(&captured) == 8);
            until("room", || start().is_some());
            manager.shutdown().await.unwrap();
            until("the drop of all", || Arc::strong_count(&captured) == 1);
        });
    })
    .passed();
}

#[test]
fn of_pulses_that_are_started_at_once_eight_are_granted() {
    child::run(|| {
        workers(2).block_on(async {
            for _ in 0..20 {
                let manager = Manager::new();
                let ctx = crate::support::context(&manager);
                let barrier = Arc::new(std::sync::Barrier::new(16));
                let starts = (0..16).map(|_| {
                    let (ctx, barrier) = (ctx.clone(), Arc::clone(&barrier));
                    thread::spawn(move || {
                        barrier.wait();
                        ctx.pulse(INTERVAL, |_| {})
                    })
                });
                let starts: Vec<_> = starts.collect();
                let pulses = starts.into_iter().filter_map(|start| start.join().unwrap());
                assert_eq!(pulses.count(), 8);
                manager.shutdown().await.unwrap();
            }
        });
    })
    .passed();
}

/// A callback may keep the context, and with it the group.
#[test]
fn a_callback_that_keeps_its_context_is_dropped_with_a_manager_that_nobody_waits_for() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = Manager::new();
            let (sender, captured) = mpsc::channel();
            manager
                .run(task_fn("watchdog", async move |ctx: Context| {
                    let kept = (ctx.clone(), Arc::new(()));
                    sender.send(Arc::downgrade(&kept.1))?;
                    ctx.pulse(INTERVAL, move |_| {
                        let _ = &kept;
                    });
                    ctx.cancelled().await;
                    Ok(())
                }))
                .unwrap();
            let captured = captured.recv_timeout(5 * SECOND).unwrap();
            tokio::time::sleep(2 * INTERVAL).await;
            drop(manager);
            until("the drop", || captured.strong_count() == 0);
        });
    })
    .passed();
}

#[test]
fn a_group_that_has_ended_starts_no_pulse() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = Manager::new();
            let ctx = crate::support::context(&manager);
            manager.run(worker("work")).unwrap();
            manager.shutdown().await.unwrap();
            assert!(ctx.pulse(INTERVAL, |_| {}).is_none());
        });
    })
    .passed();
}

/// FAILURES 45.
#[cfg(target_os = "linux")]
#[test]
fn a_process_that_was_suspended_is_not_stale_for_that_time() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = Manager::new();
            let (task, beats) = recorded();
            manager.run(task).unwrap();
            until("a beat", || !beats.lock().unwrap().is_empty());
            let script = format!("kill -STOP {0}; sleep 2; kill -CONT {0}", std::process::id());
            let mut shell = std::process::Command::new("sh").args(["-c", &script]).spawn().unwrap();
            thread::sleep(3 * SECOND);
            shell.wait().unwrap();
            let beats = beats.lock().unwrap().clone();
            let stale = beats.iter().filter_map(|(_, beat)| beat.stale).max();
            assert!(stale.unwrap_or_default() <= 4 * INTERVAL, "{stale:?}");
            manager.shutdown().await.unwrap();
        });
    })
    .passed();
}
