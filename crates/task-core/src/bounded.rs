//! Running code that may block, for a bounded time.

use std::{
    fmt,
    io::{self, Write as _, stderr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use crate::{
    channel::{Receiver, Sender, channel},
    panics::discard,
};

/// Code that [`run_aside`] runs on another thread.
pub type AsideJob = Box<dyn FnOnce() + Send>;

/// The threads that stand by for [`run_aside`].
static STANDBY: Mutex<Standby> = Mutex::new(Standby { idle: Vec::new(), reserved: 0 });

struct Standby {
    idle: Vec<Sender<Work>>,
    /// How many threads are kept when they have nothing to do.
    reserved: usize,
}

/// A job, and the sender that is used at its end.
struct Work(AsideJob, Sender<()>);

/// Starts threads that stand by for [`run_aside`] and [`run_with_timeout`], until `count` are idle,
/// so that these need no thread from the system at a time when it may have none to give.
///
/// Call it at the start of what needs them at its end. They are the process's: several callers may
/// have reserved the same ones, so reserve as many as run at once. A thread that has ended its job
/// stands by again. One that is blocked by its job is replaced by the next call of this function.
///
/// # Errors
///
/// If the system provides no thread. Those that were started until then stay.
pub fn reserve_threads(count: usize) -> io::Result<()> {
    let mut standby = Standby::lock();
    standby.reserved = standby.reserved.max(count);
    while standby.idle.len() < count {
        let thread = start()?;
        standby.idle.push(thread);
    }
    Ok(())
}

/// Runs `job` on a thread that stands by, or else on a new one, and returns at once.
///
/// It is for the last output of a process: a pipe that is full, or a log sink that blocks, must not
/// keep the process from its exit. A `job` that does not end runs on in the background. A panic of
/// it is caught.
///
/// # Errors
///
/// Returns the job, if no thread stands by and the system provides none.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_core::scope::{run_aside, write_stderr};
///
/// let line = run_aside(|| write_stderr("exit with code 4"));
/// let numbers = run_aside(|| drop(vec![1, 2, 3]));
/// // Both run at the same time.
/// for job in [line, numbers].into_iter().flatten() {
///     assert!(job.wait(Duration::from_secs(1)));
/// }
/// ```
pub fn run_aside(job: impl FnOnce() + Send + 'static) -> Result<Aside, AsideJob> {
    run_boxed(Box::new(job))
}

/// What does not depend on the job's type, compiled once.
fn run_boxed(job: AsideJob) -> Result<Aside, AsideJob> {
    let (done, is_done) = channel();
    let work = Work(job, done);
    let idle = Standby::lock().idle.pop();
    let Some(thread) = idle.or_else(|| start().ok()) else { return Err(work.0) };
    thread.send(work).map_err(|unsent| unsent.0.0)?;
    Ok(Aside(is_done))
}

/// Runs `job` as [`run_aside`] does and waits at most `timeout` for its end. Returns whether it
/// ended in time, without a panic.
///
/// If no thread stands by and the system provides none, `job` is dropped without being run.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_core::scope::{run_with_timeout, write_stderr};
///
/// let is_written = run_with_timeout(Duration::from_secs(1), || write_stderr("exit with code 4"));
/// # assert!(is_written);
/// ```
pub fn run_with_timeout(timeout: Duration, job: impl FnOnce() + Send + 'static) -> bool {
    run_boxed_with_timeout(timeout, Box::new(job))
}

fn run_boxed_with_timeout(timeout: Duration, job: AsideJob) -> bool {
    match run_boxed(job) {
        Ok(job) => job.wait(timeout),
        Err(job) => {
            discard(job);
            false
        }
    }
}

/// A job that [`run_aside`] runs. Dropping it leaves the job running.
pub struct Aside(Receiver<()>);

impl Aside {
    /// Waits for the end of the job, for at most `timeout`. Returns whether it ended in time,
    /// without a panic.
    pub fn wait(self, timeout: Duration) -> bool {
        self.0.recv_timeout(timeout).is_ok()
    }
}

impl fmt::Debug for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aside").finish_non_exhaustive()
    }
}

/// Writes `text` and a newline to stderr in one call. Errors are ignored, where `eprintln!` panics.
pub fn write_stderr(text: &str) {
    let _ = stderr().lock().write_all(format!("{text}\n").as_bytes());
}

impl Standby {
    fn lock() -> MutexGuard<'static, Self> {
        STANDBY.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a thread back that has nothing to do any more. Returns whether it is needed.
    fn keep(thread: &Sender<Work>) -> bool {
        let mut standby = Self::lock();
        let is_needed = standby.idle.len() < standby.reserved;
        if is_needed {
            standby.idle.push(thread.clone());
        }
        is_needed
    }
}

/// Starts a thread.
fn start() -> io::Result<Sender<Work>> {
    let (sender, queue) = channel::<Work>();
    let own = sender.clone();
    thread::Builder::new().name("task-standby".into()).spawn(move || {
        while let Ok(Work(job, done)) = queue.recv() {
            // Caught here: a payload whose drop panics in the thread's own result aborts the
            // process.
            let result = catch_unwind(AssertUnwindSafe(job));
            let is_kept = Standby::keep(&own);
            match result {
                Ok(()) => drop(done.send(())),
                Err(payload) => {
                    // First, since the drop of the payload may block.
                    drop(done);
                    discard(payload);
                }
            }
            if !is_kept {
                break;
            }
        }
    })?;
    Ok(sender)
}
