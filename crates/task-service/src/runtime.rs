//! The runtime of a service, and its options.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use task_core::scope::{channel, run_aside};
use task_manager::Panic;
use tokio::runtime::{Builder, Handle, Runtime};

/// How long the runtime may take to start. If the system grants it some of its workers and not all,
/// Tokio panics, and while it unwinds waits for ever for those that it has.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// What the runtime is made with.
#[derive(Debug, Default)]
pub(crate) struct RuntimeOptions {
    pub(crate) threads: Threads,
    /// Of each thread but the caller's, in bytes.
    pub(crate) stack_size: Option<usize>,
    pub(crate) max_blocking_threads: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Threads {
    /// Tokio's own default: one worker per processor.
    #[default]
    Default,
    Workers(usize),
    Current,
}

impl RuntimeOptions {
    /// Makes the runtime, on another thread, since that may block.
    pub(crate) fn start(self) -> anyhow::Result<Runtime> {
        let (sender, started) = channel();
        let build = run_aside(move || drop(sender.send(self.build())));
        if build.is_err() {
            return Err(anyhow!("the system grants no thread to start the runtime on"));
        }
        let runtime = started.recv_timeout(START_TIMEOUT).unwrap_or_else(|_| {
            Err(anyhow!("it takes too long; the system may have refused it a thread"))
        });
        runtime.context("failed to start the runtime")
    }

    fn build(&self) -> anyhow::Result<Runtime> {
        let mut builder = match self.threads {
            Threads::Current => Builder::new_current_thread(),
            Threads::Default | Threads::Workers(_) => Builder::new_multi_thread(),
        };
        if let Threads::Workers(count) = self.threads {
            builder.worker_threads(count);
        }
        if let Some(bytes) = self.stack_size {
            builder.thread_stack_size(bytes);
        }
        if let Some(count) = self.max_blocking_threads {
            builder.max_blocking_threads(count);
        }
        // Tokio panics if the system refuses it a worker.
        let runtime = Panic::catch(|| builder.enable_all().build());
        Ok(runtime.map_err(|panic| anyhow!("{panic}"))??)
    }
}

/// Panics within a runtime, at the caller's place: Tokio would do so later, at a place of ours, and
/// with words about code that the caller has not written.
#[track_caller]
pub(crate) fn assert_outside_of_a_runtime() {
    assert!(
        Handle::try_current().is_err(),
        "a service cannot run within a Tokio runtime, since it makes its own: call it from a plain \
         `fn main`, without `#[tokio::main]`, or use a `Manager` in the runtime that exists"
    );
}
