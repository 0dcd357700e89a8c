//! One of two replicas runs a task: the other takes over when the first is stopped, in a higher
//! term.
//!
//! Both are groups of this process, for the sake of the example; in a service each is a process,
//! and they share a lock that all of them reach.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{env, time::Duration};

use taskkit::{
    Context, Manager,
    leader::{FileLock, LeadHandle, Term, Times, leading},
};
use tokio::time::{sleep, timeout};

const PAUSE: Duration = Duration::from_millis(100);

/// Works in one replica at a time. What it writes would carry the term, so that a database can
/// refuse a leader that was replaced.
async fn purge(term: Term, ctx: Context) -> anyhow::Result<()> {
    while ctx.or_cancelled(sleep(PAUSE)).await.is_ok() {
        term.check()?;
        ctx.set_status("purging");
    }
    Ok(())
}

/// Starts a replica.
fn replica(name: &str, lock: FileLock) -> anyhow::Result<(Manager, LeadHandle)> {
    // Short ones, so that the example is; the default is a lease of 15 s.
    let times = Times::new(Duration::from_secs(3), Duration::from_secs(1), PAUSE)?;
    let task = leading("purge", lock, purge).times(times).identity(name);
    let (manager, lead) = (Manager::new(), task.handle());
    manager.run(task)?;
    Ok((manager, lead))
}

async fn leads(lead: &LeadHandle) -> anyhow::Result<u64> {
    let wait = async {
        loop {
            if let Some(term) = lead.term() {
                return term;
            }
            sleep(PAUSE).await;
        }
    };
    Ok(timeout(Duration::from_secs(20), wait).await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let path = env::temp_dir().join(format!("one-leader-{}", std::process::id()));
    let (one, lead_one) = replica("one", FileLock::new(&path)?)?;
    let first = leads(&lead_one).await?;
    println!("one leads");

    let (two, lead_two) = replica("two", FileLock::new(&path)?)?;
    sleep(PAUSE * 5).await;
    let holder = lead_two.holder().unwrap_or_default();
    println!("two follows {}", holder.split('-').next().unwrap_or_default());

    one.stop();
    one.wait().await?;
    let second = leads(&lead_two).await?;
    println!("two leads, in a higher term: {}", second > first);

    two.stop();
    two.wait().await?;
    for extension in ["", ".lock"] {
        let _ = std::fs::remove_file(format!("{}{extension}", path.display()));
    }
    Ok(())
}
