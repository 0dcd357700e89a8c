//! The report as values and as text.

use std::{error::Error as _, io, time::Duration};

use anyhow::{Context as _, anyhow};
use task_manager::{
    CauseKind, Context, Manager, Outcome, Phase, Report, ShutdownError, Task, task_fn,
};

use crate::support::{Journal, SECOND, slow, unresponsive, worker};

/// A shutdown whose report has every kind of line.
pub(crate) async fn eventful() -> ShutdownError {
    let manager = Manager::builder().name("orders").drain_delay(2 * SECOND).build().unwrap();
    let journal = Journal::default();
    manager.run(slow("server", 3 * SECOND, &journal).in_phase(Phase::INGRESS)).unwrap();
    manager.run(slow("job", SECOND, &journal)).unwrap();
    manager.run(slow("job", 2 * SECOND, &journal)).unwrap();
    manager
        .run(task_fn("stuck", async |ctx: Context| {
            ctx.set_status("flushing 120 messages");
            std::future::pending().await
        }))
        .unwrap();
    manager.run(worker("probes").in_phase(Phase::SUPPORT)).unwrap();
    manager.cleanup("database", async || Err(anyhow!("connection lost"))).unwrap();
    manager
        .cleanup("flush", async || {
            tokio::time::sleep(SECOND / 2).await;
            Ok(())
        })
        .unwrap();
    let _ = tokio::time::timeout(10 * SECOND, manager.wait()).await;
    manager.shutdown().await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn the_text_shows_on_one_page_what_happened_and_which_tasks_took_the_time() {
    let error = eventful().await;
    let expected = "\
orders stopped in 19.35 s of 25.00 s, 2 failures: cleanup `database` failed: connection lost
  cause: stop was called
  up 10.00 s; 5 tasks: 4 completed, 1 aborted; 2 cleanups: 1 completed, 1 failed
  failure: task `stuck` was aborted at its deadline (phase WORK had 13.85 s)
  drain           2.00 s of  2.00 s
  phase INGRESS   3.00 s of  5.45 s  server
  phase WORK     13.85 s of 13.85 s  stuck (aborted)
  phase SUPPORT   0.0 ms of  900 ms  probes
  cleanups        500 ms of  6.15 s  flush
  server   |  ====                  | completed   3.00 s
  job#3    |      ==                | completed   2.00 s
  stuck    |      ================= | aborted    13.85 s  (flushing 120 messages)
  flush    |                       =| completed   500 ms  cleanup
  database |                       =| failed      0.0 ms  cleanup
  2 other tasks took at most 1.00 s to stop: job#2, probes";
    let text = error.report().unwrap().to_string();
    assert_eq!(without_milliseconds(&text), without_milliseconds(expected), "\n{text}");
}

/// The resolution of paused time is a millisecond, and a timer may fire one late.
fn without_milliseconds(text: &str) -> String {
    text.replace("501 ms", "500 ms").replace("  1.0 ms", "  0.0 ms")
}

/// FAILURES 74.
#[tokio::test(start_paused = true)]
async fn the_text_shows_at_most_ten_bars_those_that_took_the_longest_and_counts_the_rest() {
    let manager = Manager::new();
    for seconds in 1..=30 {
        let journal = Journal::default();
        let name: &'static str = if seconds % 2 == 0 { "even" } else { "odd" };
        manager.run(slow(name, seconds * SECOND, &journal)).unwrap();
    }
    for index in 0..25 {
        let close = async move || {
            tokio::time::sleep(index * SECOND / 100).await;
            // Rows that look the same would be one.
            if index % 2 == 0 { Ok(()) } else { Err(anyhow!("no disk")) }
        };
        manager.cleanup(format!("hook-{index}"), close).unwrap();
    }
    let error = manager.shutdown().await.unwrap_err();
    let report = error.report().unwrap();
    assert_eq!(report.tasks().len(), 30, "all of them are listed as values");
    let text = report.to_string();
    let (cleanups, tasks): (Vec<_>, Vec<_>) =
        text.lines().filter(|line| line.contains('|')).partition(|line| line.ends_with("cleanup"));
    assert_eq!((tasks.len(), cleanups.len()), (10, 10), "{text}");
    assert!(text.contains("even#20 and 10 more |"), "what was aborted looks the same: {text}");
    assert!(text.contains("\n  10 other tasks took at most 10.00 s to stop: even#10, "), "{text}");
    assert!(text.contains("\n  … and 15 more cleanups\n"), "{text}");
    assert!(text.lines().skip(4).all(|line| line.chars().count() <= 110), "{text}");
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn equal_failures_are_one_line_with_their_number_and_what_is_cut_is_counted_and_named() {
    let manager = Manager::builder().only_failures_stop().build().unwrap();
    for index in 0..20 {
        let text = if index < 6 { "no broker".into() } else { format!("no disk {index}") };
        let fail = async move |ctx: Context| {
            ctx.cancelled().await;
            Err(anyhow!(text))
        };
        manager.run(task_fn(format!("job-{index:02}"), fail)).unwrap();
    }
    let again = async |ctx: Context| {
        (0..3).for_each(|_| ctx.record_failure(anyhow!("skipped a record")));
        Ok(())
    };
    manager.run(task_fn("reader", again)).unwrap();
    let error = manager.shutdown().await.unwrap_err();
    let report = error.report().unwrap();
    let text = report.to_string();
    let first =
        "23 failures: 6 tasks failed: no broker (`job-00`, `job-01`, `job-02` and 3 more)\n";
    assert!(text.contains(first), "{text}");
    assert_eq!(text.matches("no broker").count(), 1, "{text}");
    assert_eq!(text.matches("\n  failure: task `job-").count(), 10, "{text}");
    let cut = "\n  … and 7 more failures: task `job-16`, task `job-17`, task `job-18`, …\n";
    assert!(text.contains(cut), "{text}");
    #[cfg(feature = "serde")]
    {
        let data = serde_json::to_string(report).unwrap();
        assert!((0..20).all(|index| data.contains(&format!("\"job-{index:02}\""))), "{data}");
        assert_eq!(data.matches("skipped a record").count(), 3, "{data}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_the_cause_stands_once_and_a_long_one_is_shortened_in_the_first_line() {
    let manager = Manager::new();
    manager.run(task_fn("bad", async |_| Err(anyhow!("no disk")))).unwrap();
    let text = manager.wait().await.unwrap_err().report().unwrap().to_string();
    assert_eq!(text.matches("bad").count(), 2, "the failure, and the list of tasks: {text}");
    assert!(text.contains("\n  cause: that failure\n"), "{text}");

    let manager = Manager::new();
    let long = anyhow!("{}", "x".repeat(300));
    manager.run(task_fn("bad", async move |_| Err(long))).unwrap();
    let report = manager.wait().await.unwrap_err().report().unwrap().clone();
    assert!(report.summary().ends_with("xxx…") && report.summary().chars().count() < 280);
    let text = report.to_string();
    assert_eq!(text.matches(&"x".repeat(300)).count(), 1, "in full on a line of its own: {text}");
}

#[tokio::test(start_paused = true)]
async fn a_trigger_that_is_no_failure_and_came_later_is_named_with_its_time() {
    let manager = Manager::new();
    manager.run(slow("work", 2 * SECOND, &Journal::default())).unwrap();
    manager.run(slow("bad", SECOND, &Journal::default())).unwrap();
    let asks = async |ctx: Context| {
        ctx.cancelled().await;
        tokio::time::sleep(SECOND / 2).await;
        ctx.request_stop("signal SIGINT");
        Err(anyhow!("no disk"))
    };
    manager.run(task_fn("asks", asks)).unwrap();
    let error = manager.shutdown().await.unwrap_err();
    let text = error.report().unwrap().to_string();
    let then = "\n  cause: stop was called\n  then: signal SIGINT (task `asks`) (+500 ms)\n";
    assert!(text.contains(then), "the failure of `asks` is no further line: {text}");
}

#[tokio::test(start_paused = true)]
async fn the_report_of_an_empty_group_is_two_short_lines() {
    let report = Manager::new().shutdown().await.unwrap();
    assert_eq!(
        report.to_string(),
        "manager stopped in 0.0 ms of 25.00 s, clean; cause: stop was called\n  \
         up 0.0 ms; 0 tasks"
    );
    assert_eq!(report.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_phase_has_its_times_its_budget_and_who_ended_last() {
    let error = eventful().await;
    let report = error.report().unwrap();
    let phases = report.phases().iter().map(|phase| {
        let last = phase.last.as_ref().map(|last| (&*last.name, last.outcome));
        let seconds = |time: Duration| time.as_secs_f64().round();
        (phase.phase, seconds(phase.stopped_at), seconds(phase.ended_at), phase.tasks, last)
    });
    let completed = Outcome::Completed;
    let expected = [
        (Phase::INGRESS, 12.0, 15.0, 1, Some(("server", completed))),
        (Phase::WORK, 15.0, 29.0, 3, Some(("stuck", Outcome::Aborted))),
        (Phase::SUPPORT, 29.0, 29.0, 1, Some(("probes", completed))),
    ];
    assert_eq!(phases.collect::<Vec<_>>(), expected);
    let steps = report.steps();
    assert_eq!(steps.drain_budget, Some(2 * SECOND));
    assert_eq!(steps.cleanup_budget.map(|budget| budget.as_secs()), Some(6));
}

#[tokio::test(start_paused = true)]
async fn an_error_names_the_root_once_and_its_debug_output_has_the_report() {
    let manager = Manager::new();
    manager
        .run(task_fn("consumer", async |_| {
            Err(io::Error::other("no broker")).context("reading orders")
        }))
        .unwrap();
    let error = manager.wait().await.unwrap_err();
    let report = error.report().unwrap().clone();
    assert_eq!(format!("{error}"), "task `consumer` failed");
    assert_eq!(error.source().unwrap().to_string(), "reading orders");
    assert_eq!(format!("{error:?}"), format!("{report:#}"));
    let chain = format!("{:#}", anyhow::Error::new(error));
    assert_eq!(chain, "task `consumer` failed: reading orders: no broker");
    let text = report.to_string();
    assert_eq!(text.matches("no broker").count(), 1, "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_setup_is_the_root_and_has_its_own_exit_code() {
    let manager = Manager::new();
    manager.run(worker("work")).unwrap();
    let journal = Journal::default();
    let noted = journal.clone();
    manager
        .cleanup("close", async move || {
            noted.note("closed");
            Ok(())
        })
        .unwrap();
    manager.setup_failed(anyhow!("no config"));
    let error = manager.wait().await.unwrap_err();
    assert_eq!(error.to_string(), "the setup failed");
    assert_eq!(error.exit_code(), 3);
    assert_eq!(journal.read(), ["closed"]);
}

/// Invariants 2 and 10.
#[tokio::test(start_paused = true)]
async fn failures_are_bounded_and_the_first_of_each_task_and_the_last_64_are_kept() {
    let manager = Manager::builder().only_failures_stop().build().unwrap();
    for task in 0..3 {
        manager
            .run(task_fn(format!("task-{task}"), async move |ctx: Context| {
                for attempt in 0..1_000 {
                    ctx.record_failure(anyhow!("{task}.{attempt}"));
                }
                Ok(())
            }))
            .unwrap();
    }
    let error = manager.wait().await.unwrap_err();
    let report = error.report().unwrap();
    assert_eq!(report.failures().len() as u64 + report.omitted_failures(), 3_000);
    assert!(
        report.to_string().contains(", 3000 failures: task `task-0` failed and went on"),
        "{report}"
    );
    assert_eq!(report.failures().len(), 3 + 64);
    let firsts: Vec<_> = report.failures()[..3].iter().map(ToString::to_string).collect();
    assert!(firsts[2].ends_with("failed and went on: 2.0"), "{firsts:?}");
    assert_eq!(error.to_string(), "task `task-0` failed and went on (+2999 more)");
}

/// Invariant 10.
#[tokio::test(start_paused = true)]
async fn tasks_that_ended_cleanly_before_the_trigger_are_counted_and_not_listed() {
    let manager = Manager::new();
    for _ in 0..10_000 {
        manager.run_ephemeral(task_fn("job", async |_| Ok(()))).unwrap().ended().await;
    }
    manager.run(worker("work")).unwrap();
    let report = manager.shutdown().await.unwrap();
    assert_eq!(report.tasks().len(), 1);
    assert_eq!((report.totals().started, report.totals().completed), (10_001, 10_001));
}

/// FAILURES 74.
#[tokio::test(start_paused = true)]
async fn a_very_long_name_does_not_widen_the_other_lines_of_the_report() {
    let manager = Manager::new();
    manager.run(unresponsive("short")).unwrap();
    manager.run(worker("w").named("n".repeat(500))).unwrap();
    let report = manager.shutdown().await.unwrap_err().report().unwrap().to_string();
    let line = report.lines().find(|line| line.contains("short ")).unwrap();
    assert!(line.chars().count() < 100, "other lines are not padded to the long name: {line}");
}

#[tokio::test(start_paused = true)]
async fn every_value_of_the_report_has_an_accessor() {
    let error = eventful().await;
    let report: &Report = error.report().unwrap();
    assert_eq!(report.name(), "orders");
    assert!(!report.is_clean());
    assert_eq!(report.steps().triggered, 10 * SECOND);
    assert_eq!(report.steps().stopping, 12 * SECOND);
    assert_eq!(report.steps().budget, Some(25 * SECOND));
    let server = &report.tasks()[0];
    assert_eq!((&*server.name, server.phase), ("server", Phase::INGRESS));
    assert_eq!(server.stop_took, Some(3 * SECOND));
    assert_eq!(server.ran, 15 * SECOND);
    assert_eq!(server.ended_at, 15 * SECOND);
    let outcomes: Vec<_> = report.cleanups().iter().map(|cleanup| cleanup.outcome).collect();
    assert_eq!(outcomes, [Some(Outcome::Completed), Some(Outcome::Failed)]);
    assert_eq!((report.omitted_tasks(), report.omitted_failures()), (0, 0));
}

/// FAILURES 74.
#[tokio::test(start_paused = true)]
async fn a_name_shared_by_several_tasks_is_numbered_wherever_it_appears() {
    let manager = Manager::new();
    manager.run_ephemeral(task_fn("job", async |_| Ok(()))).unwrap().ended().await;
    manager.run(worker("other")).unwrap();
    manager.run_ephemeral(task_fn("job", async |_| Err(anyhow!("no disk")))).unwrap();
    let error = manager.wait().await.unwrap_err();
    assert_eq!(error.to_string(), "task `job#3` failed");
    let text = error.report().unwrap().to_string();
    assert!(text.contains("1 failure: task `job#3` failed: no disk"), "{text}");
    assert!(text.contains("to stop: other, job#3"), "{text}");
}

/// Invariant 10.
#[tokio::test(start_paused = true)]
async fn cleanups_beyond_the_limit_are_counted() {
    let manager = Manager::new();
    for _ in 0..4_100 {
        manager.cleanup("close", async || Ok(())).unwrap();
    }
    let report = manager.shutdown().await.unwrap();
    assert_eq!((report.cleanups().len(), report.omitted_cleanups()), (4_096, 4));
    let text = report.to_string();
    assert!(text.contains("; 4100 cleanups: 4096 completed, 4 not listed\n"), "{text}");
    assert!(text.ends_with("cleanup\n  … and 4 more cleanups"), "{text}");
    assert_eq!(manager.group().snapshot().cleanups.len(), 4_096);
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn a_setup_that_fails_during_the_shutdown_is_a_failure_and_a_later_trigger() {
    let manager = Manager::new();
    manager.run(slow("work", SECOND, &Journal::default())).unwrap();
    manager.stop();
    manager.setup_failed(anyhow!("the broker is unreachable"));
    let error = manager.wait().await.unwrap_err();
    assert_eq!(error.to_string(), "the setup failed");
    let report = error.report().unwrap();
    assert_eq!(report.cause().kind, CauseKind::Stopped);
    assert_eq!(report.later_triggers()[0].kind, CauseKind::SetupFailed);
    assert_eq!(error.exit_code(), 1, "the setup did not cause the shutdown");
}

#[tokio::test(start_paused = true)]
async fn a_report_as_metrics_has_the_steps_and_what_took_longest() {
    let error = eventful().await;
    let metrics = error.report().unwrap().metrics();
    for line in [
        "# TYPE task_last_shutdown_duration_seconds gauge",
        r#"task_last_shutdown_timeout_seconds{manager="orders"} 25"#,
        r#"task_last_shutdown_failures{manager="orders"} 2"#,
        r#"task_last_shutdown_info{manager="orders",cause="stop was called"} 1"#,
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    let value = |series: &str| -> f64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(series)).expect(series);
        line.trim().parse().unwrap()
    };
    let step = |step: &str| {
        value(&format!(r#"task_last_shutdown_duration_seconds{{manager="orders",step="{step}"}}"#))
    };
    // Of the two of this name, the one that took longer. A paused timer may fire 1 ms late.
    let job =
        r#"task_last_shutdown_task_stop_seconds{manager="orders",task="job",outcome="completed"}"#;
    assert!((2.0..2.1).contains(&value(job)), "{metrics}");
    assert!((2.0..2.1).contains(&step("drain")), "{metrics}");
    assert!((16.0..18.0).contains(&step("stop")), "{metrics}");
    let stuck =
        r#"task_last_shutdown_task_stop_seconds{manager="orders",task="stuck",outcome="aborted"}"#;
    assert!((13.0..14.0).contains(&value(stuck)), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn names_in_the_metrics_are_escaped_and_their_number_is_bounded() {
    let manager = Manager::builder().name("a\"b\\c\nd").build().unwrap();
    for number in 0..60 {
        let name = format!("{number:02}{}", "\u{e9}".repeat(100));
        let task = task_fn(name, async move |ctx: Context| {
            ctx.cancelled().await;
            tokio::time::sleep(SECOND / 100 * (number + 1)).await;
            Ok(())
        });
        manager.run(task).unwrap();
    }
    let metrics = manager.shutdown().await.unwrap().metrics();
    assert!(metrics.contains("{manager=\"a\\\"b\\\\c\\nd\"}"), "{metrics}");
    let tasks: Vec<_> =
        metrics.lines().filter(|line| line.contains("task_stop_seconds{")).collect();
    // The fastest ten are left out.
    assert!(tasks.len() == 50 && tasks[0].contains("task=\"10"), "{metrics}");
    assert!(tasks[0].contains(&format!("task=\"10{}\",", "\u{e9}".repeat(31))), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn metrics_that_cannot_be_written_leave_the_old_file_and_no_other() {
    let folder = std::env::temp_dir().join(format!("task-manager-metrics-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("a folder")).unwrap();
    let report = Manager::new().shutdown().await.unwrap();
    report.write_metrics(folder.join("a folder")).unwrap_err();
    assert!(report.write_metrics("/").is_err());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    report.write_metrics(folder.join("it.prom")).unwrap();
    assert_eq!(std::fs::read_to_string(folder.join("it.prom")).unwrap(), report.metrics());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn metrics_are_written_whole_by_several_threads_at_once() {
    let folder = std::env::temp_dir().join(format!("task-manager-at-once-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("it.prom");
    let report = Manager::new().shutdown().await.unwrap();
    let metrics = report.metrics();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let written = report.write_metrics(&path);
                    // Windows may refuse to replace a file that another thread reads.
                    assert!(written.is_ok() || cfg!(windows), "{written:?}");
                    assert_eq!(std::fs::read_to_string(&path).unwrap(), metrics);
                }
            });
        }
    });
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    std::fs::remove_dir_all(&folder).unwrap();
}
