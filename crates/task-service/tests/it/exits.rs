//! The exit codes of a service, and what it writes.

use std::time::Duration;

use crate::child::Child;

#[test]
fn a_service_whose_work_is_done_exits_with_0_and_the_report() {
    let ended = Child::start("completes").end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.starts_with("service stopped in "), "{}", ended.stderr);
    assert!(ended.stderr.contains("cause: all work is done"), "{}", ended.stderr);
}

#[test]
fn a_failed_task_exits_with_1_after_the_cleanups() {
    let ended = Child::start("a task fails").end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stdout.contains("cleaned up"));
    assert!(ended.stderr.contains("failure: task `bad` failed: no broker"), "{}", ended.stderr);
}

#[test]
fn a_failed_setup_exits_with_3_after_stopping_what_it_had_started() {
    let ended = Child::start("the setup fails").end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stdout.contains("cleaned up"));
    assert!(
        ended.stderr.contains("failure: the setup failed: connecting: no database"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("worker"), "{}", ended.stderr);
}

#[test]
fn a_refusal_without_a_stop_fails_the_setup() {
    let ended = Child::start("is refused by another manager").end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let failure = "failure: the setup failed: `worker` was refused: the manager has ended";
    assert!(ended.stderr.contains(failure), "{}", ended.stderr);
}

#[test]
fn a_setup_that_panics_counts_as_failed() {
    let ended = Child::start("the setup panics").end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stdout.contains("cleaned up"));
    assert!(ended.stderr.contains("no configuration"), "{}", ended.stderr);
}

#[test]
fn an_end_without_a_stop_request_is_0_unless_set_to_fail() {
    let ended = Child::start("ends unasked").end();
    assert_eq!(ended.code, Some(0));
    // Before the last line of the group, for which telemetry waits.
    let place = |text| ended.stdout.find(text).unwrap_or_else(|| panic!("{}", ended.stdout));
    let warning = place(" WARN task: service ended without a stop request");
    assert!(warning < place(" INFO task: shutdown ended"), "{}", ended.stdout);
    let ended = Child::start("ends unasked and that fails").end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let failure = "failure: task `main loop` ended though nothing asked it to";
    assert!(ended.stderr.contains(failure), "and the report says so: {}", ended.stderr);
    assert!(!ended.stderr.contains("s, clean;"), "{}", ended.stderr);
}

#[test]
fn an_exit_code_can_be_set_and_the_others_left() {
    let ended = Child::start("fails with a code of its own").end();
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
}

#[test]
fn the_exit_code_is_that_of_the_first_failures_error_where_its_type_has_one() {
    for (scenario, code) in [
        ("an error of a task under contexts", 78),
        ("a context", 78),
        ("a cause", 78),
        ("a type by `any_error`", 78),
        ("a box by `any_error`", 78),
        ("the first type that was set", 69),
        ("another type", 70),
        ("the setup", 78),
        ("a panic beside it", 70),
        ("a clean end", 0),
        ("the start", 71),
        ("contradicting settings", 78),
        ("the report's cause", 75),
        ("a report without one", 78),
        ("a clean report", 10),
    ] {
        let ended = Child::start(&format!("codes: {scenario}")).end();
        assert_eq!(ended.code, Some(code), "{scenario}: {}", ended.stderr);
    }
}

/// Invariant 9.
#[test]
fn code_of_the_users_for_an_exit_code_that_panics_or_blocks_is_as_if_it_was_not_there() {
    for how in
        ["one that panics", "one that blocks", "a report that panics", "a report that blocks"]
    {
        let ended = Child::start(&format!("codes: {how}")).end();
        assert_eq!(ended.code, Some(70), "{how}: {}", ended.stderr);
        assert!(ended.stderr.contains("failure: task `bad` failed"), "{how}: {}", ended.stderr);
        assert!(ended.took < Duration::from_secs(10), "{how}: {:?}", ended.took);
    }
}

#[test]
fn a_panic_of_the_setup_is_located() {
    let ended = Child::start("cannot even begin its setup").end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stdout.contains("cleaned up"));
    assert!(ended.stderr.contains("the setup failed: panicked at "), "{}", ended.stderr);
    assert!(ended.stderr.contains("scenario.rs:"), "{}", ended.stderr);
}

#[test]
fn a_report_to_the_log_is_one_event_with_fields_at_the_level_of_what_it_says() {
    let ended = Child::start("reports a failure to the log").end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(ended.stderr, "", "the log alone has it");
    let line = ended.stdout.lines().find(|line| line.contains("shutdown ended")).unwrap();
    assert!(line.contains("ERROR task: shutdown ended"), "{line}");
    for field in [
        r#"manager="example""#,
        r#"cause="task `bad` failed""#,
        "took=0.",
        "budget=25.0",
        "failures=1",
        r#"root="task `bad` failed: no broker""#,
        // The setup may still be there, whose phase is the first then.
        r#"phases="phase S"#,
        "phase SUPPORT ",
        "started=2",
        "completed=1",
        "failed=1",
    ] {
        assert!(line.contains(field), "{field}: {line}");
    }
    let clean = Child::start("reports to the log").end();
    assert_eq!((clean.code, &*clean.stderr), (Some(0), ""));
    assert!(clean.stdout.contains(" INFO task: shutdown ended"), "{}", clean.stdout);
}

#[test]
fn the_metrics_of_the_shutdown_are_in_their_file_when_the_process_has_ended() {
    let folder = std::env::temp_dir().join(format!("task-service-metrics-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("example.prom");
    let text = file.to_str().unwrap();
    std::fs::write(&file, "of the shutdown before\n").unwrap();
    let ended = Child::start_in("writes its metrics", &[("METRICS_FILE", text)]).end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let metrics = std::fs::read_to_string(&file).unwrap();
    let clean = "task_last_shutdown_failures{manager=\"example\"} 0\n";
    assert!(metrics.contains(clean) && !metrics.contains("before"), "{metrics}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "a temporary file is left");

    let missing = folder.join("missing/example.prom");
    let missing = [("METRICS_FILE", missing.to_str().unwrap())];
    let ended = Child::start_in("writes its metrics", &missing).end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("metrics of the shutdown not written"), "{}", ended.stdout);
    std::fs::remove_dir_all(&folder).unwrap();
}
