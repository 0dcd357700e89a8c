//! Backtraces, which environment variables of the process enable.

use anyhow::anyhow;
use task_manager::{Manager, task_fn};

use crate::{child, support::current_thread};

fn culprit() -> anyhow::Error {
    anyhow!("no disk")
}

fn panicking_culprit() {
    panic!("no memory");
}

fn fail() -> task_manager::ShutdownError {
    current_thread().block_on(async {
        let manager = Manager::new();
        manager.run(task_fn("bad", async |_| Err(culprit()))).unwrap();
        manager
            .run(task_fn("worse", async |_| {
                panicking_culprit();
                Ok(())
            }))
            .unwrap();
        manager.wait().await.unwrap_err()
    })
}

#[test]
fn backtraces_are_only_in_the_alternate_text_the_debug_output_and_the_data() {
    child::run_in(&[("RUST_BACKTRACE", "1")], || {
        let error = fail();
        let report = error.report().unwrap();
        for text in [format!("{report:#}"), format!("{error:?}"), format!("{report:?}")] {
            assert!(text.contains("backtraces::culprit"), "{text}");
            assert!(text.contains("backtraces::panicking_culprit"), "{text}");
        }
        for text in [format!("{report}"), format!("{error}"), format!("{error:#}")] {
            assert!(!text.contains("culprit"), "{text}");
        }
        for failure in report.failures() {
            assert!(failure.backtrace().is_some(), "{failure}");
            assert!(format!("{failure:#}").contains("culprit"), "{failure}");
        }
        #[cfg(feature = "serde")]
        {
            let data = serde_json::to_value(report).unwrap();
            let backtrace = data["failures"][0]["backtrace"].as_str().unwrap();
            assert!(backtrace.contains("backtraces::culprit"), "{backtrace}");
        }
    })
    .passed();
}

#[test]
fn without_rust_backtrace_no_backtrace_is_captured() {
    child::run(|| {
        let error = fail();
        let report = error.report().unwrap();
        assert!(report.failures().iter().all(|failure| failure.backtrace().is_none()));
        assert_eq!(format!("{report:#}"), report.to_string());
    })
    .passed();
}
