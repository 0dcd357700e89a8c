//! Foreign strings in the texts of a shutdown: no line is forged, and none is endless.

use anyhow::anyhow;
use proptest::prelude::*;
use task_manager::{Context, Manager, Report, Task, scope::guarded_text, task_fn};
use tokio::runtime::Builder;

use crate::support::SECOND;

/// A nested group and an outer one in which everything that can be given a text is given this one,
/// and everything fails that can.
async fn failing(text: &str) -> (Report, Vec<String>) {
    let owned = || String::from(text);
    let builder = || Manager::builder().name(owned()).shutdown_timeout(8 * SECOND);
    let outer = builder().start_timeout(SECOND).build().unwrap();
    let inner = builder().build().unwrap();
    let reason = owned();
    let asks = async move |ctx: Context| {
        ctx.request_stop(reason);
        ctx.record_failure(anyhow!(ctx.name().to_owned()).context(ctx.name().to_owned()));
        Ok(())
    };
    inner.run(task_fn(owned(), asks)).unwrap();
    let status = owned();
    let stuck = async move |ctx: Context| {
        ctx.set_status(status);
        let _hold = ctx.hold();
        std::future::pending().await
    };
    inner.run(task_fn(owned(), stuck)).unwrap();
    let message = owned();
    let panics = outer
        .run(task_fn(owned(), async move |ctx: Context| {
            ctx.cancelled().await;
            panic!("{message}")
        }))
        .unwrap();
    outer.run(task_fn(owned(), async |_| std::future::pending().await).gating_readiness()).unwrap();
    outer.run(inner.into_task()).unwrap();
    let error = owned();
    outer.cleanup(owned(), async move || Err(anyhow!(error))).unwrap();
    outer.setup_failed(anyhow!(owned()));
    let error = outer.wait().await.unwrap_err();
    let report = error.report().unwrap().clone();
    let refused = outer.run(task_fn(owned(), async |_| Ok(()))).unwrap_err();
    let not_ready = panics.ready().await.unwrap_err();
    let mut texts = vec![error.to_string(), refused.to_string(), report.cause().to_string()];
    texts.push(not_ready.to_string());
    texts.extend(report.later_triggers().iter().map(ToString::to_string));
    texts.extend(report.failures().iter().map(ToString::to_string));
    (report, texts)
}

fn is_one_line(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}'))
}

fn run<R>(body: impl Future<Output = R>) -> R {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(body)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Invariant 2.
    #[test]
    fn no_string_forges_a_line(text in r"(\n|\r|\x1b|\u{2028}|\u{202e}|.|  failure: task x){1,40}") {
        let (report, texts) = run(failing(&text));
        // As long, since a first line that is too long has a second one.
        let (plain, _) = run(failing(&"x".repeat(guarded_text(&text).chars().count())));
        prop_assert_eq!(report.to_string().split('\n').count(), plain.to_string().split('\n').count());
        for line in report.to_string().split('\n') {
            prop_assert!(is_one_line(line), "{line:?}");
        }
        for text in texts {
            prop_assert!(is_one_line(&text), "{text:?}");
        }
    }
}

#[test]
fn texts_of_a_megabyte_are_cut_in_every_line() {
    let (report, texts) = run(failing(&"long\n".repeat(200_000)));
    assert!(texts.iter().all(|text| text.len() < 64 << 10));
    let text = report.to_string();
    assert!(text.contains("... (cut)") && text.len() < 512 << 10, "{}", text.len());
    #[cfg(feature = "serde")]
    assert!(serde_json::to_string(&report).unwrap().len() < 1 << 20);
}
