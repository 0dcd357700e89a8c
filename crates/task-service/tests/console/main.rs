//! The entry point on Windows, with real console events.
//!
//! One child process per scenario, with a console of its own. `cargo xtask deep platforms` runs
//! these under Wine, and builds the program that sends the events.

#![cfg(windows)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../../task-signal/tests/console/child.rs"]
mod child;

use std::{env, thread, time::Duration};

use task_manager::{Manager, task_fn};
use task_service::Service;

use child::{Child, Event, SCENARIO};

/// How long a scenario that is to be ended from outside goes on.
const FOR_GOOD: Duration = Duration::from_secs(120);

fn start(scenario: &str) -> Child {
    let mut child = Child::start("an_unknown_scenario_is_refused", scenario);
    child.wait_for("ready");
    child
}

#[test]
#[ignore = "needs the sender of console events"]
fn ctrl_c_ends_the_service_with_0_and_is_the_cause() {
    let mut child = start("serves");
    child.send(Event::CtrlC);
    child.wait_for("cleaned up");
    child.wait_for("cause: signal SIGINT");
    child.ends_with(0);
}

/// The system allows a few seconds, and ends the process at once when the handler returns.
#[test]
#[ignore = "needs the sender of console events"]
fn a_console_that_is_closed_ends_the_service_in_order() {
    let mut child = start("serves");
    child.send(Event::Close);
    child.wait_for("cleaned up");
    child.wait_for("cause: signal SIGTERM");
    child.ends_with(0);
}

#[test]
#[ignore = "needs the sender of console events"]
fn ctrl_break_ends_a_setup_that_awaits() {
    let mut child = start("sets up for long");
    child.send(Event::CtrlBreak);
    child.wait_for("cause: signal SIGINT");
    child.ends_with(0);
}

#[test]
#[ignore = "needs the sender of console events"]
fn a_blocked_task_is_named_and_the_service_ends_with_1() {
    let mut child = start("blocks");
    child.send(Event::CtrlC);
    child.wait_for("task `blocked` was abandoned in a poll that had not returned");
    child.ends_with(1);
}

#[test]
#[ignore = "needs the sender of console events"]
fn the_second_ctrl_c_aborts_a_task_that_does_not_stop() {
    let mut child = start("does not stop");
    child.send(Event::CtrlC);
    // Longer than the repeat window, and much shorter than the time that the task has.
    thread::sleep(Duration::from_secs(1));
    child.send(Event::CtrlC);
    child.wait_for("task `stubborn`");
    child.ends_with(1);
}

#[test]
fn without_an_event_the_exit_code_is_that_of_the_work() {
    let mut child = start("completes");
    child.ends_with(0);
    let mut child = start("fails");
    child.wait_for("no broker");
    child.ends_with(1);
}

/// With the variable set, this is the program; without, it is a test of its own.
#[test]
fn an_unknown_scenario_is_refused() {
    let Ok(scenario) = env::var(SCENARIO) else {
        return Child::start("an_unknown_scenario_is_refused", "no such scenario").ends_with(99);
    };
    // No scenario outlives its test for long, not even if that was killed.
    thread::spawn(|| {
        thread::sleep(FOR_GOOD);
        std::process::exit(97);
    });
    std::process::exit(run(&scenario));
}

/// Runs a scenario and returns its exit code.
fn run(scenario: &str) -> i32 {
    let code = match scenario {
        "serves" => task_service::main(async |manager| serve(manager)),
        "completes" => task_service::main(async |manager| {
            println!("ready");
            manager.run_ephemeral(task_fn("job", async |_| Ok(())))?;
            Ok(())
        }),
        "fails" => task_service::main(async |manager| {
            println!("ready");
            manager.run(task_fn("bad", async |_| Err(anyhow::anyhow!("no broker"))))?;
            Ok(())
        }),
        "sets up for long" => task_service::main(async |_| {
            println!("ready");
            tokio::time::sleep(FOR_GOOD).await;
            Ok(())
        }),
        "blocks" => {
            let short = Service::new().manager(|manager| {
                let second = Duration::from_secs(1);
                manager.shutdown_timeout(second).cleanup_timeout(second / 5)
            });
            short.run(async |manager| {
                manager.run(task_fn("blocked", async |_| {
                    println!("ready");
                    thread::sleep(FOR_GOOD);
                    Ok(())
                }))?;
                Ok(())
            })
        }
        "does not stop" => {
            let long = Service::new().manager(|manager| manager.shutdown_timeout(FOR_GOOD));
            long.run(async |manager| {
                manager.run(task_fn("stubborn", async |_| {
                    println!("ready");
                    tokio::time::sleep(FOR_GOOD).await;
                    Ok(())
                }))?;
                Ok(())
            })
        }
        _ => return 99,
    };
    // Only the `Debug` of an exit code shows its number.
    let text = format!("{code:?}");
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

fn serve(manager: &Manager) -> anyhow::Result<()> {
    manager.cleanup("connection", async || {
        println!("cleaned up");
        Ok(())
    })?;
    manager.run(task_fn("work", async |ctx| {
        println!("ready");
        ctx.cancelled().await;
        Ok(())
    }))?;
    Ok(())
}
