//! The order of a shutdown: drain, then phase after phase.
//!
//! A load balancer goes on sending requests for some seconds after a pod was told to end. So a group first *drains*:
//! it says that it is not ready any more, and works on. Then it stops its tasks phase by phase, and a phase begins when
//! the one before has ended: what lets work in ([`Phase::INGRESS`]), what does the work ([`Phase::WORK`]), and what
//! watches the others ([`Phase::SUPPORT`]: metrics, probes, signals), which is the last to go.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use taskkit::{Manager, Phase, Task, task_fn};
use tokio::{
    sync::mpsc,
    time::{interval, sleep},
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let manager = Manager::builder()
        .name("shop")
        .drain_delay(Duration::from_millis(300)) // Kubernetes users set 5 to 15 s
        .shutdown_timeout(Duration::from_secs(10)) // for everything: drain, stop and cleanups
        .cleanup_timeout(Duration::from_secs(1))
        .build()?;

    let (accepted, mut queue) = mpsc::channel::<u32>(100);
    let server = task_fn("server", async move |ctx| {
        let mut requests = interval(Duration::from_millis(100));
        let mut number = 0;
        while ctx.or_cancelled(requests.tick()).await.is_ok() {
            number += 1;
            println!("server: request {number} (draining: {})", ctx.is_draining());
            accepted.send(number).await?;
        }
        println!("server: stopped, nothing comes in any more");
        Ok(())
    });
    let worker = task_fn("worker", async move |ctx| {
        // The server is gone when this task is stopped: what is in the queue is all there is.
        while let Ok(Some(number)) = ctx.ready_or_cancelled(queue.recv()).await {
            sleep(Duration::from_millis(120)).await;
            println!("worker: request {number} is done");
        }
        println!("worker: the queue is empty");
        Ok(())
    });
    let watcher = task_fn("watcher", async |ctx| {
        let mut group = ctx.group();
        while ctx.or_cancelled(group.changed()).await.is_ok() {
            let ready = group.readiness().is_ready();
            let alive: Vec<_> = group.snapshot().tasks.into_iter().map(|task| task.name).collect();
            println!("watcher: {}, ready: {ready}, alive: {alive:?}", group.step());
        }
        Ok(())
    });

    manager.run(server.in_phase(Phase::INGRESS))?;
    manager.run(worker)?; // `Phase::WORK` is the default
    manager.run(watcher.in_phase(Phase::SUPPORT))?;

    let handle = manager.handle(); // weak, and harmless to keep
    tokio::spawn(async move {
        sleep(Duration::from_millis(250)).await;
        handle.stop();
    });
    println!("\n{}", manager.wait().await?);
    Ok(())
}
