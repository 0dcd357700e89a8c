//! Failures that end the task, and what is kept of those that do not.

use anyhow::{Context as _, bail};
use task_core::{Backoff, Context};
use task_restart::{FailureLimit, TooManyFailures, restarting};
use tokio::time::sleep;

use crate::rig::{Rig, ms, secs};

#[derive(Debug, thiserror::Error)]
#[error("bad credentials")]
struct BadCredentials;

#[tokio::test(start_paused = true)]
async fn too_many_failures_end_the_task_with_the_first_and_the_last() {
    let rig = Rig::new();
    let factory = rig.runs(async |_, run| match run {
        1 => bail!("no route"),
        6 => Err(BadCredentials).context("logging in"),
        _ => bail!("no broker"),
    });
    let limit = FailureLimit::new(5, secs(60)).unwrap();
    let error = rig.run(restarting(factory).unwrap().limit(limit)).await.unwrap_err();
    let too_many = error.downcast_ref::<TooManyFailures>().unwrap();
    assert_eq!((too_many.failures(), too_many.first()), (6, "no route"));
    assert!(error.is::<BadCredentials>(), "the last is kept as an error");
    let text = format!("{error:#}");
    let took = format!("{:.1?}", too_many.within());
    assert_eq!(
        text,
        format!("failed 6 times in {took} (first: no route): logging in: bad credentials")
    );
    assert_eq!(rig.starts().len(), 6);
    assert_eq!(rig.reported("count").len(), 5, "the last one is the task's");
}

#[tokio::test(start_paused = true)]
async fn failures_older_than_the_window_do_not_count() {
    let rig = Rig::new();
    let factory = rig.runs(async |_, run| {
        sleep(secs(10)).await;
        if run == 100 { Ok(()) } else { bail!("no broker") }
    });
    // A run takes 10 s and its wait a little: four failures in any 41 s.
    let short = Backoff::new(ms(1), ms(1)).unwrap();
    let limit = FailureLimit::new(4, secs(40)).unwrap();
    rig.run(restarting(factory).unwrap().limit(limit).backoff(short)).await.unwrap();
    assert_eq!(rig.starts().len(), 100);
}

