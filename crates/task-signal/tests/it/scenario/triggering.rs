//! Programs that run an action at each signal.

use std::{
    fs,
    os::unix::process::parent_id,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::bail;
use task_core::{Context, Step, Task as _};
use task_signal::{OnActionError, Signal, SignalTrigger, SignalTriggerBuilder};
use tokio::sync::Semaphore;

use super::{IS_LOG_RAISING, Scenario, configuration_of, say, serve, wait_for_go};
use crate::group::Loud;

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("trigger", || trigger_for_good(SignalTrigger::builder().action("count", counting()))),
    ("trigger early", trigger_early),
    ("trigger with slow action", trigger_with_slow_action),
    ("trigger with failing actions", || {
        trigger_for_good(failing_actions().on_action_error(OnActionError::Record));
    }),
    ("trigger that goes on", || trigger_for_good(failing_actions())),
    ("trigger that fails", || {
        trigger_for_good(failing_actions().on_action_error(OnActionError::Fail))
    }),
    ("trigger that reads", trigger_that_reads),
    ("trigger that shuts down", trigger_that_shuts_down),
    ("trigger of two early", trigger_of_two_early),
    ("trigger that is stopped in a storm", trigger_that_is_stopped_in_a_storm),
    ("trigger that is aborted in a storm", trigger_that_is_aborted_in_a_storm),
    ("trigger dropped", trigger_dropped),
    ("trigger dropped after a signal", trigger_dropped_after_a_signal),
    ("trigger that is cancelled in its action", trigger_that_is_cancelled_in_its_action),
];

fn trigger_for_good(builder: SignalTriggerBuilder) {
    let _thread = serve(builder.build().unwrap(), &Loud::new());
    say("ready");
    wait_for_go();
}

/// An action that says which run it is.
fn counting() -> impl FnMut(Context) -> std::future::Ready<anyhow::Result<()>> + Send + 'static {
    let mut runs = 0;
    move |_| {
        runs += 1;
        say(&format!("ran: {runs}"));
        std::future::ready(Ok(()))
    }
}

fn trigger_early() {
    let task = SignalTrigger::new("count", counting()).unwrap();
    say("ready");
    wait_for_go();
    let _thread = serve(task, &Loud::new());
    wait_for_go();
}

fn trigger_of_two_early() {
    let both = [Signal::HUP, Signal::USR2];
    let task = SignalTrigger::builder().signals(both).action("count", counting()).build().unwrap();
    say("ready");
    wait_for_go();
    let _thread = serve(task, &Loud::new());
    wait_for_go();
}

/// Each run ends when the test says so.
fn trigger_with_slow_action() {
    let gate = Arc::new(Semaphore::new(0));
    let task = SignalTrigger::new("slow", {
        let gate = Arc::clone(&gate);
        let mut runs = 0;
        move |_| {
            runs += 1;
            say(&format!("begins: {runs}"));
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await?.forget();
                Ok(())
            }
        }
    });
    let _thread = serve(task.unwrap(), &Loud::new());
    say("ready");
    loop {
        wait_for_go();
        gate.add_permits(1);
    }
}

/// What the test writes before each signal is what a later run reads.
fn trigger_that_reads() {
    let configuration = configuration_of(parent_id());
    trigger_for_good(SignalTrigger::builder().action("read", move |_| {
        let read = fs::read_to_string(&configuration).unwrap();
        say(&format!("read: {read}"));
        std::future::ready(Ok(()))
    }));
}

/// The first one fails, the second one panics, and the third one is well.
fn failing_actions() -> SignalTriggerBuilder {
    SignalTrigger::builder()
        .name("reload")
        .action("first", async |_| bail!("no disk"))
        .action("second", async |_| panic!("no memory"))
        .action("third", |_| {
            say("third ran");
            std::future::ready(Ok(()))
        })
}

fn trigger_that_shuts_down() {
    let group = Loud::new();
    let task = SignalTrigger::new("count", counting()).unwrap();
    let thread = serve(task, &group);
    say("ready");
    wait_for_go();
    group.go_to(Step::Draining);
    group.drain();
    say("draining");
    wait_for_go();
    group.go_to(Step::Stopping);
    group.cancel();
    thread.join().unwrap();
    group.go_to(Step::CleaningUp);
    // Runs after the handler of the crate. A signal that was sent before the test let this go on
    // may be delivered to a thread only after that, and then finds the group ended.
    let was_delivered = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(Signal::HUP.number(), Arc::clone(&was_delivered)).unwrap();
    say("cleaning up");
    wait_for_go();
    while !was_delivered.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    group.go_to(Step::Ended);
    say("ended");
    wait_for_go();
}

/// From the first signal on, there is a signal at each look.
fn trigger_that_is_stopped_in_a_storm() {
    let group = Loud::new();
    let thread = serve(SignalTrigger::new("count", counting()).unwrap(), &group);
    group.drain();
    IS_LOG_RAISING.store(true, Ordering::SeqCst);
    say("ready");
    wait_for_go();
    group.cancel();
    thread.join().unwrap();
}

fn trigger_that_is_aborted_in_a_storm() {
    let group = Loud::new();
    let task = SignalTrigger::new("count", counting()).unwrap();
    group.drain();
    IS_LOG_RAISING.store(true, Ordering::SeqCst);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    say("ready");
    wait_for_go();
    signal_hook::low_level::raise(signal_hook::consts::SIGHUP).unwrap();
    runtime.block_on(async {
        let task = tokio::spawn(task.run(group.context()));
        tokio::task::yield_now().await;
        task.abort();
        say(&format!("aborted: {}", task.await.unwrap_err().is_cancelled()));
    });
}

fn trigger_dropped() {
    let task = SignalTrigger::new("count", counting()).unwrap();
    drop(task);
    say("ready");
    wait_for_go();
}

/// The user's signal is captured by another trigger as well, which lives.
fn trigger_dropped_after_a_signal() {
    let dropped = SignalTrigger::builder().signals([Signal::HUP, Signal::USR1]);
    let dropped = dropped.action("count", counting()).build().unwrap();
    let kept = SignalTrigger::builder().signals([Signal::USR1]).action("count", counting());
    let kept = kept.build().unwrap();
    say("ready");
    wait_for_go();
    drop(dropped);
    say("dropped");
    let _thread = serve(kept, &Loud::new());
    wait_for_go();
}

fn trigger_that_is_cancelled_in_its_action() {
    let group = Loud::new();
    let task = SignalTrigger::new("endless", |ctx: Context| async move {
        say("begins");
        ctx.or_cancelled(std::future::pending()).await?
    });
    let thread = serve(task.unwrap(), &group);
    say("ready");
    wait_for_go();
    group.cancel();
    thread.join().unwrap();
}
