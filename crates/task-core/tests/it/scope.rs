//! A scope that records its calls.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex},
    time::Duration,
};

use task_core::{
    Context, Escalation, Panic,
    scope::{Scope, StageCell},
};

/// Records every call as text.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) stage: StageCell,
    calls: Mutex<Vec<String>>,
}

impl Recorder {
    pub(crate) fn context() -> (Arc<Self>, Context) {
        let recorder = Arc::new(Self::default());
        (recorder.clone(), Context::new(recorder))
    }

    /// Removes and returns the calls so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    fn push(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
    }
}

impl Scope for Recorder {
    fn stage(&self) -> &StageCell {
        &self.stage
    }

    fn name(&self) -> &str {
        "recorded"
    }

    fn remaining(&self) -> Option<Duration> {
        Some(Duration::from_secs(7))
    }

    fn set_ready(&self, ready: bool) {
        self.push(format!("ready {ready}"));
    }

    fn set_status(&self, status: Cow<'static, str>) {
        self.push(format!("status {status}"));
    }

    fn request_stop(&self, reason: Cow<'static, str>) {
        self.push(format!("stop {reason}"));
    }

    fn escalate(&self, level: Escalation) {
        self.push(format!("escalate {level:?}"));
    }

    fn add_hold(&self) {
        self.push("hold");
    }

    fn release_hold(self: Arc<Self>) {
        self.push("release");
    }

    fn record_failure(&self, error: anyhow::Error) {
        self.push(format!("failure {error:#}"));
    }

    fn record_panic(&self, panic: Panic) {
        self.push(format!("survived {panic}"));
    }

    fn count_failure(&self) {
        self.push("count");
    }

    fn fail(self: Arc<Self>, error: anyhow::Error) -> Result<(), anyhow::Error> {
        self.push(format!("fail {error:#}"));
        Ok(())
    }

    fn fail_by_panic(self: Arc<Self>, panic: Panic) {
        self.push(format!("panic {}", panic.message));
    }

    fn record_restart(&self) {
        self.push("restart");
    }

    fn record_wait(&self, wait: Option<Duration>) {
        self.push(format!("wait {wait:?}"));
    }

    fn record_signal(&self, name: Cow<'static, str>, count: u64) {
        self.push(format!("signal {name} {count}"));
    }

    fn enter(self: Arc<Self>, body: &mut dyn FnMut()) {
        self.push("enter");
        body();
    }
}
