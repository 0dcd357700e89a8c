//! What the collector has at the end of the example, and when that comes.
#![allow(clippy::unwrap_used)]

use std::{
    process::{Command, Output},
    time::{Duration, Instant},
};

/// Runs the example, and returns how long it took.
fn run(words: &[&str]) -> (Output, Duration) {
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_21_telemetry")).args(words).output().unwrap();
    (output, began.elapsed())
}

/// Asserts that the collector has every span and the log up to its last line.
#[track_caller]
fn assert_complete(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    for spans in
        ["100 spans named `order`", "1 spans named `cleanup`", "1 spans named `close the pool`"]
    {
        assert!(text.contains(spans), "{text}\n{errors}");
    }
    let last: Vec<_> = text.lines().rev().take(2).collect();
    assert_eq!(last, ["and the line: shutdown ended", "and the line: pool closed"], "{errors}");
    assert!(!errors.contains("telemetry"), "{errors}");
}

#[test]
fn the_collector_has_the_last_spans_and_the_last_line() {
    for words in [&[][..], &["current"], &["slow"], &["slow", "current"]] {
        let (output, _) = run(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert_complete(&output);
    }
}

/// The blocking client needs no runtime.
#[test]
fn a_blocked_runtime_sends_its_telemetry_all_the_same() {
    let (output, took) = run(&["wedged"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("and the line: shutdown ended\n"), "{text}");
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn a_collector_that_hangs_delays_the_end_by_its_budget_and_a_line_says_so() {
    for words in [&["hangs"][..], &["hangs", "current"]] {
        let (output, took) = run(words);
        // The report was clean.
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        // A fifth of 3.9 s; the rest is for a busy machine.
        assert!(took > Duration::from_millis(600) && took < Duration::from_secs(4), "{took:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<_> = errors.lines().filter(|line| line.contains("telemetry")).collect();
        assert_eq!(lines.len(), 1, "{errors}");
        let line = lines[0];
        assert!(line.starts_with("orders: telemetry `traces` "), "{line}");
        assert!(line.contains("; `logs` "), "{line}");
    }
}
