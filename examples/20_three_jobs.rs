//! A command of three jobs, which end by themselves: in order, or with `--at-once` side by side.
//!
//! - The command ends with its last job, with exit code 0 if all of them are done.
//! - A job that fails stops the others, and so does Ctrl-C. Neither leaves half of the output: the
//!   cleanup runs. The exit code is 1, since a job that was interrupted is not done.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{env::args, process::ExitCode, time::Duration};

use taskkit::{Context, Outcome, task_fn};
use tokio::time::sleep;

fn main() -> ExitCode {
    let is_at_once = args().any(|argument| argument == "--at-once");
    taskkit::main(async |manager| {
        manager.cleanup("scratch files", async || {
            println!("scratch files removed");
            Ok(())
        })?;
        for name in ["download", "convert", "index"] {
            let job =
                manager.run_ephemeral(task_fn(name, async move |ctx| job(ctx, name).await))?;
            if !is_at_once && job.ended().await != Outcome::Completed {
                break; // the group stops by itself
            }
        }
        Ok(())
    })
}

async fn job(ctx: Context, name: &str) -> anyhow::Result<()> {
    for part in 1..=3 {
        ctx.set_status(format!("part {part} of 3"));
        let work = sleep(Duration::from_millis(100));
        // Not `?` alone: to be cancelled is a clean end, which is exit code 0.
        let Ok(()) = ctx.or_cancelled(work).await else { anyhow::bail!("interrupted") };
        println!("{name}: part {part} of 3 done");
    }
    Ok(())
}
