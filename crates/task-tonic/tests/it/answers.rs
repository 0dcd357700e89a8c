//! What the service answers, called without a server.

use std::{pin::Pin, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, stream::Stream};
use task_core::{Context, Group, Phase, Task, task_fn};
use task_manager::Manager;
use task_testkit::TestGroup;
use task_tonic::GroupHealth;
use tokio::time::{Instant, timeout};
use tonic::{Code, Request, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus::{self, NotServing, ServiceUnknown, Serving},
    health_server::Health as _,
};

type Messages = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

fn request(service: &str) -> Request<HealthCheckRequest> {
    Request::new(HealthCheckRequest { service: service.into() })
}

async fn check(health: &GroupHealth, service: &str) -> Result<ServingStatus, Code> {
    let response = health.check(request(service)).await.map_err(|status| status.code())?;
    Ok(response.get_ref().status())
}

async fn watch(health: &GroupHealth, service: &str) -> Messages {
    health.watch(request(service)).await.unwrap().into_inner()
}

/// The next message; `None` at the end of the stream. The clock is paused, so a minute passes as
/// soon as nothing happens any more.
async fn next(messages: &mut Messages) -> Option<ServingStatus> {
    let next = timeout(Duration::from_secs(60), messages.next()).await;
    next.expect("no message, and no end").map(|message| message.unwrap().status())
}

fn is_silent(messages: &mut Messages) -> bool {
    messages.next().now_or_never().is_none()
}

/// A task that is ready when `ready` has a value.
fn gate(ready: tokio::sync::watch::Receiver<bool>) -> impl Task {
    task_fn("gate", async move |ctx: Context| {
        let mut ready = ready;
        loop {
            ctx.set_ready(*ready.borrow_and_update());
            ctx.or_cancelled(ready.changed()).await??;
        }
    })
    .gating_readiness()
}

#[tokio::test(start_paused = true)]
async fn health_follows_readiness_until_the_streams_end_at_the_stop() {
    let (ready, is_ready) = tokio::sync::watch::channel(false);
    let drain = Duration::from_secs(5);
    let mut running =
        TestGroup::new().manager(|it| it.drain_delay(drain)).task(gate(is_ready)).start();
    let health = GroupHealth::new(running.group());
    let mut messages = watch(&health, "").await;
    assert_eq!(next(&mut messages).await, Some(NotServing));
    assert_eq!(check(&health, "").await, Ok(NotServing));

    ready.send(true).unwrap();
    assert_eq!(next(&mut messages).await, Some(Serving));
    assert_eq!(check(&health, "").await, Ok(Serving));
    ready.send(false).unwrap();
    assert_eq!(next(&mut messages).await, Some(NotServing));
    ready.send(true).unwrap();
    assert_eq!(next(&mut messages).await, Some(Serving));

    running.stop();
    assert_eq!(next(&mut messages).await, Some(NotServing));
    assert_eq!(check(&health, "").await, Ok(NotServing));
    let began = Instant::now();
    // One that begins in the drain stays open, too: its client would only call again.
    let mut late = watch(&health, "").await;
    assert_eq!(next(&mut late).await, Some(NotServing));
    assert_eq!(next(&mut messages).await, None);
    assert_eq!(next(&mut late).await, None);
    assert!(began.elapsed() >= drain, "the streams ended {:?} into the drain", began.elapsed());
    running.ended().await;
    let mut too_late = watch(&health, "").await;
    assert_eq!(next(&mut too_late).await, Some(NotServing));
    assert_eq!(next(&mut too_late).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stop_without_a_drain_is_sent_before_the_stream_ends() {
    let running = TestGroup::new().task(task_fn("idle", async |ctx: Context| {
        ctx.cancelled().await;
        Ok(())
    }));
    let mut running = running.start();
    running.ready().await;
    let health = GroupHealth::new(running.group());
    let mut messages = watch(&health, "").await;
    assert_eq!(next(&mut messages).await, Some(Serving));
    running.stop();
    assert_eq!(next(&mut messages).await, Some(NotServing));
    assert_eq!(next(&mut messages).await, None);
    running.ended().await;
}

#[tokio::test]
async fn a_manager_that_is_not_waited_for_is_not_serving() {
    let manager = Manager::new();
    manager.run(task_fn("idle", async |_| Ok(())).in_phase(Phase::SUPPORT)).unwrap();
    let health = GroupHealth::new(manager.group());
    assert_eq!(check(&health, "").await, Ok(NotServing));
    manager.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn services_are_known_by_name_and_follow_what_is_set() {
    let mut running = TestGroup::new()
        .task(task_fn("idle", async |ctx: Context| {
            ctx.cancelled().await;
            Ok(())
        }))
        .start();
    running.ready().await;
    let health = GroupHealth::new(running.group()).named("shop.Orders");
    assert_eq!(check(&health, "shop.Orders").await, Ok(Serving));
    assert_eq!(check(&health, "shop.Stock").await, Err(Code::NotFound));

    let mut orders = watch(&health, "shop.Orders").await;
    let mut stock = watch(&health, "shop.Stock").await;
    assert_eq!(next(&mut orders).await, Some(Serving));
    assert_eq!(next(&mut stock).await, Some(ServiceUnknown));
    assert!(is_silent(&mut orders) && is_silent(&mut stock));

    health.set_serving("shop.Orders", false);
    assert_eq!(next(&mut orders).await, Some(NotServing));
    assert!(is_silent(&mut stock));
    assert_eq!(check(&health, "").await, Ok(Serving));
    health.set_serving("shop.Stock", true);
    assert_eq!(next(&mut stock).await, Some(Serving));
    health.set_serving("shop.Stock", true);
    assert!(is_silent(&mut stock));

    running.stop();
    // It was not serving before, so there is no message.
    assert_eq!(next(&mut orders).await, None);
    assert_eq!(next(&mut stock).await, Some(NotServing));
    assert_eq!(next(&mut stock).await, None);
    running.ended().await;
}

#[tokio::test]
async fn a_task_without_a_group_is_serving() {
    let health = GroupHealth::new(Group::alone());
    assert_eq!(check(&health, "").await, Ok(Serving));
    assert!(format!("{health:?}").starts_with("GroupHealth"), "{health:?}");
}
