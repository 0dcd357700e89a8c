//! What can be an action.

use std::sync::{Arc, Mutex};

use task_core::{BoxTask, Context, Task};
use task_periodic::{Action, LoopTask, PollTask, stateful};
use tokio::time::sleep;

use crate::rig::{Rig, ms};

#[tokio::test(start_paused = true)]
async fn closures_functions_and_types_are_actions() {
    async fn function(_: Context) -> anyhow::Result<()> {
        Ok(())
    }
    struct Type;
    impl Action for Type {
        async fn run(&mut self, _: Context) -> anyhow::Result<()> {
            Ok(())
        }
    }
    let captured = String::from("captured, and not `Copy`");
    let tasks: Vec<BoxTask> = vec![
        LoopTask::new("async closure", ms(1), async move |ctx| {
            sleep(ms(1)).await;
            assert!(!captured.is_empty() && ctx.name() == "task");
            Ok(())
        })
        .unwrap()
        .boxed(),
        LoopTask::new("closure", ms(1), |_: Context| async { Ok(()) }).unwrap().boxed(),
        PollTask::new("function", ms(1), function).unwrap().boxed(),
        LoopTask::with_action("type", ms(1), Type).unwrap().boxed(),
    ];
    for task in tasks {
        assert!(!task.name().is_empty());
        Rig::new().run_for(ms(10), task).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_type_keeps_its_state_from_run_to_run() {
    struct Count(usize, Arc<Mutex<Vec<usize>>>);
    impl Action for Count {
        async fn run(&mut self, _: Context) -> anyhow::Result<()> {
            self.0 += 1;
            sleep(ms(1)).await;
            self.1.lock().unwrap().push(self.0);
            Ok(())
        }
    }
    let seen = Arc::default();
    let task = PollTask::with_action("count", ms(10), Count(0, Arc::clone(&seen))).unwrap();
    Rig::new().run_for(ms(35), task).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_stateful_closure_keeps_its_state_through_failures_and_panics() {
    let seen = Arc::new(Mutex::new(vec![]));
    let action = stateful(0, {
        let seen = seen.clone();
        async move |count: &mut i32, _| {
            *count += 1;
            sleep(ms(1)).await;
            seen.lock().unwrap().push(*count);
            match *count {
                1 => anyhow::bail!("no"),
                2 => panic!("no"),
                _ => Ok(()),
            }
        }
    });
    let task = LoopTask::with_action("count", ms(1000), action).unwrap();
    Rig::new().run_for(ms(5500), task).await.unwrap();
    assert_eq!(seen.lock().unwrap()[..4], [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_method_and_its_state_are_an_action() {
    struct Tail(usize);
    impl Tail {
        async fn advance(&mut self, ctx: Context) -> anyhow::Result<()> {
            self.0 += 1;
            ctx.set_status(format!("at {}", self.0));
            Ok(())
        }
    }
    let rig = Rig::new();
    let task = LoopTask::with_action("tail", ms(100), stateful(Tail(0), Tail::advance)).unwrap();
    rig.run_for(ms(250), task).await.unwrap();
    assert!(rig.statuses().contains(&"at 3".to_owned()), "{:?}", rig.statuses());
}
