//! Programs with a real manager.

use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    thread,
    time::Duration,
};

use task_core::{Context, task_fn};
use task_manager::{Manager, ManagerBuilder, Report, ShutdownError};
use task_signal::{AfterEnd, OnActionError, Signal, SignalTask, SignalTaskBuilder, SignalTrigger};
use tokio::runtime::Runtime;

use super::{IS_LOG_SLOW, Scenario, say, wait_for_go, without_window};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("managed", || manage(without_window())),
    ("managed to the end", managed_to_the_end),
    ("managed to the end with a slow log", || {
        IS_LOG_SLOW.store(true, Ordering::SeqCst);
        managed_to_the_end();
    }),
    ("managed with a name of two lines", managed_with_a_name_of_two_lines),
    ("managed early", managed_early),
    ("managed with a trigger", || managed_with_a_trigger(OnActionError::Continue)),
    ("managed with a trigger that records", || managed_with_a_trigger(OnActionError::Record)),
    ("managed with nothing else to do", managed_with_nothing_else_to_do),
    ("managed and stopped alone", managed_and_stopped_alone),
    ("managed by one that is dropped", managed_by_one_that_is_dropped),
    ("managed on a runtime that is gone", managed_on_a_runtime_that_is_gone),
    ("managed in a storm", || storm(AfterEnd::DefaultAction)),
    ("managed in a storm to the exit", || storm(AfterEnd::Nothing)),
];

pub(super) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Budgets that a test can wait for.
pub(super) fn short() -> ManagerBuilder {
    Manager::builder()
        .shutdown_timeout(Duration::from_millis(1_500))
        .cleanup_timeout(Duration::from_millis(300))
}

/// A task that ends when asked to, and two cleanups.
pub(super) fn add_work(manager: &Manager) {
    let work = task_fn("work", async |ctx| {
        ctx.cancelled().await;
        say("work: cancelled");
        Ok(())
    });
    manager.run(work).unwrap();
    for name in ["first", "second"] {
        let hook = async move || {
            say(&format!("{name} cleanup"));
            Ok(())
        };
        manager.cleanup(name, hook).unwrap();
    }
}

pub(super) fn say_report(result: &Result<Report, ShutdownError>) {
    let report = match result {
        Ok(report) => report,
        Err(error) => {
            say(&format!("error: {error}"));
            error.report().unwrap()
        }
    };
    for failure in report.failures() {
        say(&format!("in the report: {failure}"));
    }
    say(&format!("code {} after {}", report.exit_code(), report.cause()));
}

fn manage(builder: SignalTaskBuilder) {
    let task = builder.build().unwrap();
    runtime().block_on(async {
        let manager = Manager::new();
        manager.run(task).unwrap();
        add_work(&manager);
        say("ready");
        say_report(&manager.wait().await);
    });
    wait_for_go();
}

fn managed_to_the_end() {
    runtime().block_on(async {
        let manager = Manager::new();
        manager.run(SignalTask::new().unwrap()).unwrap();
        add_work(&manager);
        say("ready");
        say_report(&manager.wait().await);
    });
}

fn managed_with_a_name_of_two_lines() {
    let refuse = |_| async { anyhow::bail!("refused\nforged") };
    let trigger = SignalTrigger::new("act\nforged", refuse).unwrap();
    runtime().block_on(async {
        let manager = Manager::builder().name("group\nforged").build().unwrap();
        manager.run(SignalTask::builder().dump_on(Signal::USR1).build().unwrap()).unwrap();
        manager.run(trigger).unwrap();
        let work = async |ctx: Context| {
            ctx.set_status("status\nforged");
            ctx.cancelled().await;
            Ok(())
        };
        manager.run(task_fn("work\nforged", work)).unwrap();
        say("ready");
        say_report(&manager.wait().await);
    });
}

