//! The child's side: the programs, by name.

use std::{
    env,
    io::{Write as _, stderr, stdin, stdout},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use task_core::{Context, task_fn};
use task_manager::{Manager, Report, ShutdownError};
use task_signal::{CaptureGuard, Signal, SignalTask, SignalTaskBuilder, SignalTrigger};
use tokio::runtime::{Builder, Runtime};

use crate::{child::SCENARIO, start};

/// How long a scenario that is to be ended from outside goes on.
const FOR_GOOD: Duration = Duration::from_secs(120);

/// With the variable set, this is the program; without, it is a test of its own.
#[test]
fn an_unknown_scenario_is_refused() {
    match env::var(SCENARIO) {
        Ok(name) => run(&name),
        Err(_) => start("no such scenario").ends_with(99),
    }
}

fn run(name: &str) -> ! {
    // No scenario outlives its test for long, not even if that was killed.
    thread::spawn(|| {
        thread::sleep(FOR_GOOD);
        process::exit(97);
    });
    tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(stderr).init();
    match name {
        "managed" => managed(Duration::ZERO),
        "managed with a cleanup of a second" => managed(Duration::from_secs(1)),
        "stuck" => stuck(),
        "admitted late" => admitted_late(),
        "triggered" => triggered(),
        "over" => over(),
        "guarded" => guarded(),
        _ => process::exit(99),
    }
    process::exit(0);
}

fn say(line: &str) {
    let mut stdout = stdout().lock();
    writeln!(stdout, "{line}").unwrap();
    stdout.flush().unwrap();
}

fn wait_for_go() {
    let mut line = String::new();
    assert_ne!(stdin().read_line(&mut line).unwrap(), 0, "the test has gone");
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Without a window, so that a test need not wait between two events.
fn signals() -> SignalTaskBuilder {
    SignalTask::builder().repeat_window(Duration::ZERO)
}

fn text(result: &Result<Report, ShutdownError>) -> String {
    let report = match result {
        Ok(report) => report,
        Err(error) => error.report().unwrap(),
    };
    format!("code {} after {}", report.exit_code(), report.cause())
}

fn add_work(manager: &Manager) {
    let work = task_fn("work", async |ctx: Context| {
        ctx.cancelled().await;
        say("work: cancelled");
        Ok(())
    });
    manager.run(work).unwrap();
}

fn managed(cleanup: Duration) {
    let signals = signals().build().unwrap();
    runtime().block_on(async {
        let manager = Manager::new();
        manager.run(signals).unwrap();
        add_work(&manager);
        let hook = async move || {
            tokio::time::sleep(cleanup).await;
            say("cleaned up");
            Ok(())
        };
        manager.cleanup("connection", hook).unwrap();
        say("ready");
        say(&text(&manager.wait().await));
    });
}

fn stuck() {
    let signals = signals().build().unwrap();
    runtime().block_on(async {
        let manager = Manager::new();
        manager.run(signals).unwrap();
        let blocks = task_fn("blocks", async |_| {
            say("blocked");
            thread::sleep(FOR_GOOD);
            Ok(())
        });
        manager.run(blocks).unwrap();
        let _ = manager.wait().await;
    });
}

fn admitted_late() {
    let signals = signals().build().unwrap();
    say("ready");
    wait_for_go();
    runtime().block_on(async {
        let manager = Manager::new();
        // After the event, which stops the group, no task is admitted.
        add_work(&manager);
        manager.run(signals).unwrap();
        say(&text(&manager.wait().await));
    });
}

fn triggered() {
    let runs = AtomicU32::new(0);
    let action = move |_| {
        let run = runs.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            say(&format!("action {run}"));
            Ok(())
        }
    };
    let trigger = SignalTrigger::builder().signals([Signal::INT]).action("count", action);
    let trigger = trigger.build().unwrap();
    runtime().block_on(async {
        let manager = Manager::new();
        manager.run(trigger).unwrap();
        add_work(&manager);
        say("ready");
        let handle = manager.handle();
        thread::spawn(move || {
            wait_for_go();
            handle.stop();
        });
        manager.wait().await.unwrap();
    });
}

fn over() {
    managed(Duration::ZERO);
    thread::sleep(Duration::from_secs(20));
    say("survived");
}

fn guarded() {
    let guard = CaptureGuard::new();
    managed(Duration::ZERO);
    wait_for_go();
    let signals = signals().build().unwrap();
    runtime().block_on(async {
        let manager = Manager::new();
        add_work(&manager);
        manager.run(signals).unwrap();
        say(&format!("second group: {}", text(&manager.wait().await)));
    });
    drop(guard);
}
