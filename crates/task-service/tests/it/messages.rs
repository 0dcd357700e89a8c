//! The message that a service leaves in a file, after each kind of end.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    child::{Child, Ended},
    undisturbed::in_real_time,
};

/// A folder that is removed with what is in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("task-service-message-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a scenario to its end, with these signals once it is ready.
fn ended(scenario: &str, file: &Path, signals: &[Signal]) -> Ended {
    let file = [("MESSAGE_FILE", file.to_str().unwrap())];
    let mut child = Child::start_in(&format!("message: {scenario}"), &file);
    if !signals.is_empty() {
        child.wait_for("ready");
    }
    for (place, signal) in signals.iter().enumerate() {
        if place > 0 {
            // Beyond the window of repeats.
            std::thread::sleep(Duration::from_millis(400));
        }
        child.kill(*signal);
    }
    child.end()
}

#[test]
fn after_each_kind_of_end_the_file_says_with_which_code_why_and_who() {
    in_real_time(|| {
        let folder = Folder::new("ends");
        let file = folder.0.join("termination-log");
        let term = &[Signal::TERM][..];
        for (scenario, signals, code, first, then) in [
            ("clean", term, 0, "cause: signal SIGTERM", &["clean; cause: "][..]),
            (
                "fails",
                &[],
                1,
                "cause: task `bad` failed",
                &["1 failure: task `bad` failed: no broker"],
            ),
            ("panics", &[], 1, "cause: task `bad` panicked", &["task `bad` panicked at "]),
            ("setup fails", &[], 3, "cause: the setup failed", &["the setup failed: no database"]),
            (
                "start fails",
                &[],
                3,
                "cause: the service failed to start",
                &["`shutdown_timeout` of "],
            ),
            ("own code", &[], 65, "cause: task `bad` failed", &["no broker"]),
            (
                "wedged worker",
                term,
                1,
                "cause: signal SIGTERM",
                &[
                    "1 failure: task `wedge` was abandoned in a poll",
                    "writing part 7",
                    "stuck: task `wedge`",
                ],
            ),
            (
                "wedged thread",
                term,
                4,
                "cause: signal SIGTERM",
                &["hard exit with code 4", "wedge (holds a thread)", "stuck: task `wedge`"],
            ),
            (
                "slow",
                &[Signal::INT, Signal::INT],
                1,
                "cause: signal SIGINT",
                &["1 failure: task `slow` was aborted", "stuck: task `slow`"],
            ),
        ] {
            fs::write(&file, "of the life before\n".repeat(100)).unwrap();
            let ended = ended(scenario, &file, signals);
            assert_eq!(ended.code, Some(code), "{scenario}: {}", ended.stderr);
            let text = fs::read_to_string(&file).unwrap();
            println!("{scenario}:\n{text}");
            assert!(!text.contains("of the life before"), "{text}");
            let line = text.lines().next().unwrap();
            assert!(line.starts_with(&format!("exit code {code}, {first}")), "{scenario}: {text}");
            for part in then {
                assert!(text.contains(part), "{scenario}, {part}: {text}");
            }
            assert!(!ended.stdout.contains("message of the end not written"), "{}", ended.stdout);
        }
    });
}

#[test]
fn a_message_of_many_failures_is_cut_at_a_character() {
    let folder = Folder::new("many");
    let file = folder.0.join("termination-log");
    let ended = ended("many failures", &file, &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let bytes = fs::read(&file).unwrap();
    assert!((4_000..=4_096).contains(&bytes.len()), "{}", bytes.len());
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("exit code 1, cause: ") && text.ends_with("...\n"), "{text}");
}

/// FAILURES 75.
#[test]
fn a_file_that_cannot_be_written_is_a_warning_and_delays_nothing() {
    let folder = Folder::new("none");
    let pipe = folder.0.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for file in [&folder.0, &folder.0.join("missing/file"), &pipe] {
        let ended = ended("clean", file, &[Signal::TERM]);
        assert_eq!(ended.code, Some(0), "{file:?}: {}", ended.stderr);
        let warning = "WARN task: message of the end not written file=";
        assert!(ended.stdout.contains(warning), "{file:?}: {}", ended.stdout);
        assert!(ended.stderr.contains("s, clean; cause: "), "{file:?}: {}", ended.stderr);
        assert!(ended.took < Duration::from_secs(10), "{file:?}: {:?}", ended.took);
    }
}

#[test]
fn the_deployment_says_where_a_recognised_platform_shows_it() {
    let folder = Folder::new("variable");
    let file = folder.0.join("termination-log");
    let environment = [("K_SERVICE", "orders"), ("TASK_TERMINATION_LOG", file.to_str().unwrap())];
    let mut child = Child::start_in("on the detected platform", &environment);
    child.wait_for("termination_log=\"");
    child.wait_for("ready");
    child.kill(Signal::TERM);
    assert_eq!(child.end().code, Some(0));
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("exit code 0, cause: signal SIGTERM"), "{text}");
}
