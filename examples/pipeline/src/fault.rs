//! What can go wrong in a service, done on purpose: tests see by it how the service ends.

use std::{
    future::pending,
    thread::{self, available_parallelism},
    time::Duration,
};

use clap::ValueEnum;
use taskkit::{Context, Manager, task_fn};

/// Longer than any shutdown takes.
const LONG: Duration = Duration::from_secs(600);

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// A task fails.
    Error,
    /// A task panics.
    Panic,
    /// A task does not end when it is stopped.
    Slow,
    /// Tasks block every worker of the runtime.
    Wedge,
    /// Tasks block every worker of the runtime when they are stopped.
    WedgeAtStop,
    /// The setup blocks the main thread, which would take the report.
    WedgeSetup,
}

impl Fault {
    /// Lets it happen.
    ///
    /// # Errors
    ///
    /// If the group is stopped already.
    pub fn happen(self, manager: &Manager) -> anyhow::Result<()> {
        match self {
            Self::Error => {
                let fails = async |_: Context| anyhow::bail!("the fault that was asked for");
                manager.run(task_fn("fault", fails))?;
            }
            Self::Panic => {
                let panics = async |_: Context| panic!("the fault that was asked for");
                manager.run(task_fn("fault", panics))?;
            }
            Self::Slow => {
                manager.run(task_fn("fault", async |ctx: Context| {
                    ctx.set_status("waiting for nothing");
                    tracing::info!("the fault is there");
                    pending().await
                }))?;
            }
            Self::Wedge | Self::WedgeAtStop => {
                for _ in 0..available_parallelism()?.get() {
                    manager.run(task_fn("fault", async move |ctx| self.block(&ctx).await))?;
                }
            }
            Self::WedgeSetup => {
                tracing::info!("the fault is there");
                thread::sleep(LONG);
            }
        }
        Ok(())
    }

    /// Blocks a worker, at once or when the task is stopped.
    async fn block(self, ctx: &Context) -> anyhow::Result<()> {
        ctx.set_status("in a call that does not return");
        tracing::info!("the fault is there");
        if self == Self::WedgeAtStop {
            ctx.cancelled().await;
        }
        thread::sleep(LONG);
        Ok(())
    }
}
