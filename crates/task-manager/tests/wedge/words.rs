//! What the report says of a blocked runtime, and of what only waited for it.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use task_manager::{
    Activity, CauseKind, Context, FailureKind, Manager, Phase, Report, Step, Task, blocking_task,
    scope::catch, task_fn,
};

use crate::{
    child,
    support::{SECOND, block, block_workers, short, unresponsive, worker, workers},
};

/// Replaces lengths of time, the bars that are drawn of them, and what aligns them, which vary.
fn redacted(text: &str) -> Vec<String> {
    let is_unit = |word: &str| matches!(word.trim_end_matches([',', ';', ')', ':']), "ms" | "s");
    let line = |line: &str| {
        let mut words = Vec::<String>::new();
        for word in line.split_whitespace() {
            let begins_with_digit = |last: &String| {
                last.trim_start_matches('(').starts_with(|first: char| first.is_ascii_digit())
            };
            if is_unit(word) && words.last().is_some_and(begins_with_digit) {
                words.pop();
                words.push(
                    word.trim_start_matches("ms").trim_start_matches('s').replacen("", "T", 1),
                );
            } else if !word.chars().all(|character| "|=".contains(character)) {
                words.push(word.into());
            }
        }
        words.join(" ")
    };
    text.trim_end().lines().map(line).collect()
}

fn activity(report: &Report, name: &str) -> Option<Activity> {
    let failure = report.failures().iter().find(|failure| failure.name == name);
    match failure.unwrap_or_else(|| panic!("{name} is a failure: {report}")).kind {
        FailureKind::Abandoned { activity, .. } => Some(activity),
        _ => None,
    }
}

/// The report in the documentation, which is that of the program in the README, with less time.
#[test]
fn the_golden_report_of_a_stuck_task_is_what_is_written_but_for_the_times() {
    child::run(|| {
        workers(2).block_on(async {
            let builder = Manager::builder().name("service").shutdown_timeout(4 * SECOND);
            let manager = builder.build().unwrap();
            let signals = async |ctx: Context| {
                tokio::time::sleep(SECOND / 2).await;
                ctx.request_stop("signal SIGTERM");
                ctx.cancelled().await;
                Ok(())
            };
            manager.run(task_fn("signals", signals).in_phase(Phase::SUPPORT)).unwrap();
            let close = async || {
                tokio::time::sleep(Duration::from_millis(40)).await;
                Ok(())
            };
            manager.cleanup("database", close).unwrap();
            let consume = async |ctx: Context| {
                ctx.cancelled().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(())
            };
            manager.run(task_fn("consumer", consume)).unwrap();
            let export = async |ctx: Context| {
                ctx.set_status("writing part 7 to /mnt/archive");
                block();
                Ok(())
            };
            manager.run(task_fn("exporter", export)).unwrap();
            let error = manager.wait().await.unwrap_err();
            let report = error.report().unwrap();
            let golden = include_str!("../../src/report/golden/stuck.txt");
            assert_eq!(redacted(&report.to_string()), redacted(golden), "\n{report}");
        });
    })
    .passed();
}

/// Invariant 2.
#[test]
fn what_blocks_the_runtime_is_named_and_what_waits_for_it_is_not_blamed() {
    child::run(|| {
        workers(1).block_on(async {
            let manager = short().build().unwrap();
            manager.run(unresponsive("idle")).unwrap();
            manager.run(worker("willing")).unwrap();
            let (entered, runs) = mpsc::channel();
            let thread = blocking_task("thread", move |_| {
                entered.send(())?;
                block();
                Ok(())
            });
            manager.run(thread).unwrap();
            manager.cleanup("close", async || Ok(())).unwrap();
            runs.recv().unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            block_workers(|task| manager.run(task).unwrap(), 1);
            let error = manager.shutdown().await.unwrap_err();
            let report = error.report().unwrap();
            assert_eq!(activity(report, "stuck-0"), Some(Activity::InPoll), "{report}");
            assert_eq!(activity(report, "idle"), Some(Activity::NotReached), "{report}");
            assert_eq!(activity(report, "willing"), Some(Activity::NotReached), "{report}");
            assert_eq!(activity(report, "thread"), Some(Activity::Held), "{report}");
            let text = report.to_string();
            assert!(text.contains("4 failures: task `stuck-0` was abandoned in a poll that had not returned")
                || text.contains("5 failures: task `stuck-0` was abandoned in a poll that had not returned"), "{text}");
            let blocked = "\n  the runtime was blocked by: task `stuck-0`; it did not get to 3 tasks or \
                           cleanups\n";
            assert!(text.contains(blocked), "{text}");
            let victims = "each of 2 tasks was abandoned before its runtime got to it";
            assert!(text.contains(victims), "{text}");
            #[cfg(feature = "serde")]
            {
                let data = serde_json::to_value(report).unwrap();
                let blocked = data["blocked"].as_str().unwrap();
                assert!(blocked.starts_with("the runtime was blocked by: task `stuck-0`"), "{blocked}");
                let stuck = &data["failures"].as_array().unwrap().iter().find(|failure| {
                    failure["name"] == "stuck-0"
                }).unwrap()["activity"];
                assert_eq!(stuck, "in_poll");
            }
        });
    })
    .passed();
}