fn managed_early() {
    let builder = SignalTask::builder().on_signal(|received| say(&format!("called: {received}")));
    let task = builder.build().unwrap();
    say("ready");
    wait_for_go();
    runtime().block_on(async {
        let manager = Manager::new();
        add_work(&manager);
        manager.run(task).unwrap();
        let mut group = manager.group();
        say_report(&manager.wait().await);
        while group.snapshot().signals.is_empty() {
            group.changed().await;
        }
        for signal in group.snapshot().signals {
            say(&format!("{} came: {}", signal.name, signal.count));
        }
    });
}

fn managed_with_a_trigger(on_action_error: OnActionError) {
    let runs = Arc::new(Mutex::new(0));
    let reload = SignalTrigger::builder().on_action_error(on_action_error).action(
        "configuration",
        move |_| {
            let runs = Arc::clone(&runs);
            async move {
                let mut runs = runs.lock().unwrap();
                *runs += 1;
                say(&format!("ran: {runs}"));
                anyhow::ensure!(*runs != 2, "no disk");
                Ok(())
            }
        },
    );
    let reload = reload.build().unwrap();
    let task = without_window().build().unwrap();
    runtime().block_on(async {
        let manager = Manager::new();
        manager.run(reload).unwrap();
        manager.run(task).unwrap();
        add_work(&manager);
        say("ready");
        say_report(&manager.wait().await);
    });
}

fn managed_with_nothing_else_to_do() {
    runtime().block_on(async {
        let manager = Manager::builder().only_failures_stop().build().unwrap();
        manager.run(SignalTask::new().unwrap()).unwrap();
        manager.run(SignalTrigger::new("act", async |_| Ok(())).unwrap()).unwrap();
        manager.run(task_fn("job", async |_| Ok(()))).unwrap();
        say("ready");
        say_report(&manager.wait().await);
    });
}

fn managed_and_stopped_alone() {
    runtime().block_on(async {
        let manager = Manager::new();
        let handle = manager.run_ephemeral(without_window().build().unwrap()).unwrap();
        add_work(&manager);
        handle.stop();
        say(&format!("signals: {}", handle.ended().await));
        say("ready");
        say_report(&manager.wait().await);
    });
}

fn managed_by_one_that_is_dropped() {
    let runtime = runtime();
    runtime.block_on(async {
        let manager = short().build().unwrap();
        manager.run(without_window().build().unwrap()).unwrap();
        add_work(&manager);
    });
    drop(runtime);
    say("ready");
    wait_for_go();
}

fn managed_on_a_runtime_that_is_gone() {
    let runtime = runtime();
    let manager = {
        let _entered = runtime.enter();
        let manager = short().build().unwrap();
        manager.run(without_window().build().unwrap()).unwrap();
        add_work(&manager);
        manager
    };
    drop(runtime);
    say("ready");
    wait_for_go();
    drop(manager);
}

/// Every step takes a while, and signals come all the time from the capture on.
fn storm(after_end: AfterEnd) {
    let task = SignalTask::builder().after_end(after_end).build().unwrap();
    let trigger = SignalTrigger::builder().after_end(after_end).action("act", async |_| Ok(()));
    let trigger = trigger.build().unwrap();
    say("ready");
    thread::sleep(Duration::from_millis(50));
    let code = runtime().block_on(async {
        let manager = Manager::builder().drain_delay(Duration::from_millis(100)).build().unwrap();
        let work = task_fn("slow work", async |ctx| {
            ctx.cancelled().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(())
        });
        manager.run(work).unwrap();
        add_work(&manager);
        let hook = async || {
            tokio::time::sleep(Duration::from_millis(100)).await;
            say("slow cleanup");
            Ok(())
        };
        manager.cleanup("slow", hook).unwrap();
        manager.run(trigger).unwrap();
        manager.run(task).unwrap();
        let result = manager.wait().await;
        say_report(&result);
        result.map_or_else(|error| error.exit_code(), |report| report.exit_code())
    });
    std::process::exit(code.into());
}
