//! Ends the suite when a test hangs, and names the test.
//!
//! The suites of several crates include this file. Tests run in the order of their names, and this
//! module's is the first, so that the watchdog runs before anything can hang. It runs where the
//! whole suite does, and not beside tests that are selected by name.
#![cfg(target_os = "linux")]

use std::{
    collections::HashMap,
    env, fs,
    io::{Write as _, stderr},
    process::{self, Command},
    thread,
    time::{Duration, Instant},
};

/// How long a test may run. None takes longer than a few seconds on an idle machine.
const LIMIT: Duration = Duration::from_secs(180);
/// Set in the process in which a test hangs on purpose.
const HANGS: &str = "TASK_WATCHDOG_HANGS";
/// How many bytes of a thread's name the kernel keeps.
const KEPT: usize = 15;

#[test]
fn begins() {
    let limit = if env::var_os(HANGS).is_some() { Duration::from_secs(1) } else { LIMIT };
    let tests = tests();
    assert!(tests.contains(&String::from("a_watchdog::begins")), "{tests:?}");
    thread::Builder::new().name("watchdog".into()).spawn(move || watch(&tests, limit)).unwrap();
}

#[test]
fn hangs_where_that_is_asked() {
    if env::var_os(HANGS).is_some() {
        thread::sleep(LIMIT);
    }
}

#[test]
fn names_and_ends_a_test_that_hangs() {
    if env::var_os(HANGS).is_some() {
        return;
    }
    let began = Instant::now();
    let mut suite = Command::new(env::current_exe().unwrap());
    let ended = suite.args(["a_watchdog", "--test-threads=2"]).env(HANGS, "").output().unwrap();
    let text = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success(), "{text}");
    assert!(text.contains("a_watchdog::hangs_where_that_is_asked"), "{text}");
    assert!(began.elapsed() < LIMIT / 2);
}

/// The names of all tests of the suite.
fn tests() -> Vec<String> {
    let mut suite = Command::new(env::current_exe().unwrap());
    let list = suite.args(["--list", "--format=terse"]).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    list.lines().filter_map(|line| line.strip_suffix(": test")).map(String::from).collect()
}

/// Looks each second which tests run. A test's thread has the test's name, as far as the kernel
/// keeps it.
fn watch(tests: &[String], limit: Duration) {
    let begins_with = |test: &String, name: &str| {
        let kept = test.as_bytes().get(..KEPT).unwrap_or(test.as_bytes());
        kept == name.as_bytes()
    };
    let mut running = HashMap::new();
    loop {
        thread::sleep(Duration::from_secs(1));
        let threads: Vec<(_, String)> = fs::read_dir("/proc/self/task")
            .into_iter()
            .flatten()
            .filter_map(|thread| {
                let thread = thread.ok()?;
                // One that has ended meanwhile cannot be read.
                let name = fs::read_to_string(thread.path().join("comm")).ok()?;
                Some((thread.file_name(), name.trim_end().to_owned()))
            })
            .filter(|(_, name)| tests.iter().any(|test| begins_with(test, name)))
            .collect();
        running.retain(|thread, _| threads.contains(thread));
        for thread in threads {
            running.entry(thread).or_insert_with(Instant::now);
        }
        for ((_, name), began) in &running {
            if began.elapsed() < limit {
                continue;
            }
            let named = tests.iter().filter(|test| begins_with(test, name));
            let named: Vec<_> = named.map(String::as_str).collect();
            let line = format!("a test hangs: {}\n", named.join(", or "));
            // Not by `eprint`, which the harness captures.
            let _ = stderr().write_all(line.as_bytes());
            process::abort();
        }
    }
}
