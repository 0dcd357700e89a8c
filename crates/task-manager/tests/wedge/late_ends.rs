//! Tasks that end after they were abandoned.

use std::sync::mpsc;

use anyhow::anyhow;
use task_manager::{FailureKind, Outcome, task_fn};

use crate::{
    child,
    support::{SECOND, short, workers},
};

/// Invariant 2.
#[test]
fn the_failure_of_an_abandoned_task_before_the_end_of_the_shutdown_is_reported() {
    child::run(|| {
        workers(2).block_on(async {
            let manager =
                short().shutdown_timeout(4 * SECOND).cleanup_timeout(3 * SECOND).build().unwrap();
            let (release, released) = mpsc::channel::<()>();
            let stuck = manager
                .run(task_fn("stuck", async move |_| {
                    let _ = released.recv();
                    Err(anyhow!("late"))
                }))
                .unwrap();
            let group = manager.group();
            manager
                .cleanup("releases", async move || {
                    let mut group = group.clone();
                    release.send(())?;
                    // It is listed while it is alive.
                    while !group.snapshot().tasks.is_empty() {
                        group.changed().await;
                    }
                    Ok(())
                })
                .unwrap();
            let error = manager.shutdown().await.unwrap_err();
            let report = error.report().unwrap();
            assert_eq!(stuck.outcome(), Some(Outcome::Abandoned));
            let failures: Vec<_> = report.failures().iter().map(ToString::to_string).collect();
            let abandoned = "task `stuck` was abandoned in a poll that had not returned \
                             (phase WORK had 950 ms)";
            assert_eq!(failures[0], abandoned, "{report}");
            assert_eq!(failures[1..], ["task `stuck` failed: late"], "{report}");
            assert!(matches!(report.failures()[1].kind, FailureKind::Error(_)));
        });
    })
    .passed();
}
