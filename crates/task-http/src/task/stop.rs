//! The stop of a server that goes on until the cleanups have run.
//!
//! The task spawns the server, and hands it to the [`HttpStop`] when it is cancelled itself. Each
//! of the two may be gone by then: without the stop, the task waits for the server as usual; a
//! server that was handed over is aborted when the stop is dropped.

use std::{
    fmt,
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use task_core::{
    Context,
    scope::{Scope, Stage, StageCell},
};
use task_listen::in_task;
use tokio::task::JoinHandle;

use crate::{
    config::HttpListener,
    serve::{self, Cut, Settings},
};

/// Stops the server of an [`HttpTask`](crate::HttpTask) after the cleanups. Made by
/// [`HttpTask::through_cleanups`](crate::HttpTask::through_cleanups), which has an example.
///
/// Dropping it without a call of [`run`](Self::run) aborts the server if the task has ended. Before
/// that, it makes the task stop as any other.
#[must_use = "register `run` as the first cleanup, or the server stops with its task"]
pub struct HttpStop(pub(super) Arc<Handover>);

impl HttpStop {
    /// Stops the server: closes its listeners, lets responses in progress end, and drops what is
    /// left at the [stop timeout](crate::Limits::stop_timeout), or before the time of the cleanup is
    /// used up.
    ///
    /// If the task never ran, this returns at once.
    ///
    /// # Errors
    ///
    /// If it cut a response of a user route, and the task's phase is below
    /// [`Phase::SUPPORT`](task_core::Phase::SUPPORT).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops all connections at once.
    pub async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let server = self.0.end(ctx);
        match server {
            Some(server) => server.ended().await?.map_or(Ok(()), Err),
            None => Ok(()),
        }
    }
}

impl Drop for HttpStop {
    fn drop(&mut self) {
        let server = {
            let mut state = self.0.lock();
            state.has_stop = false;
            state.server.take()
        };
        drop(server);
    }
}

impl fmt::Debug for HttpStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStop").finish_non_exhaustive()
    }
}

/// What the task and the stop share. As a scope, it is what the server serves until.
pub(super) struct Handover {
    stage: StageCell,
    /// Whose time the end of the server has.
    ends_within: OnceLock<Context>,
    state: Mutex<State>,
}

struct State {
    /// The server, from the end of its task on.
    server: Option<Spawned>,
    has_stop: bool,
}

impl Handover {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            stage: StageCell::new(),
            ends_within: OnceLock::new(),
            state: Mutex::new(State { server: None, has_stop: true }),
        })
    }

    /// Runs the task: serves until it is cancelled, and then leaves the server to the stop.
    pub(super) async fn run(
        self: Arc<Self>,
        listeners: Vec<HttpListener>,
        settings: Settings,
        ctx: Context,
    ) -> anyhow::Result<()> {
        let until = Context::new(Arc::clone(&self) as Arc<dyn Scope>);
        let serving = serve::run(listeners, settings, ctx.clone(), until);
        let mut server =
            Spawned { serving: tokio::spawn(in_task(ctx.clone(), serving)), ctx: ctx.clone() };
        if let Ok(ended) = ctx.or_cancelled(&mut server.serving).await {
            // At its start: from then on, it ends only when it is stopped.
            return server.judge(ended).map(drop);
        }
        if let Some(server) = self.hand_over(server) {
            // From here on, the stop is gone.
            let _ = self.end(ctx.clone());
            if let Some(cut) = server.ended().await? {
                ctx.record_failure(cut);
            }
        }
        Ok(())
    }

    /// Leaves the server to the stop, or returns it if there is none any more.
    fn hand_over(&self, server: Spawned) -> Option<Spawned> {
        let mut state = self.lock();
        if !state.has_stop {
            return Some(server);
        }
        state.server = Some(server);
        None
    }

    /// Asks the server to end within the time that `ctx` has, and returns it if it was handed over.
    fn end(&self, ctx: Context) -> Option<Spawned> {
        let _ = self.ends_within.set(ctx);
        self.stage.advance(Stage::Cancelled);
        self.lock().server.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scope for Handover {
    fn stage(&self) -> &StageCell {
        &self.stage
    }

    fn remaining(&self) -> Option<Duration> {
        self.ends_within.get().and_then(Context::remaining)
    }
}

/// A server in a spawned task. Its drop aborts it.
struct Spawned {
    serving: JoinHandle<anyhow::Result<Cut>>,
    /// Of the task that it serves as a part of.
    ctx: Context,
}

impl Spawned {
    /// Waits for the end, and returns what it cut, if that is a failure.
    async fn ended(mut self) -> anyhow::Result<Option<anyhow::Error>> {
        let ended = (&mut self.serving).await;
        self.judge(ended)
    }

    fn judge(
        &self,
        ended: Result<anyhow::Result<Cut>, tokio::task::JoinError>,
    ) -> anyhow::Result<Option<anyhow::Error>> {
        match ended {
            Ok(cut) => Ok(super::report_cut(&cut?, &self.ctx)),
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // Nothing else aborts it.
            Err(_) => anyhow::bail!("the runtime of the server is gone"),
        }
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
