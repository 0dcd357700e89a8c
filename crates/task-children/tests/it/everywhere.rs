//! A stop, and an abort, at each await of a task with children.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use anyhow::bail;
use task_children::Children;
use task_core::{Context, Task, task_fn};
use task_testkit::{cancel_everywhere, drop_everywhere};
use tokio::time::{Duration, sleep};

use crate::rig::Alive;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What the children have taken and done, what they said, and how many of them are alive.
#[derive(Clone, Default)]
struct World {
    taken: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
    said: Arc<Mutex<Vec<&'static str>>>,
    alive: Alive,
}

impl World {
    fn say(&self, word: &'static str) {
        self.said.lock().unwrap().push(word);
    }

    /// A child that does one order after the other until it is stopped.
    async fn work(self, ctx: Context) -> anyhow::Result<()> {
        let _alive = self.alive.one();
        loop {
            ctx.or_cancelled(sleep(ms(30))).await?; // an order arrives
            self.taken.fetch_add(1, SeqCst);
            sleep(ms(70)).await;
            self.done.fetch_add(1, SeqCst);
        }
    }

    /// A child that says goodbye when it is stopped.
    async fn chat(self, ctx: Context) -> anyhow::Result<()> {
        let _alive = self.alive.one();
        self.say("hello");
        ctx.cancelled().await;
        sleep(ms(400)).await; // longer than a drop may take
        self.say("goodbye");
        Ok(())
    }

    /// A task with these two, which meanwhile has values computed, and starts children that fail.
    fn task(&self) -> impl Task + use<> {
        let world = self.clone();
        task_fn("server", async move |ctx: Context| {
            let children = Children::new(&ctx, 3)?.count_failures();
            let body = async |children: &Children| {
                let (worker, chatter) = (world.clone(), world.clone());
                children.spawn("worker", async move |ctx| worker.work(ctx).await).await?;
                children.spawn("chatter", async move |ctx| chatter.chat(ctx).await).await?;
                for round in 0_u32.. {
                    ctx.or_cancelled(sleep(ms(20))).await?;
                    let alive = world.alive.clone();
                    let computing = children.run("sum", async move |_| {
                        let _alive = alive.one();
                        sleep(ms(5)).await;
                        round + 1
                    });
                    assert_eq!(computing.await?.await?, round + 1);
                    let alive = world.alive.clone();
                    let failing = async move |_| {
                        let _alive = alive.one();
                        sleep(ms(5)).await;
                        bail!("a client is away")
                    };
                    children.spawn("client", failing).await?;
                }
                Ok(())
            };
            let result = children.scope(body).await;
            assert_eq!(world.alive.count(), 0, "children are beside what follows them");
            result
        })
    }

    /// Asserts that no child is left; returns how many orders are lost.
    fn lost(&self) -> usize {
        assert_eq!(self.alive.count(), 0, "children are alive");
        self.taken.load(SeqCst) - self.done.load(SeqCst)
    }
}

async fn build() -> (World, impl Task) {
    let world = World::default();
    let task = world.task();
    (world, task)
}

#[test]
fn a_stop_at_any_await_lets_the_children_finish_before_the_task_ends() {
    let sweep =
        cancel_everywhere(build).ends_within(ms(400)).lives_for(ms(500)).leaves_no_tasks().check(
            async |world| {
                assert_eq!(world.lost(), 0, "orders are lost");
                let said = world.said.lock().unwrap();
                assert!(said.is_empty() || *said == ["hello", "goodbye"], "{said:?}");
            },
        );
    assert!(sweep.points() > 20 && sweep.is_deterministic(), "{sweep}");
}

#[test]
fn an_abort_at_any_await_drops_the_children_with_the_task() {
    let sweep = drop_everywhere(build).lives_for(ms(500)).leaves_no_tasks().check(async |world| {
        assert!(world.lost() <= 1, "orders are lost");
        let said = world.said.lock().unwrap().len();
        sleep(ms(1000)).await;
        assert_eq!(world.said.lock().unwrap().len(), said, "a child went on");
    });
    assert!(sweep.points() > 20 && sweep.is_deterministic(), "{sweep}");
}