/// Requirement of the default: brokers that are away for ten minutes, however chance falls, and the
/// service that ran for hours before that.
#[tokio::test(start_paused = true)]
async fn the_default_limit_survives_ten_minutes_and_ends_a_task_that_never_works() {
    for seed in 0..20 {
        let rig = Rig::new();
        let away = rig.clone();
        let factory = rig.runs(move |ctx: Context, _| {
            let rig = away.clone();
            async move {
                let since = rig.now();
                let is_away = |at: u64| (36_000_000..36_600_000).contains(&at);
                while !is_away(rig.now()) {
                    // Connected, until the brokers go away after ten hours.
                    let left = 36_000_000_u64.checked_sub(since).unwrap_or(10_000_000);
                    ctx.or_cancelled(sleep(ms(left))).await?;
                }
                bail!("no broker since {since}")
            }
        });
        let task = restarting(factory).unwrap().seed(seed);
        let result = rig.run_for(secs(40_000), task).await;
        let error = result.unwrap_err();
        assert!(error.is::<task_core::Cancelled>(), "{error:#}");

        let rig = Rig::new();
        let task = restarting(rig.runs(async |_, _| bail!("no broker"))).unwrap().seed(seed);
        let error = rig.run(task).await.unwrap_err();
        assert!(error.is::<TooManyFailures>(), "{error:#}");
        let minutes = rig.now() / 60_000;
        assert!((12..=26).contains(&minutes), "after {minutes} minutes");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_the_task_is_restarted_for_ever() {
    let rig = Rig::new();
    let task = restarting(rig.runs(async |_, _| bail!("no broker"))).unwrap();
    rig.run_for(secs(24 * 3600), task.limit(FailureLimit::NONE)).await.unwrap();
    assert!(rig.starts().len() > 1440, "{}", rig.starts().len());
}

#[tokio::test(start_paused = true)]
async fn a_fatal_error_ends_the_task_at_once_and_as_it_is() {
    let rig = Rig::new();
    let factory = rig.runs(async |_, run| {
        if run == 3 { Err(BadCredentials).context("logging in") } else { bail!("no broker") }
    });
    let task = restarting(factory).unwrap().fatal_if(|error| error.is::<BadCredentials>());
    let error = rig.run(task).await.unwrap_err();
    assert_eq!(format!("{error:#}"), "logging in: bad credentials");
    assert_eq!(rig.starts().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_fatal_error_of_the_factory_and_a_predicate_that_panics() {
    let rig = Rig::new();
    let mut made = 0;
    let mut inner = rig.runs(async |_, _| bail!("no broker"));
    let factory = move || {
        made += 1;
        if made == 4 { Err(BadCredentials.into()) } else { inner() }
    };
    let task = restarting(factory)
        .unwrap()
        .fatal_if(|error| error.is::<BadCredentials>() || panic!("the predicate"));
    let error = rig.run(task).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), rig.starts().len()), ("bad credentials", 3));
}

#[tokio::test(start_paused = true)]
async fn survived_failures_are_recorded_where_that_is_asked_for() {
    let rig = Rig::new();
    let factory = rig.runs(async |_, run| match run {
        1 => bail!("no broker"),
        2 => panic!("boom"),
        _ => Ok(()),
    });
    rig.run(restarting(factory).unwrap().record_failures()).await.unwrap();
    assert_eq!(rig.reported("failure "), ["no broker"]);
    assert_eq!(rig.reported("panic "), ["boom"]);
    assert!(rig.reported("count").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_error_text_is_cut_and_one_that_panics_is_replaced() {
    struct Mute;
    impl std::fmt::Debug for Mute {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no text")
        }
    }
    impl std::fmt::Display for Mute {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no text")
        }
    }
    impl std::error::Error for Mute {}
    impl Drop for Mute {
        fn drop(&mut self) {
            panic!("no drop")
        }
    }
    let rig = Rig::new();
    let factory = rig.runs(async |_, run| match run {
        1 => Err(anyhow::anyhow!("é".repeat(1_000_000))),
        2 => Err(Mute.into()),
        3 => Err(anyhow::anyhow!("b".repeat(300))).context("a".repeat(100)),
        _ => Ok(()),
    });
    rig.run(restarting(factory).unwrap()).await.unwrap();
    let statuses = rig.reported("status ");
    let in_parts = format!("failed: {}: {}", "a".repeat(100), "b".repeat(154));
    assert!(statuses[4].ends_with(&in_parts), "{statuses:?}");
    let text = statuses[0].rsplit_once("failed: ").unwrap().1;
    assert_eq!(text, "é".repeat(128));
    assert!(statuses[2].ends_with("failed: (its Display panicked)"), "{statuses:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_run_records_is_survived_like_its_failure_unless_the_task_is_stopped() {
    for is_recorded in [false, true] {
        let rig = Rig::new();
        let factory = rig.runs(async |ctx: Context, run| {
            if run == 1 {
                ctx.record_failure(anyhow::anyhow!("messages were abandoned"));
                bail!("no broker")
            }
            ctx.cancelled().await;
            ctx.record_failure(anyhow::anyhow!("not committed"));
            Ok(())
        });
        let task = restarting(factory).unwrap();
        let task = if is_recorded { task.record_failures() } else { task };
        rig.run_for(secs(60), task).await.unwrap();
        let (failures, counted) = (rig.reported("failure "), rig.reported("count").len());
        if is_recorded {
            assert_eq!(failures, ["messages were abandoned", "no broker", "not committed"]);
            assert_eq!(counted, 0);
        } else {
            assert_eq!((failures, counted), (vec!["not committed".into()], 2));
        }
    }
}
