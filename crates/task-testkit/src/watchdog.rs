//! Ends the process when a test hangs: a poll that never returns cannot be ended otherwise.

use std::{
    env,
    io::{Write as _, stderr},
    process,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// The exit code of a panic, which test runners know.
const EXIT_CODE: i32 = 101;

/// The seconds of real time that a test has; see [`real_limit`].
const VARIABLE: &str = "TASK_TESTKIT_TIMEOUT";
/// Without that variable.
const DEFAULT: Duration = Duration::from_secs(60);
/// The clock has a range.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// How much real time a test, or one point of a sweep, may take.
pub(crate) fn real_limit() -> Duration {
    let set = env::var(VARIABLE).ok().and_then(|seconds| seconds.parse().ok());
    set.filter(|seconds| *seconds > 0).map_or(DEFAULT, Duration::from_secs)
}

/// Writes what hangs to standard error and ends the process, unless it is fed or dropped in time.
#[derive(Debug)]
pub(crate) struct Watchdog(Arc<Watched>);

#[derive(Debug)]
struct Watched {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    limit: Duration,
    deadline: Instant,
    what: String,
    is_over: bool,
}

impl Watchdog {
    /// Begins with the limit of real time, and so much more.
    pub(crate) fn start(more: Duration, what: impl Into<String>) -> Self {
        let limit = real_limit().saturating_add(more).min(LONGEST);
        let state =
            State { limit, deadline: Instant::now() + limit, what: what.into(), is_over: false };
        let watched = Arc::new(Watched { state: Mutex::new(state), changed: Condvar::new() });
        let watching = watched.clone();
        let test = thread::current().name().unwrap_or("a test").to_owned();
        let started = thread::Builder::new()
            .name("test-watchdog".into())
            .spawn(move || watching.watch(&test));
        if let Err(error) = started {
            panic!("failed to start the watchdog of a test: {error}");
        }
        Self(watched)
    }

    /// Begins the limit anew.
    pub(crate) fn feed(&self, what: impl Into<String>) {
        let mut state = self.0.state();
        state.deadline = Instant::now() + state.limit;
        state.what = what.into();
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.state().is_over = true;
        self.0.changed.notify_all();
    }
}

impl Watched {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, test: &str) {
        let mut state = self.state();
        while !state.is_over {
            let left = state.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // Not a panic and not `eprintln!`: those are captured with the output of the test.
                let _ = writeln!(
                    stderr(),
                    "{test}: {} hangs: nothing ended for {:?} of real time",
                    state.what,
                    state.limit,
                );
                process::exit(EXIT_CODE);
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
