//! A thread for what may block and must not block the reader.

use std::{io, mem, thread, time::Duration};

use task_core::{
    CleanupInfo, CleanupState, Context, GroupSnapshot,
    scope::{Receiver, Sender, channel, guarded_name, write_stderr},
};

use crate::{
    platform::{exit_now, write_if_room},
    values::Received,
};

/// How long the reader waits for a job before it continues without it.
const JOB_TIMEOUT: Duration = Duration::from_millis(100);

/// The most tasks that the line of a forced exit names.
const MOST_NAMES: usize = 20;

pub(super) type Job = Box<dyn FnOnce() + Send>;

/// A thread that runs one job at a time.
///
/// It is started in advance, since a thread that sleeps runs sooner than a new one does. If a job
/// blocks it, it is left to that job, and the next job gets a new one.
#[derive(Debug)]
pub(crate) struct Offload(Option<(Sender<Job>, Receiver<()>)>);

impl Offload {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (jobs, queue) = channel::<Job>();
        let (done, ended) = channel();
        thread::Builder::new().name("signal-offload".to_owned()).spawn(move || {
            while let Ok(job) = queue.recv() {
                job();
                if done.send(()).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self(Some((jobs, ended))))
    }

    /// Runs a job on the thread and waits for its end, for at most [`JOB_TIMEOUT`].
    ///
    /// The wait keeps jobs in order as long as none of them blocks.
    ///
    /// # Errors
    ///
    /// Returns the job if there is no thread to run it: the last one is blocked, and the system
    /// refused another one.
    pub(super) fn run(&mut self, job: Job) -> Result<(), Job> {
        let thread = self.0.take().or_else(|| Self::start().ok()?.0);
        let Some((jobs, ended)) = thread else { return Err(job) };
        jobs.send(job).map_err(|unsent| unsent.0)?;
        // An error if the job has panicked, which ends the thread, or still runs.
        if ended.recv_timeout(JOB_TIMEOUT).is_ok() {
            self.0 = Some((jobs, ended));
        }
        Ok(())
    }

    /// Ends the process, after one line on standard error, which may be a pipe that is full and
    /// that nothing reads. It says what is alive, unless the group takes long to say so.
    pub(super) fn force_exit(&mut self, received: &Received, context: Option<Context>) -> ! {
        let (count, code) = (received.count, received.signal.exit_code());
        let mut line =
            format!("received {received} (number {count}): exit with code {code}, without cleanup");
        let (sender, names) = channel();
        if let Some(context) = context {
            let ask = move || {
                let _ = sender.send(alive(&context));
                // It may be the last reference to the group, whose drop may block.
                mem::forget(context);
            };
            // To drop it unrun could block as well.
            let _ = self.run(Box::new(ask)).map_err(mem::forget);
        }
        if let Ok(names) = names.recv_timeout(Duration::ZERO) {
            line += &format!("; alive: {names}");
        }
        let job = Box::new({
            let line = line.clone();
            move || write_stderr(&line)
        });
        if self.run(job).is_err() {
            // There is no thread that could be left to a write that blocks.
            write_if_room(&line);
        }
        exit_now(code)
    }
}

/// Returns the names of the tasks that are alive, and of the cleanups that run.
fn alive(context: &Context) -> String {
    let GroupSnapshot { tasks, cleanups, .. } = context.group().snapshot();
    let runs = |cleanup: &&CleanupInfo| cleanup.state == CleanupState::Running;
    let names = tasks.iter().map(|task| &*task.name);
    let mut names = names.chain(cleanups.iter().filter(runs).map(|cleanup| &*cleanup.name));
    let shown: Vec<_> = names.by_ref().take(MOST_NAMES).map(guarded_name).collect();
    match (shown.is_empty(), names.count()) {
        (true, _) => "none".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{} and {more} more", shown.join(", ")),
    }
}
