//! The order of a shutdown: the drain, then phase by phase.
//!
//! A load balancer still sends requests for some seconds after a pod has received SIGTERM. The
//! group therefore *drains* first: it is no longer ready, and its tasks still work. Then the
//! manager stops the tasks by phase, each once the phase before it has ended: ingress
//! ([`Phase::INGRESS`]), then workers ([`Phase::WORK`]), then support ([`Phase::SUPPORT`]: metrics,
//! probes, signals).
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
        .drain_delay(Duration::from_millis(300)) // on Kubernetes: 5 to 15 s
        .shutdown_timeout(Duration::from_secs(10)) // drain, stop and cleanups together
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
        println!("server: stopped, no more requests");
        Ok(())
    });
    let worker = task_fn("worker", async move |ctx| {
        // This task stops after the server, so the queue receives no more requests.
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

    let handle = manager.handle(); // weak: it does not keep the group alive
    tokio::spawn(async move {
        sleep(Duration::from_millis(250)).await;
        handle.stop();
    });
    println!("\n{}", manager.wait().await?);
    Ok(())
}