#[test]
fn a_drop_that_blocks_is_said_and_a_runtime_blocked_from_outside_is_not_blamed_on_a_task() {
    struct Blocks;
    impl Drop for Blocks {
        fn drop(&mut self) {
            block();
        }
    }
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            let drops = async |_| {
                let _guard = Blocks;
                std::future::pending().await
            };
            manager.run(task_fn("drops", drops)).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let error = manager.shutdown().await.unwrap_err();
            let report = error.report().unwrap();
            assert_eq!(activity(report, "drops"), Some(Activity::InDrop), "{report}");
            assert!(!report.to_string().contains("blocked by"), "one worker was free: {report}");
        });
        workers(1).block_on(async {
            let manager = short().build().unwrap();
            manager.run(worker("willing")).unwrap();
            let (entered, blocked) = mpsc::channel();
            tokio::spawn(async move {
                entered.send(()).unwrap();
                block();
            });
            blocked.recv().unwrap();
            let error = manager.shutdown().await.unwrap_err();
            let report = error.report().unwrap();
            assert_eq!(activity(report, "willing"), Some(Activity::NotReached), "{report}");
            let unknown = "\n  the runtime did not get to 1 task or cleanup; what blocked it is not \
                           known\n";
            assert!(report.to_string().contains(unknown), "{report}");
        });
    })
    .passed();
}

/// Invariants 2 and 7. The future that is left over is in the counts, and no second failure.
#[test]
fn a_blocking_task_that_failed_while_every_worker_is_blocked_is_one_failure() {
    child::run(|| {
        workers(1).block_on(async {
            let manager = short().build().unwrap();
            let (release, released) = mpsc::channel::<()>();
            let purge = blocking_task("purge", move |_| {
                released.recv()?;
                anyhow::bail!("no disk")
            });
            manager.run(purge).unwrap();
            block_workers(|task| manager.run(task).unwrap(), 1);
            release.send(()).unwrap();
            let error = manager.wait().await.unwrap_err();
            let report = error.report().unwrap();
            let failures = report.failures().iter().map(ToString::to_string);
            let of_purge: Vec<_> = failures.filter(|text| text.contains("`purge`")).collect();
            assert_eq!(of_purge, ["task `purge` failed: no disk"], "{report}");
            assert!(matches!(report.cause().kind, CauseKind::TaskEnded { .. }));
            assert_eq!(report.totals().abandoned, 2, "its future is left: {report}");
        });
    })
    .passed();
}

/// Invariant 2.
#[test]
fn a_second_panic_with_the_same_text_inside_an_abandoned_task_is_not_lost() {
    child::run(|| {
        workers(1).block_on(async {
            let outer =
                short().shutdown_timeout(4 * SECOND).cleanup_timeout(3 * SECOND).build().unwrap();
            let inner = Manager::new();
            inner.run(worker("other")).unwrap();
            let ((release, released), (entered, runs)) = (mpsc::channel::<()>(), mpsc::channel());
            let job = async move |ctx: Context| {
                let record = || ctx.record_panic(catch(|| panic!("over")).unwrap_err());
                record();
                entered.send(())?;
                released.recv()?;
                record();
                Ok(())
            };
            let handle = inner.handle();
            outer.run(inner.into_task()).unwrap();
            // The two groups know each other from the first poll of the task on.
            tokio::time::sleep(Duration::from_millis(50)).await;
            handle.run(task_fn("job", job)).unwrap();
            let mut group = outer.group();
            let ends = async move || {
                // It is listed while it is alive.
                while !group.snapshot().tasks.is_empty() {
                    group.changed().await;
                }
                Ok(())
            };
            outer.cleanup("ends", ends).unwrap();
            runs.recv().unwrap();
            let group = outer.group();
            thread::spawn(move || {
                let began = Instant::now();
                while group.step() != Step::CleaningUp && began.elapsed() < 10 * SECOND {
                    thread::sleep(Duration::from_millis(1));
                }
                release.send(()).unwrap();
            });
            let error = outer.shutdown().await.unwrap_err();
            let report = error.report().unwrap();
            let is_panic = |kind: &FailureKind| matches!(kind, FailureKind::SurvivedPanic(_));
            let panics = report.failures().iter().filter(|failure| is_panic(&failure.kind));
            assert_eq!(panics.count(), 2, "{report}");
        });
    })
    .passed();
}
