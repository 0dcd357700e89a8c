//! Signals: the end of a service, and a reload in its midst.
//!
//! [`SignalTask`] stops the group at SIGINT, SIGTERM or SIGQUIT, and escalates if asked more than once.
//! [`SignalTrigger`] runs an action at each SIGHUP. Both capture their signals when they are made, so nothing is lost
//! before they run. This example sends the signals to itself.
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
        println!("worker: at work");
        ctx.cancelled().await;
        println!("worker: stopped, with {:?} left to end", ctx.remaining());
        Ok(())
    }))?;

    // The operator.
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
    println!("there is no SIGHUP here, and nobody who sends signals to this process");
}
