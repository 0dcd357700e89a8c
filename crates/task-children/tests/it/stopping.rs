//! The context of a child: its stage follows that of the task, and what it says is its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use task_children::Children;
use task_core::{Context, Outcome, scope::Stage};
use task_manager::{Manager, task_fn};
use tokio::{task::yield_now, time::sleep};

use crate::rig::Rig;

#[tokio::test(start_paused = true)]
async fn the_stage_of_the_task_is_handed_on_at_once_and_in_order() {
    let (rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 2).unwrap();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let child = async move |ctx: Context| {
        let _ = sender.send(ctx.clone());
        ctx.cancelled().await;
        Ok(())
    };
    let handle = children.spawn("child", child).await.unwrap();
    let inner = receiver.await.unwrap();
    assert_eq!((inner.name(), inner.stage()), ("child", Stage::Running));
    rig.stage.advance(Stage::Draining);
    assert_eq!(inner.stage(), Stage::Draining);
    rig.stage.advance(Stage::Cancelled);
    assert_eq!(inner.stage(), Stage::Cancelled);
    assert_eq!(handle.ended().await, Outcome::Completed);
    assert_eq!(inner.stage(), Stage::Ended);
}

#[tokio::test(start_paused = true)]
async fn a_child_of_a_draining_task_is_draining_from_its_start() {
    let (rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 2).unwrap();
    rig.stage.advance(Stage::Draining);
    let child = async |ctx: Context| {
        assert!(ctx.is_draining() && !ctx.is_cancelled());
        Ok(())
    };
    let child = children.spawn("child", child).await.unwrap();
    assert_eq!(child.ended().await, Outcome::Completed);
}

#[tokio::test]
async fn a_stop_is_handed_on_while_the_runtime_is_blocked() {
    let (rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 2).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let child = async move |ctx: Context| {
        sender.send(ctx).unwrap();
        std::future::pending().await
    };
    children.spawn("child", child).await.unwrap();
    yield_now().await;
    let inner = receiver.recv().unwrap();
    // This thread, which is the runtime's, waits for another, which stops the task.
    thread::spawn(move || rig.stop()).join().unwrap();
    assert!(inner.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn readiness_and_status_of_a_child_leave_those_of_the_task_as_they_are() {
    let manager = Manager::new();
    let server = manager.run(task_fn("server", async |ctx: Context| {
        ctx.set_ready(true);
        ctx.set_status("listening");
        let children = Children::new(&ctx, 2)?;
        let child = async |ctx: Context| {
            ctx.set_ready(false);
            ctx.set_status("reading");
            ctx.record_wait(Duration::from_secs(9));
            ctx.cancelled().await;
            Ok(())
        };
        children.spawn("child", child).await?;
        children.finish().await
    }));
    let server = server.unwrap();
    sleep(Duration::from_secs(1)).await;
    let info = server.info();
    assert!(info.is_ready);
    assert_eq!((info.status.as_deref(), info.waiting), (Some("listening"), None));
    assert_eq!(info.children, 1);
    assert_eq!(manager.group().snapshot().tasks[0].children, 1);
    manager.shutdown().await.unwrap();
    assert_eq!(server.info().children, 0);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_gone_leaves_no_waker_behind() {
    #[derive(Default)]
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    // The closure's capture lives as long as the child does, and the child as long as the list.
    let (_rig, ctx) = Rig::new();
    let dropped = Arc::new(AtomicUsize::new(0));
    for _ in 0..100 {
        let counted = Counted(Arc::clone(&dropped));
        let children = Children::new(&ctx, 1).unwrap();
        let child = async move |_: Context| {
            let _counted = counted;
            Ok(())
        };
        children.spawn("child", child).await.unwrap();
        children.finish().await.unwrap();
    }
    assert_eq!(dropped.load(Ordering::SeqCst), 100);
    // What a group takes of the context: none of it is left.
    let debug = format!("{:?}", _rig.stage);
    assert!(!debug.contains("Waker"), "{debug}");
}
