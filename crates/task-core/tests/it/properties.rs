//! What a task says of itself, whatever it is wrapped in.

use std::{borrow::Cow, sync::Arc, time::Duration};

use task_core::{BoxTask, Context, Phase, Task, Timeout, scope::StageCell, task_fn};

use crate::scope::Recorder;

const SECOND: Duration = Duration::from_secs(1);

/// A task that says something of its own about everything.
struct Probe<T>(T);

impl<T: Send + 'static> Task for Probe<T> {
    fn phase(&self) -> Phase {
        Phase::SUPPORT
    }

    fn gates_readiness(&self) -> bool {
        true
    }

    fn stop_timeout(&self) -> Timeout {
        SECOND.into()
    }

    fn admitted(&mut self, ctx: &Context) {
        ctx.set_status("admitted");
    }

    async fn run(self, _: Context) -> anyhow::Result<()> {
        anyhow::bail!("probed")
    }
}

fn plain() -> impl Task {
    task_fn("plain", async |_| Ok(()))
}

fn of(task: &impl Task) -> (Cow<'static, str>, Phase, bool, Timeout) {
    (task.name(), task.phase(), task.gates_readiness(), task.stop_timeout())
}

/// Returns the calls of a scope when the task is admitted.
fn calls_at_admission(mut task: impl Task) -> Vec<String> {
    let (recorder, ctx) = Recorder::context();
    task.admitted(&ctx);
    recorder.calls()
}

#[test]
fn a_task_says_nothing_special_by_default() {
    assert_eq!(of(&plain()), ("plain".into(), Phase::WORK, false, Timeout::Never));
    assert_eq!(of(&plain().boxed()), ("plain".into(), Phase::WORK, false, Timeout::Never));
    assert!(calls_at_admission(plain().boxed()).is_empty());
}

#[test]
fn the_default_name_is_the_short_name_of_the_type() {
    assert_eq!(Probe(()).name(), "Probe");
    assert_eq!(Probe(vec![1_u8]).name(), "Probe");
}

#[test]
fn what_is_not_adjusted_is_the_inner_tasks() {
    let limit = Timeout::from(SECOND);
    assert_eq!(of(&Probe(()).named("other")), ("other".into(), Phase::SUPPORT, true, limit));
    let ingress = Probe(()).in_phase(Phase::INGRESS);
    assert_eq!(of(&ingress), ("Probe".into(), Phase::INGRESS, true, limit));
    assert_eq!(of(&plain().named("other")), ("other".into(), Phase::WORK, false, Timeout::Never));
    let gating = plain().gating_readiness();
    assert_eq!(of(&gating), ("plain".into(), Phase::WORK, true, Timeout::Never));
    let limited = plain().stopping_within(2 * SECOND);
    assert_eq!(of(&limited), ("plain".into(), Phase::WORK, false, (2 * SECOND).into()));
}

#[test]
fn adjustments_add_up_and_the_last_of_a_kind_counts() {
    let task = plain().named("a").in_phase(Phase::new(7)).gating_readiness().named("b");
    let task = task.stopping_within(SECOND).stopping_within(2 * SECOND);
    assert_eq!(of(&task), ("b".into(), Phase::new(7), true, (2 * SECOND).into()));
    let unlimited = Probe(()).stopping_within(Timeout::Never);
    assert_eq!(unlimited.stop_timeout(), Timeout::Never);
}

#[tokio::test]
async fn a_boxed_task_says_and_does_what_the_task_would() {
    let task: BoxTask = Probe(()).boxed().boxed();
    assert_eq!(of(&task), ("Probe".into(), Phase::SUPPORT, true, SECOND.into()));
    let error = task.run(Context::new(Arc::new(StageCell::new()))).await.unwrap_err();
    assert_eq!(error.to_string(), "probed");
}

#[tokio::test]
async fn an_adjusted_task_runs_the_inner_one() {
    let task = Probe(()).named("a").in_phase(Phase::WORK).gating_readiness();
    let error = task.run(Context::new(Arc::new(StageCell::new()))).await.unwrap_err();
    assert_eq!(error.to_string(), "probed");
}

#[test]
fn the_task_learns_of_its_admission_whatever_it_is_wrapped_in() {
    let once = ["status admitted"];
    assert_eq!(calls_at_admission(Probe(())), once);
    assert_eq!(calls_at_admission(Probe(()).named("a").stopping_within(SECOND)), once);
    assert_eq!(calls_at_admission(Probe(()).boxed().boxed()), once);
    assert_eq!(calls_at_admission(Probe(()).in_phase(Phase::WORK).boxed().named("b")), once);
}
