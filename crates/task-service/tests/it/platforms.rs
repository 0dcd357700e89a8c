//! A service on its platform: what it sets, what it refuses, and what it says of both.

use std::time::Duration;

use rustix::process::Signal;

use crate::{
    child::{Child, Ended},
    undisturbed::in_real_time,
};

/// Stops a scenario by a signal once it is ready.
fn stopped(scenario: &str, environment: &[(&str, &str)], signal: Signal) -> Ended {
    let mut child = Child::start_in(scenario, environment);
    child.wait_for("ready");
    child.kill(signal);
    child.end()
}

/// Returns the output of a scenario up to its line `ready`.
fn start_of(scenario: &str, environment: &[(&str, &str)]) -> String {
    let mut child = Child::start_in(scenario, environment);
    let text = child.read_until("ready");
    child.kill(Signal::TERM);
    child.end();
    text
}

/// Returns the one line that says what holds.
#[track_caller]
fn line_of(output: &str) -> &str {
    let mut lines = output.lines().filter(|line| line.contains("shutdown fits the platform"));
    let line = lines.next().unwrap_or_else(|| panic!("{output}"));
    assert_eq!(lines.next(), None);
    line
}

#[track_caller]
fn assert_has(line: &str, fields: &[&str]) {
    for field in fields {
        assert!(line.contains(field), "{field}: {line}");
    }
}

#[test]
fn it_says_in_one_line_what_it_chose_and_why() {
    let output = start_of("on Kubernetes", &[]);
    assert_has(
        line_of(&output),
        &[
            " INFO task: ",
            r#"platform="Kubernetes""#,
            r#"chosen_by="the program""#,
            "grace=30.0",
            r#"grace_from="the platform's default""#,
            "shutdown_timeout=28.0",
            r#"shutdown_timeout_from="the platform""#,
            "drain_delay=5.0",
            r#"drain_delay_from="the platform""#,
            "hard_exit=29.0",
            r#"signals="SIGTERM""#,
        ],
    );
    let output = start_of("on Cloud Run, with a total set before", &[]);
    assert_has(
        line_of(&output),
        &[
            "shutdown_timeout=5.0",
            r#"shutdown_timeout_from="the program""#,
            "drain_delay=0.1",
            r#"drain_delay_from="the program""#,
        ],
    );
    let ended = Child::start("on Docker, without signals").end();
    assert_has(line_of(&ended.stdout), &[r#"signals="not handled by the service""#]);
    let ended = Child::start("on Docker, with long drops").end();
    assert_has(line_of(&ended.stdout), &["shutdown_timeout=5.0", "hard_exit=6.0"]);
    assert!(ended.stderr.contains(" of 5.00 s, clean"), "and it holds: {}", ended.stderr);
}

#[test]
fn nothing_is_recognised_unless_it_is_asked_for() {
    let on_cloud_run = [("K_SERVICE", "orders")];
    let output = start_of("on the detected platform", &on_cloud_run);
    let fields = [r#"platform="Cloud Run""#, r#"chosen_by="K_SERVICE""#, "shutdown_timeout=8.0"];
    assert_has(line_of(&output), &fields);

    let ended = stopped("serves", &on_cloud_run, Signal::TERM);
    assert!(ended.stderr.contains(" of 25.00 s, clean"), "{}", ended.stderr);
    assert!(!ended.stdout.contains("platform"), "{}", ended.stdout);

    // Those of the machine that runs the tests.
    let none = ["KUBERNETES_SERVICE_HOST", "K_SERVICE", "INVOCATION_ID", "TASK_GRACE_SECONDS"];
    let mut child = Child::start_in("on the detected platform", &none.map(|name| (name, "")));
    let output = child.read_until("ready");
    assert!(output.contains("no platform recognised: the defaults hold"), "{output}");
    child.kill(Signal::TERM);
    let ended = child.end();
    assert!(ended.stderr.contains(" of 25.00 s, clean"), "{}", ended.stderr);
}

#[test]
fn a_first_interrupt_is_graceful_where_the_platform_stops_with_it() {
    let ended = stopped("on Nomad", &[], Signal::INT);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains(" of 3.00 s, clean; cause: signal SIGINT"), "{}", ended.stderr);
}

#[test]
fn settings_that_do_not_fit_are_an_error_that_says_what_would() {
    for (scenario, code, text) in [
        (
            "on Cloud Run, with a total of 25 s set after",
            78,
            "`shutdown_timeout` of 25s does not fit Cloud Run, which kills the process 10s after",
        ),
        (
            "on Cloud Run, with a drain of 25 s",
            78,
            "`drain_delay` of 25s leave less than 100ms for the tasks, of the 8s",
        ),
        (
            "on Fly.io, with INT left out",
            79,
            "SIGINT is to stop the group, and is not among the signals",
        ),
        (
            "on Fly.io, with an INT that aborts",
            79,
            "SIGINT is to stop the group, and its first reaction is `abort`",
        ),
    ] {
        let ended = Child::start(scenario).end();
        assert_eq!(ended.code, Some(code), "{scenario}: {}", ended.stderr);
        assert!(ended.stderr.contains("the service failed to start: "), "{}", ended.stderr);
        assert!(ended.stderr.contains(text), "{scenario}: {}", ended.stderr);
        assert!(!ended.stdout.contains("ready"), "{scenario}");
    }
    let grace = [("K_SERVICE", "orders"), ("TASK_GRACE_SECONDS", "10s")];
    let ended = Child::start_in("on the detected platform", &grace).end();
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("TASK_GRACE_SECONDS is \"10s\""), "{}", ended.stderr);
}

#[test]
fn a_wedged_service_has_exited_before_the_platform_kills_it() {
    in_real_time(|| {
        let mut child = Child::start("on a platform of 3.5 s, wedged");
        child.wait_for("ready");
        child.kill(Signal::TERM);
        let ended = child.end();
        assert_eq!(ended.code, Some(4), "{}", ended.stderr);
        assert!(ended.stderr.contains(" of 1.50 s, "), "2 s are for the end: {}", ended.stderr);
        // By the hard exit at 2.5 s. The kill would come at 3.5 s, if this machine has a core to
        // spare.
        println!("measured: ended {} ms after the signal", ended.took.as_millis());
        assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
    });
}
