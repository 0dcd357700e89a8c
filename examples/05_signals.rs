//! Signals: a stop at SIGTERM, and a reload at SIGHUP.
//!
//! [`SignalTask`] stops the group at SIGINT, SIGTERM or SIGQUIT, and escalates when a signal is
//! repeated. [`SignalTrigger`] runs an action at each SIGHUP. Both capture signals from their
//! construction, so none is lost before they run. This example sends the signals to itself.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

#[cfg(unix)]
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    use std::time::Duration;

    use signal_hook::{
        consts::{SIGHUP, SIGTERM},
        low_level::raise,
    };
    use taskkit::{Manager, SignalTask, SignalTrigger, task_fn};
    use tokio::time::sleep;

    let manager = Manager::new();
    manager.run(SignalTask::new()?)?;
    manager.run(SignalTrigger::new("configuration", async |_ctx| {
        println!("reading the configuration again");
        Ok(())
    })?)?;
    manager.run(task_fn("worker", async |ctx| {
        println!("worker: running");
        ctx.cancelled().await;
        println!("worker: stopped, {:?} before its deadline", ctx.remaining());
        Ok(())
    }))?;

    // Stands in for the operator.
    tokio::spawn(async {
        sleep(Duration::from_millis(200)).await;
        raise(SIGHUP)?;
        sleep(Duration::from_millis(200)).await;
        raise(SIGTERM)
    });

    let report = manager.wait().await?;
    println!("\nstopped by {}", report.cause());
    println!("{report}");
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    println!("this example needs Unix signals");
}
