//! Tests of a task, without a manager and without waiting.
//!
//! `cargo test --example 12_testing_a_task` runs them, and `cargo run` as well.
//!
//! [`paused`] runs a test on Tokio's paused clock, where time advances whenever everything waits: a
//! test of two hours takes no time. A [`TestRun`] runs the task and records what it reports.
//! [`cancel_everywhere`] runs it once for each of its awaits and stops it there, to find those at
//! which it loses something.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test, which talks to its reader")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use task_testkit::{TestRun, cancel_everywhere, paused};
use taskkit::{Context, Task, task_fn};
use tokio::time::sleep;

/// Letters that were not fetched yet, and those that were read.
#[derive(Clone, Default)]
struct Mailbox(Arc<Mutex<(Vec<&'static str>, Vec<&'static str>)>>);

/// The task under test: fetches a letter each hour, and reads it for a minute.
fn reader(mailbox: Mailbox) -> impl Task {
    task_fn("reader", async move |ctx: Context| {
        loop {
            ctx.or_cancelled(sleep(Duration::from_secs(3600))).await?;
            let Some(letter) = mailbox.0.lock().unwrap().0.pop() else { continue };
            ctx.set_status(format!("reading {letter}"));
            // Not in `or_cancelled`, which would drop the letter at a stop. Try it.
            sleep(Duration::from_secs(60)).await;
            mailbox.0.lock().unwrap().1.push(letter);
        }
    })
}

fn mailbox() -> Mailbox {
    Mailbox(Arc::new(Mutex::new((vec!["a bill", "a card"], vec![]))))
}

#[cfg_attr(test, test)]
fn a_letter_is_read_each_hour() {
    paused(async {
        let run = TestRun::start(reader(mailbox()));
        run.until("reads the bill", |run| run.status().as_deref() == Some("reading a bill")).await;
        run.cancel();
        run.ended().await.assert_clean().assert_stopped_within(Duration::from_secs(60));
    });
}

#[cfg_attr(test, test)]
fn no_letter_is_lost_wherever_it_is_stopped() {
    let sweep = cancel_everywhere(async || {
        let mailbox = mailbox();
        (mailbox.clone(), reader(mailbox))
    })
    .ends_within(Duration::from_secs(60))
    .lives_for(Duration::from_secs(4 * 3600))
    .check(async |mailbox| {
        let (waiting, read) = &*mailbox.0.lock().unwrap();
        assert_eq!(waiting.len() + read.len(), 2, "letters");
    });
    println!("{sweep}");
}

fn main() {
    a_letter_is_read_each_hour();
    no_letter_is_lost_wherever_it_is_stopped();
}
