//! Random lives: no child is lost, or counted twice.

use std::{future::pending, time::Duration};

use anyhow::bail;
use proptest::{collection::vec, prelude::*};
use task_children::{ChildHandle, Children};
use task_core::{Context, Outcome};
use tokio::{runtime::Builder, time::sleep};

use crate::rig::{Alive, Rig};

/// What a child does, after so many milliseconds.
#[derive(Clone, Copy, Debug)]
enum Does {
    Completes,
    Fails,
    Panics,
    WaitsForTheStop,
    TakesNoNotice,
    KeepsAHold,
}

#[derive(Clone, Debug)]
enum Step {
    Spawn(Does, u64),
    StopOne(usize),
    AbortOne(usize),
    StopAll,
    AbortAll,
    StopTask,
    Wait(u64),
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        Just(Does::Completes),
        Just(Does::Fails),
        Just(Does::Panics),
        Just(Does::WaitsForTheStop),
        Just(Does::TakesNoNotice),
        Just(Does::KeepsAHold),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (does(), 0..5_u64).prop_map(|(does, after)| Step::Spawn(does, after)),
        3 => any::<usize>().prop_map(Step::StopOne),
        3 => any::<usize>().prop_map(Step::AbortOne),
        1 => Just(Step::StopAll),
        1 => Just(Step::AbortAll),
        1 => Just(Step::StopTask),
        4 => (0..5_u64).prop_map(Step::Wait),
    ]
}

async fn live(does: Does, after: u64, ctx: Context) -> anyhow::Result<()> {
    sleep(Duration::from_millis(after)).await;
    match does {
        Does::Completes => Ok(()),
        Does::Fails => bail!("failed"),
        Does::Panics => std::panic::resume_unwind(Box::new("panicked")),
        Does::WaitsForTheStop => Ok(ctx.or_cancelled(pending()).await?),
        Does::TakesNoNotice => pending().await,
        Does::KeepsAHold => {
            let hold = ctx.hold();
            tokio::spawn(async move {
                sleep(Duration::from_millis(3)).await;
                drop(hold);
            });
            Ok(())
        }
    }
}

/// Takes the steps, and returns how many children began and their handles.
async fn run(steps: Vec<Step>, limit: usize, ctx: &Context, rig: &Rig, alive: &Alive) -> Outcomes {
    let children = Children::new(ctx, limit).unwrap();
    let mut handles: Vec<ChildHandle> = Vec::new();
    for step in steps {
        match step {
            Step::Spawn(does, after) => {
                let one = alive.one();
                let child = async move |ctx: Context| {
                    let _one = one;
                    live(does, after, ctx).await
                };
                handles.extend(children.try_spawn("child", child).ok());
            }
            Step::StopOne(which) if !handles.is_empty() => handles[which % handles.len()].stop(),
            Step::AbortOne(which) if !handles.is_empty() => handles[which % handles.len()].abort(),
            Step::StopOne(_) | Step::AbortOne(_) => {}
            Step::StopAll => children.stop(),
            Step::AbortAll => children.abort(),
            Step::StopTask => rig.stop(),
            Step::Wait(time) => sleep(Duration::from_millis(time)).await,
        }
        assert!(children.len() <= limit);
        let left = handles.iter().filter(|handle| handle.outcome().is_none()).count();
        assert_eq!(children.len(), left);
    }
    let failures = children.failures();
    drop(children);
    for handle in &handles {
        handle.ended().await;
    }
    Outcomes { handles, failures }
}

struct Outcomes {
    handles: Vec<ChildHandle>,
    /// Before the drop, which may add some: of children that fail while they are dropped.
    failures: u64,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_child_ends_once_and_is_counted_once(
        steps in vec(step(), 0..40),
        limit in 1..6_usize,
    ) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (rig, ctx) = Rig::new();
        let alive = Alive::default();
        let Outcomes { handles, failures } =
            runtime.block_on(run(steps, limit, &ctx, &rig, &alive));
        let count = |outcome| {
            handles.iter().filter(|handle| handle.outcome() == Some(outcome)).count()
        };
        let ended: usize = Outcome::ALL.into_iter().map(count).sum();
        prop_assert_eq!(ended, handles.len());
        prop_assert_eq!(count(Outcome::Abandoned), 0);
        prop_assert_eq!(alive.count(), 0);
        prop_assert_eq!(rig.holds(), 0);
        let failed = count(Outcome::Failed) + count(Outcome::Panicked);
        prop_assert_eq!(failures as usize, failed);
        prop_assert_eq!(rig.recorded().len(), failed);
    }
}
