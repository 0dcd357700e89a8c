//! A paused clock for tests, without its traps.

use std::{
    future::poll_fn,
    ops::Deref,
    panic::Location,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Sender},
    },
    task::{self, Poll, Waker},
    thread,
    time::Duration,
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

use crate::{
    text::seconds,
    watchdog::{Watchdog, real_limit},
};

/// How much real time a wait has for threads before its limit on a paused clock begins.
const REAL_TIME: Duration = Duration::from_secs(1);
/// How long [`until`] waits.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// How often [`until`] asks at first.
const STEP: Duration = Duration::from_millis(1);
/// The part of its wait so far that [`until`] sleeps, later on: one that fails takes some 50,000
/// steps, not 600,000, which take a minute of real time on some systems.
const STEPS: u32 = 10_000;

/// Runs a test on a paused clock, and returns what it returns: on a runtime of its own with one
/// thread, in which time passes only while everything waits, and then at once.
///
/// A watchdog ends the process with code 101 if the test takes too much [real
/// time](crate#real-time), and names the test: a task that never awaits cannot be stopped otherwise.
///
/// # The paused clock
///
/// | trap | way out |
/// |---|---|
/// | `tokio::time::advance` moves the clock without running what lies between | `tokio::time::sleep` runs it, and takes no real time |
/// | time leaps to the next timer while a socket or a thread is waited for, so that a timeout on it fires at once | [`frozen`] holds the clock meanwhile |
/// | it needs a runtime with one thread; others panic when it is paused | this function makes one |
/// | a test without a timer that waits for ever hangs | the watchdog; [`until`] and [`TestRun`](crate::TestRun) have limits of their own |
///
/// # Panics
///
/// If the test panics, or if it is called within a Tokio runtime.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_testkit::paused;
/// use tokio::time::{Instant, sleep};
///
/// paused(async {
///     let start = Instant::now();
///     sleep(Duration::from_secs(3600)).await; // takes no time
///     assert_eq!(start.elapsed(), Duration::from_secs(3600));
/// });
/// ```
#[track_caller]
pub fn paused<T>(test: impl Future<Output = T>) -> T {
    let at = Location::caller();
    let _watchdog = Watchdog::start(Duration::ZERO, format!("the test at {at}"));
    OwnRuntime::paused(|_| {}).block_on(test)
}

/// A runtime that is left without waiting for what still blocks on it, also by a panic.
pub(crate) struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    #[track_caller]
    pub(crate) fn build(builder: &mut Builder) -> Self {
        assert!(
            Handle::try_current().is_err(),
            "this makes a runtime of its own: call it from a plain `#[test]`, not within a runtime",
        );
        match builder.enable_all().build() {
            Ok(runtime) => Self(Some(runtime)),
            Err(error) => panic!("failed to make a runtime: {error}"),
        }
    }

    /// Makes a runtime with one thread and a paused clock.
    #[track_caller]
    pub(crate) fn paused(configure: impl FnOnce(&mut Builder)) -> Self {
        let mut builder = Builder::new_current_thread();
        configure(builder.start_paused(true));
        Self::build(&mut builder)
    }
}

impl Deref for OwnRuntime {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        let Some(runtime) = &self.0 else { unreachable!("it is taken when it is dropped") };
        runtime
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

/// Waits for `future`, for at most `longest` on Tokio's clock. A paused clock would leap there at
/// once, so the future first has some real time, for the threads that it may wait for.
pub(crate) async fn within<F: Future>(longest: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut real_time = pin!(RealSleep::Unused);
    let first = poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => real_time.as_mut().poll(cx).map(|()| None),
    });
    match first.await {
        Some(output) => Some(output),
        None => timeout(longest, future).await.ok(),
    }
}

/// A second of real time, which holds no clock. It is counted from the first poll on.
enum RealSleep {
    Unused,
    Running {
        waker: Arc<Mutex<Option<Waker>>>,
        /// Its drop ends the thread.
        _running: Sender<()>,
    },
}

impl Future for RealSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        if let Self::Running { waker, .. } = &*self {
            let mut waker = waker.lock().unwrap_or_else(PoisonError::into_inner);
            // The thread has taken it.
            let is_over = waker.is_none();
            return if is_over {
                Poll::Ready(())
            } else {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            };
        }
        let waker = Arc::new(Mutex::new(Some(cx.waker().clone())));
        let (running, ended) = mpsc::channel::<()>();
        let sleeping = thread::Builder::new().name("test-real-time".into()).spawn({
            let waker = waker.clone();
            move || {
                let _ = ended.recv_timeout(REAL_TIME);
                let waker = waker.lock().unwrap_or_else(PoisonError::into_inner).take();
                waker.into_iter().for_each(Waker::wake);
            }
        });
        *self = Self::Running { waker, _running: running };
        if sleeping.is_err() { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Waits until `holds` returns true. It is asked now and after each millisecond of Tokio's clock;
/// once the wait is longer than 10 s, after each ten-thousandth of it, rounded up to a millisecond.
/// `what` completes "not ..." in the message of a failure.
///
/// # Panics
///
/// If it does not hold after 10 minutes of Tokio's clock.
///
/// # Cancel safety
///
/// This function is cancel safe.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, time::Duration};
/// use task_testkit::{paused, until};
/// use tokio::time::sleep;
///
/// paused(async {
///     let count = Cell::new(0);
///     let work = async {
///         loop {
///             sleep(Duration::from_secs(1)).await;
///             count.set(count.get() + 1);
///         }
///     };
///     tokio::select! {
///         () = work => {}
///         () = until("three rounds", || count.get() == 3) => {}
///     }
/// });
/// ```
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LONGEST_WAIT, "not {what} within {}", seconds(LONGEST_WAIT));
        sleep(STEP.max(start.elapsed() / STEPS)).await;
    }
}

/// Holds a paused clock while `future` runs, for what waits in real time: a socket, a thread, a
/// child process. Returns what it returns.
///
/// Timers that are due only later do not fire meanwhile, so `future` must not wait for one. The
/// clock is held for at most as much [real time](crate#real-time) as a test has. On a clock that is
/// not paused, it only runs `future`.
///
/// # Panics
///
/// Outside of a Tokio runtime, when polled.
///
/// # Cancel safety
///
/// That of `future`. The clock is released when this is dropped.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_testkit::{frozen, paused};
/// use tokio::time::{Instant, timeout};
///
/// paused(async {
///     let (sender, receiver) = tokio::sync::oneshot::channel();
///     let start = Instant::now();
///     std::thread::spawn(move || {
///         std::thread::sleep(Duration::from_millis(20));
///         sender.send("done")
///     });
///     // Without `frozen`, the second would pass at once.
///     let done = timeout(Duration::from_secs(1), frozen(receiver)).await;
///     assert_eq!(done.unwrap().unwrap(), "done");
///     assert_eq!(start.elapsed(), Duration::ZERO);
/// });
/// ```
pub async fn frozen<F: Future>(future: F) -> F::Output {
    // Dropped at the end, which ends the job.
    let (_running, ended) = mpsc::channel::<()>();
    drop(spawn_blocking(move || ended.recv_timeout(real_limit())));
    future.await
}
