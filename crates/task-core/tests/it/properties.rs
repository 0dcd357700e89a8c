//! What a task says of itself, whatever it is wrapped in.

use std::{borrow::Cow, sync::Arc};

use task_core::{BoxTask, Context, Phase, Task, scope::StageCell, task_fn};

/// A task that says something of its own about everything.
struct Probe<T>(T);

impl<T: Send + 'static> Task for Probe<T> {
    fn phase(&self) -> Phase {
        Phase::SUPPORT
    }

    fn gates_readiness(&self) -> bool {
        true
    }

    async fn run(self, _: Context) -> anyhow::Result<()> {
        anyhow::bail!("probed")
    }
}

fn plain() -> impl Task {
    task_fn("plain", async |_| Ok(()))
}

fn of(task: &impl Task) -> (Cow<'static, str>, Phase, bool) {
    (task.name(), task.phase(), task.gates_readiness())
}

#[test]
fn a_task_says_nothing_special_by_default() {
    assert_eq!(of(&plain()), ("plain".into(), Phase::WORK, false));
    assert_eq!(of(&plain().boxed()), ("plain".into(), Phase::WORK, false));
}

#[test]
fn the_default_name_is_the_short_name_of_the_type() {
    assert_eq!(Probe(()).name(), "Probe");
    assert_eq!(Probe(vec![1_u8]).name(), "Probe");
}

#[test]
fn what_is_not_adjusted_is_the_inner_tasks() {
    assert_eq!(of(&Probe(()).named("other")), ("other".into(), Phase::SUPPORT, true));
    assert_eq!(of(&Probe(()).in_phase(Phase::INGRESS)), ("Probe".into(), Phase::INGRESS, true));
    assert_eq!(of(&plain().named("other")), ("other".into(), Phase::WORK, false));
    assert_eq!(of(&plain().gating_readiness()), ("plain".into(), Phase::WORK, true));
}

#[test]
fn adjustments_add_up_and_the_last_of_a_kind_counts() {
    let task = plain().named("a").in_phase(Phase::new(7)).gating_readiness().named("b");
    assert_eq!(of(&task), ("b".into(), Phase::new(7), true));
}

#[tokio::test]
async fn a_boxed_task_says_and_does_what_the_task_would() {
    let task: BoxTask = Probe(()).boxed().boxed();
    assert_eq!(of(&task), ("Probe".into(), Phase::SUPPORT, true));
    let error = task.run(Context::new(Arc::new(StageCell::new()))).await.unwrap_err();
    assert_eq!(error.to_string(), "probed");
}

#[tokio::test]
async fn an_adjusted_task_runs_the_inner_one() {
    let task = Probe(()).named("a").in_phase(Phase::WORK).gating_readiness();
    let error = task.run(Context::new(Arc::new(StageCell::new()))).await.unwrap_err();
    assert_eq!(error.to_string(), "probed");
}
