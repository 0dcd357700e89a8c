//! A scope that remembers what it was told.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex},
    time::Duration,
};

use task_core::{
    Context, Escalation,
    scope::{Scope, StageCell},
};

/// Remembers every call in words.
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

    /// Takes out what was called so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    fn note(&self, call: impl Into<String>) {
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
        self.note(format!("ready {ready}"));
    }

    fn set_status(&self, status: Cow<'static, str>) {
        self.note(format!("status {status}"));
    }

    fn request_stop(&self, reason: Cow<'static, str>) {
        self.note(format!("stop {reason}"));
    }

    fn escalate(&self, level: Escalation) {
        self.note(format!("escalate {level:?}"));
    }

    fn add_hold(&self) {
        self.note("hold");
    }

    fn release_hold(self: Arc<Self>) {
        self.note("let go");
    }

    fn record_failure(&self, error: anyhow::Error) {
        self.note(format!("failure {error:#}"));
    }

    fn record_restart(&self) {
        self.note("restart");
    }

    fn record_signal(&self, name: Cow<'static, str>, count: u64) {
        self.note(format!("signal {name} {count}"));
    }

    fn enter(self: Arc<Self>, body: &mut dyn FnMut()) {
        self.note("enter");
        body();
    }
}
