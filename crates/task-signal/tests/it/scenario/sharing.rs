//! Programs in which somebody else has to do with the same signals.

use task_core::{Step, Task};
use task_signal::{IgnoredSignals, Signal, SignalTask};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
};

use super::{Scenario, say, serve, serve_for_good, wait_for_go, without_window};
use crate::group::Loud;

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("two instances", two_instances),
    ("tokio first", tokio_first),
    ("tokio later", tokio_later),
    ("hang-up and terminate", || serve_for_good(hang_up_and_terminate())),
    ("hang-up in any case", hang_up_in_any_case),
    ("interrupt required", || serve_for_good(interrupt_required())),
];

fn two_instances() {
    let serve_loudly = |name: &'static str| {
        let group = Loud::new();
        let builder = without_window().name(name);
        let builder = builder.on_signal(move |received| say(&format!("{name}: {received}")));
        let thread = serve(builder.build().unwrap(), &group);
        (group, thread)
    };
    let first = serve_loudly("first");
    let second = serve_loudly("second");
    say("ready");
    for (group, thread) in [first, second] {
        wait_for_go();
        group.cancel();
        thread.join().unwrap();
        group.go_to(Step::Ended);
        say("one has ended");
    }
    wait_for_go();
}

fn tokio_first() {
    let runtime = runtime();
    listen(&runtime);
    end_with(without_window().build().unwrap(), &runtime);
}

fn tokio_later() {
    let runtime = runtime();
    let group = Loud::new();
    let task = without_window().build().unwrap();
    runtime.spawn(task.run(group.context()));
    listen(&runtime);
    say("ready");
    wait_for_go();
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Listens to SIGTERM by tokio's own means.
fn listen(runtime: &Runtime) {
    let _entered = runtime.enter();
    let mut terminations = signal(SignalKind::terminate()).unwrap();
    runtime.spawn(async move {
        while terminations.recv().await.is_some() {
            say("tokio: SIGTERM");
        }
    });
}

fn end_with(task: SignalTask, runtime: &Runtime) {
    let group = Loud::new();
    let run = runtime.spawn(task.run(group.context()));
    say("ready");
    wait_for_go();
    group.cancel();
    runtime.block_on(run).unwrap().unwrap();
    group.go_to(Step::Ended);
    say("ended");
    wait_for_go();
}

fn hang_up_and_terminate() -> task_signal::SignalTaskBuilder {
    without_window().signals([Signal::HUP, Signal::TERM])
}

fn interrupt_required() -> task_signal::SignalTaskBuilder {
    without_window().required_signals([Signal::INT])
}

fn hang_up_in_any_case() {
    let builder = SignalTask::builder().signals([Signal::HUP]).ignored(IgnoredSignals::Capture);
    let task = builder.build().unwrap();
    assert_eq!(task.signals(), [Signal::HUP]);
    end_with(task, &runtime());
}
