//! Runs the body of a test in a child process, and returns how that ended.

use std::{
    any::type_name_of_val,
    env, fs, io,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::undisturbed::undisturbed;

/// The environment variable that names the scenario of a child.
const SCENARIO: &str = "TASK_WEDGE_SCENARIO";
/// How long a child may run before it is killed.
const LIMIT: Duration = Duration::from_secs(20);

/// How a child ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) took: Duration,
    pub(crate) stderr: String,
}

impl Ended {
    /// Asserts that the assertions of the scenario held.
    #[track_caller]
    pub(crate) fn passed(self) {
        assert!(self.status.success(), "{}\n{}", self.status, self.stderr);
        let figures = self.stderr.lines().filter(|line| line.starts_with("measured"));
        figures.for_each(|line| println!("{line}"));
    }
}

/// In the child, runs `body` and exits with code 0; in the parent, starts the child and waits for
/// its end.
pub(crate) fn run<F: FnOnce()>(body: F) -> Ended {
    run_in(&[], body)
}

/// As [`run`], with these variables in the environment of the child.
pub(crate) fn run_in<F: FnOnce()>(environment: &[(&str, &str)], body: F) -> Ended {
    let name = type_name_of_val(&body);
    let name = name.split_once("::").unwrap().1.trim_end_matches("::{{closure}}");
    if env::var(SCENARIO).is_ok_and(|scenario| scenario == name) {
        body();
        // A return would wait for threads that the body left blocked.
        std::process::exit(0);
    }
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // Whether another end came in time is for the test to say.
    undisturbed(|| start(environment, name), |ended| ended.status.success())
}

/// Runs the scenario of this name in a child.
fn start(environment: &[(&str, &str)], name: &str) -> Ended {
    let stderr = env::temp_dir().join(format!("{}-{}", std::process::id(), name.replace(':', "-")));
    let began = Instant::now();
    let child = Command::new(env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(SCENARIO, name)
        .env("RUST_BACKTRACE", "0")
        .env_remove("RUST_LIB_BACKTRACE")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // A pipe would block the child unless it is read.
        .stderr(fs::File::create(&stderr).unwrap())
        .spawn()
        .unwrap();
    let status = wait(child);
    let took = began.elapsed();
    let text = fs::read_to_string(&stderr).unwrap();
    fs::remove_file(&stderr).unwrap();
    let status = status.unwrap_or_else(|error| panic!("`{name}`: {error}\n{text}"));
    Ended { status, took, stderr: text }
}

/// Waits for the end of the child, and kills it at the limit.
fn wait(mut child: Child) -> io::Result<ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.kill()?;
    child.wait()?;
    Err(io::Error::other(format!("still running after {LIMIT:?}, killed")))
}
