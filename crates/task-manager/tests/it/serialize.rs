//! The report as data, behind the feature `serde`.

use std::{fmt, time::UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::{Value, json};
use task_manager::{Manager, task_fn};

use crate::report::eventful;

#[tokio::test(start_paused = true)]
async fn the_serialized_report_has_stable_names() {
    let error = eventful().await;
    let value = serde_json::to_value(error.report().unwrap()).unwrap();
    let keys: std::collections::BTreeSet<_> = value.as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        keys.into_iter().collect::<Vec<_>>(),
        [
            "began",
            "blocked",
            "cause",
            "clean",
            "cleanups",
            "exit_code",
            "failures",
            "later_triggers",
            "name",
            "omitted_cleanups",
            "omitted_failures",
            "omitted_tasks",
            "omitted_triggers",
            "phases",
            "steps",
            "summary",
            "tasks",
            "totals"
        ]
    );
    let cause = json!({ "kind": "stopped", "text": "stop was called", "task": null, "at": 10.0 });
    assert_eq!(value["cause"], cause);
    assert_eq!(value["later_triggers"][0]["task"], "stuck");
    assert_eq!(
        value["tasks"][0],
        json!({
            "id": 1, "name": "server", "phase": 50, "outcome": "completed", "ended_at": 15.0,
            "ran": 15.0, "stop_took": 3.0, "status": null, "restarts": 0, "failures": 0,
        })
    );
    let began = error.report().unwrap().began().duration_since(UNIX_EPOCH).unwrap();
    assert!((value["began"].as_f64().unwrap() - began.as_secs_f64()).abs() < 0.000_6);
    assert_eq!(value["failures"][0]["kind"], "aborted");
    let deadline = json!({
        "kind": "phase", "phase": 100, "had": 13.85, "text": "phase WORK had 13.85 s",
    });
    assert_eq!(value["failures"][0]["deadline"], deadline);
    assert_eq!(value["failures"][0]["after_abort"], Value::Null);
    assert_eq!(value["failures"][0]["activity"], Value::Null);
    assert_eq!(value["failures"][0]["id"], 4, "distinguishes tasks of the same name");
    assert_eq!(value["failures"][0]["error"], json!([]));
    let database = &value["failures"][1];
    assert_eq!(database["text"], "cleanup `database` failed");
    assert_eq!(database["error"], json!(["connection lost"]));
    assert_eq!(value["cleanups"][1]["outcome"], "failed");
    assert_eq!(value["steps"]["budget"], 25.0);
    assert_eq!(value["steps"]["drain_budget"], 2.0);
    let ingress = &value["phases"][0];
    assert_eq!((&ingress["phase"], &ingress["tasks"]), (&json!(50), &json!(1)));
    assert_eq!((&ingress["stopped_at"], &ingress["ended_at"]), (&json!(12.0), &json!(15.0)));
    assert_eq!(ingress["last"], value["tasks"][0]);
    assert_eq!(value["summary"], error.report().unwrap().summary());
    assert_eq!(value["blocked"], Value::Null);
    assert_eq!(value["totals"]["aborted"], 1);
    assert_eq!((&value["exit_code"], &value["clean"]), (&json!(1), &Value::Bool(false)));
}

/// FAILURES 16.
#[tokio::test(start_paused = true)]
async fn a_serialized_error_has_its_causes_and_a_placeholder_if_its_display_panics() {
    #[derive(Debug)]
    struct Mute;
    impl fmt::Display for Mute {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no text")
        }
    }
    impl std::error::Error for Mute {}
    let manager = Manager::new();
    manager.run(task_fn("mute", async |_| Err(Mute).context("reading orders"))).unwrap();
    manager.run(task_fn("panics", async |_| panic!("over"))).unwrap();
    let error = manager.wait().await.unwrap_err();
    let value = serde_json::to_value(error.report().unwrap()).unwrap();
    let errors = &value["failures"][0]["error"];
    assert_eq!(*errors, json!(["reading orders", "(its Display panicked)"]));
    assert!(value["failures"][1]["location"].as_str().unwrap().contains("serialize.rs:"));
}

/// A paused clock is exact, a real one is not.
#[tokio::test]
async fn numbers_have_no_more_digits_than_mean_something_and_no_string_has_bars() {
    let manager = Manager::new();
    manager
        .run(task_fn("slow", async |ctx| {
            ctx.cancelled().await;
            tokio::time::sleep(std::time::Duration::from_micros(150_500)).await;
            Ok(())
        }))
        .unwrap();
    manager.cleanup("close", async || Ok(())).unwrap();
    let report = manager.shutdown().await.unwrap();
    let text = serde_json::to_string(&report).unwrap();
    let is_number = |part: &&str| part.contains('.') && part.parse::<f64>().is_ok();
    let numbers: Vec<_> = text.split([':', ',', '}', ']']).filter(is_number).collect();
    assert!(numbers.len() > 10, "{text}");
    for number in numbers {
        let digits = number.split('.').nth(1).unwrap().len();
        let most = if number.starts_with("0.00") { 6 } else { 3 };
        assert!(digits <= most, "{number}: {text}");
    }
    assert!(!text.contains('|') && !text.contains("=="), "{text}");
}
