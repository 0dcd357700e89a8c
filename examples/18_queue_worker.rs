//! A queue worker: three workers take jobs from a queue, and a stop loses none.
//!
//! - A worker waits for a job in `or_cancelled`, so that a stop ends the wait. It handles the job
//!   outside of it: a stop lets the job in hand finish, within the deadline.
//! - A job that fails or takes too long goes back to the queue. A worker that fails itself, such as
//!   by a panic, is run again after a back-off; the others work on.
//! - The cleanup runs when the last worker has ended. It fails if a job was lost.
//!
//! Stopped with: SIGTERM after it printed `run 2`
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{
    collections::VecDeque,
    process::ExitCode,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use taskkit::{Context, restarting, task_fn};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

fn main() -> ExitCode {
    taskkit::main(async |manager| {
        let queue = Arc::new(Queue::filled_with(1..=60));
        manager.cleanup("queue", {
            let queue = queue.clone();
            async move || queue.close()
        })?;
        for number in 1..=3 {
            let (queue, mut run) = (queue.clone(), 0);
            manager.run(restarting(move || {
                run += 1;
                println!("worker-{number}: run {run}");
                let queue = queue.clone();
                let name = format!("worker-{number}");
                Ok(task_fn(name, async move |ctx| work(ctx, &queue).await))
            })?)?;
        }
        Ok(())
    })
}

async fn work(ctx: Context, queue: &Queue) -> anyhow::Result<()> {
    loop {
        let job = ctx.or_cancelled(queue.receive()).await?;
        let number = job.number;
        ctx.set_status(format!("job {number}"));
        match timeout(Duration::from_secs(5), handle(&job)).await {
            Ok(Ok(())) => job.acknowledge(),
            Ok(Err(error)) => println!("job {number} failed, and goes back: {error:#}"),
            Err(_) => println!("job {number} took too long, and goes back"),
        }
    }
}

async fn handle(job: &Job<'_>) -> anyhow::Result<()> {
    sleep(Duration::from_millis(20)).await;
    anyhow::ensure!(job.number != 3 || job.attempt > 1, "no stock");
    assert!(job.number != 5 || job.attempt > 1, "a bug");
    println!("job {} done", job.number);
    Ok(())
}

/// Stands in for a queue on the network: a job that is not acknowledged is delivered again.
struct Queue {
    /// Each with the number of its next attempt.
    waiting: Mutex<VecDeque<(u32, u32)>>,
    came: Notify,
    done: AtomicUsize,
    size: usize,
}

impl Queue {
    fn filled_with(jobs: impl IntoIterator<Item = u32>) -> Self {
        let waiting: VecDeque<_> = jobs.into_iter().map(|number| (number, 1)).collect();
        let (size, done) = (waiting.len(), AtomicUsize::new(0));
        Self { waiting: Mutex::new(waiting), came: Notify::new(), done, size }
    }

    async fn receive(&self) -> Job<'_> {
        loop {
            let next = lock(&self.waiting).pop_front();
            if let Some((number, attempt)) = next {
                return Job { queue: self, number, attempt, is_done: false };
            }
            self.came.notified().await;
        }
    }

    fn close(&self) -> anyhow::Result<()> {
        let (done, waiting) = (self.done.load(Ordering::SeqCst), lock(&self.waiting).len());
        println!("queue closed: {done} of {} jobs done, {waiting} waiting", self.size);
        anyhow::ensure!(done + waiting == self.size, "a job was lost");
        Ok(())
    }
}

struct Job<'a> {
    queue: &'a Queue,
    number: u32,
    attempt: u32,
    is_done: bool,
}

impl Job<'_> {
    fn acknowledge(mut self) {
        self.is_done = true;
        self.queue.done.fetch_add(1, Ordering::SeqCst);
    }
}

/// However the worker ended: by a return, a panic, or an abort at its deadline.
impl Drop for Job<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            lock(&self.queue.waiting).push_back((self.number, self.attempt + 1));
            self.queue.came.notify_one();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
