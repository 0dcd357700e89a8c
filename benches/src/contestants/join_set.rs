//! The reference: a `JoinSet` and one shared `CancellationToken`.

use anyhow::{Result, bail};
use tokio::{sync::oneshot, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{gate, laps::Laps, scenario::BATCH};

pub(super) async fn parked(count: usize, laps: &mut Laps) -> Result<()> {
    gate::expect(count);
    let mut set = JoinSet::new();
    let token = CancellationToken::new();
    park(&mut set, &token, count);
    gate::all().await;
    laps.middle();
    token.cancel();
    while let Some(ended) = set.join_next().await {
        ended??;
    }
    laps.end();
    Ok(())
}

pub(super) async fn ephemeral(count: usize, laps: &mut Laps) -> Result<()> {
    let mut set = JoinSet::new();
    for batch in 0..count / BATCH {
        for _ in 0..BATCH {
            set.spawn(async { anyhow::Ok(()) });
        }
        while let Some(ended) = set.join_next().await {
            ended??;
        }
        if batch == count / BATCH / 10 {
            laps.restart();
        }
    }
    laps.end();
    Ok(())
}

pub(super) async fn failure(count: usize, laps: &mut Laps) -> Result<()> {
    gate::expect(count);
    let mut set = JoinSet::new();
    let token = CancellationToken::new();
    park(&mut set, &token, count);
    let (go, fail) = oneshot::channel::<()>();
    set.spawn(async move {
        let _ = fail.await;
        anyhow::bail!("the first failure")
    });
    gate::all().await;
    laps.restart();
    let _ = go.send(());
    let mut first = None;
    while let Some(ended) = set.join_next().await {
        if let Err(error) = ended? {
            first.get_or_insert(error);
            token.cancel();
        }
    }
    laps.end();
    if first.is_none() {
        bail!("no failure was seen");
    }
    Ok(())
}

pub(super) async fn panic(count: usize, laps: &mut Laps) -> Result<()> {
    gate::expect(count);
    let mut set = JoinSet::new();
    let token = CancellationToken::new();
    for _ in 0..count {
        let token = token.clone();
        set.spawn(async move {
            gate::arrive();
            token.cancelled().await;
            super::panics()
        });
    }
    gate::all().await;
    laps.restart();
    token.cancel();
    let mut messages = 0;
    while let Some(ended) = set.join_next().await {
        let Err(error) = ended else { bail!("a task did not panic") };
        let payload = error.into_panic();
        messages += usize::from(payload.downcast_ref::<&str>().is_some());
    }
    laps.end();
    if messages != count {
        bail!("{messages} of {count} panics were seen");
    }
    Ok(())
}

fn park(set: &mut JoinSet<Result<()>>, token: &CancellationToken, count: usize) {
    for _ in 0..count {
        let token = token.clone();
        set.spawn(async move {
            gate::arrive();
            token.cancelled().await;
            Ok(())
        });
    }
}
