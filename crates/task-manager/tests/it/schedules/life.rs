//! Plays a schedule on a runtime of its own, and keeps books of its own on what happens.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::anyhow;
use task_manager::{
    Context, Manager, ManagerHandle, Phase, Report, ShutdownError, Step, Task, TaskHandle, task_fn,
};
use tokio::{sync::watch, task::JoinHandle, time::sleep};

use super::{Behaviour, Deed, Ending, Hook, Schedule, verdict};

/// Longer than any schedule can take.
const FOR_EVER: Duration = Duration::from_secs(3_600);

/// What the test knows of one task.
pub(super) struct Known {
    pub(super) name: String,
    pub(super) phase: Phase,
    /// Whether it was admitted during the shutdown.
    pub(super) is_late: bool,
    pub(super) behaviour: Behaviour,
    pub(super) handle: TaskHandle,
    pub(super) traces: Arc<Traces>,
}

/// What one future leaves behind.
#[derive(Default)]
pub(super) struct Traces {
    pub(super) polls: AtomicUsize,
    pub(super) drops: AtomicUsize,
}

/// Counts the drop of the future that owns it.
struct Trace(Arc<Traces>);

impl Drop for Trace {
    fn drop(&mut self) {
        self.0.drops.fetch_add(1, Ordering::SeqCst);
    }
}

/// What the test knows of one cleanup.
pub(super) struct KnownHook {
    pub(super) name: String,
    pub(super) hook: Hook,
    pub(super) runs: Arc<AtomicUsize>,
    /// Whether it came when others were run already.
    pub(super) is_late: bool,
    /// Counted by `Books::next`; 0 if it was not run.
    pub(super) ran_at: Arc<AtomicUsize>,
}

#[derive(Default)]
pub(super) struct Books {
    pub(super) tasks: Mutex<Vec<Known>>,
    pub(super) hooks: Mutex<Vec<KnownHook>>,
    /// Tasks that were alive, and not given up, when a cleanup began.
    pub(super) beside_cleanups: Mutex<Vec<String>>,
    next: AtomicUsize,
}

impl Books {
    fn next(&self) -> usize {
        self.next.fetch_add(1, Ordering::SeqCst) + 1
    }
}

pub(super) type Verdict = Result<Report, ShutdownError>;

/// Lets what outlives its task go on until the test is over.
type Gate = watch::Receiver<bool>;

pub(super) fn play(schedule: &Schedule) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.unwrap();
    runtime.block_on(async {
        let books = Arc::new(Books::default());
        let (release, gate) = watch::channel(false);
        let (handle, verdicts) = live(schedule, &books, &gate).await;
        let report = verdict::check(schedule, &books, &verdicts);
        verdict::check_closed(&handle);
        // What was abandoned may end now, and then nothing is left at all.
        release.send_replace(true);
        sleep(FOR_EVER).await;
        let alive = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        assert_eq!(alive, 0, "tasks left behind");
        // What the report says of cleanups is not undone by then.
        verdict::check_cleanups(schedule, &books, report);
    });
}

async fn live(
    schedule: &Schedule,
    books: &Arc<Books>,
    gate: &Gate,
) -> (ManagerHandle, Vec<Verdict>) {
    let Schedule { stop, drain, cleanup, only_failures_stop, deeds, ending } = schedule;
    let builder = Manager::builder()
        .shutdown_timeout(*stop + *drain + *cleanup)
        .drain_delay(*drain)
        .cleanup_timeout(*cleanup);
    let builder = if *only_failures_stop { builder.only_failures_stop() } else { builder };
    let manager = builder.without_panic_hook().build().unwrap();
    let handle = manager.handle();
    for deed in deeds {
        match *deed {
            Deed::Run { critical, phase, behaviour } => {
                run(&handle, books, gate, critical, phase, behaviour);
            }
            Deed::Cleanup(hook) => register(&handle, books, hook),
            Deed::Stop => manager.stop(),
            Deed::StopByHandle => handle.stop(),
            Deed::StopOne(index) => {
                let tasks = books.tasks.lock().unwrap();
                if !tasks.is_empty() {
                    tasks[index % tasks.len()].handle.stop();
                }
            }
            Deed::Wait(time) => {
                let _ = tokio::time::timeout(Duration::from_millis(time), manager.wait()).await;
            }
            Deed::Sleep(time) => sleep(Duration::from_millis(time)).await,
        }
    }
    let waiters: Vec<JoinHandle<Verdict>> = (0..2)
        .map(|_| {
            let handle = handle.clone();
            tokio::spawn(async move { handle.wait().await })
        })
        .collect();
    tokio::task::yield_now().await;
    let mut verdicts = Vec::new();
    match ending {
        Ending::Shutdown => {
            let verdict = tokio::time::timeout(FOR_EVER, manager.shutdown()).await;
            verdicts.push(verdict.expect("a shutdown that ends"));
        }
        Ending::Drop => drop(manager),
    }
    for waiter in waiters {
        let verdict = tokio::time::timeout(FOR_EVER, waiter).await.expect("a wait that ends");
        verdicts.push(verdict.unwrap());
    }
    (handle, verdicts)
}

fn run(
    handle: &ManagerHandle,
    books: &Arc<Books>,
    gate: &Gate,
    critical: bool,
    phase: Phase,
    behaviour: Behaviour,
) {
    let name = format!("task-{}", books.next());
    let traces = Arc::new(Traces::default());
    let trace = Trace(Arc::clone(&traces));
    let (inner, gate) = (Arc::clone(books), gate.clone());
    let own = handle.clone();
    let task = task_fn(name.clone(), async move |ctx: Context| {
        trace.0.polls.fetch_add(1, Ordering::SeqCst);
        let result = behave(behaviour, &ctx, &own, &inner, &gate).await;
        drop(trace);
        result
    });
    let task = task.in_phase(phase);
    let gates = matches!(behaviour, Behaviour::Flickers(_));
    let task = if gates { task.gating_readiness().boxed() } else { task.boxed() };
    let is_late = handle.group().is_none_or(|group| group.step() > Step::Running);
    let admitted = if critical { handle.run(task) } else { handle.run_ephemeral(task) };
    match admitted {
        Ok(handle) => {
            let known = Known { name, phase, is_late, behaviour, handle, traces };
            books.tasks.lock().unwrap().push(known);
        }
        Err(refused) => {
            assert!(refused.is_too_late(), "{refused}");
            assert_eq!(traces.drops.load(Ordering::SeqCst), 0, "handed back, not dropped");
            drop(refused.into_inner());
            assert_eq!(traces.polls.load(Ordering::SeqCst), 0, "refused, and run");
        }
    }
}

async fn behave(
    behaviour: Behaviour,
    ctx: &Context,
    handle: &ManagerHandle,
    books: &Arc<Books>,
    gate: &Gate,
) -> anyhow::Result<()> {
    let millis = Duration::from_millis;
    match behaviour {
        Behaviour::CompletesAfter(time) => sleep(millis(time)).await,
        Behaviour::FailsAfter(time) => {
            sleep(millis(time)).await;
            return Err(anyhow!("failed as told"));
        }
        Behaviour::PanicsAfter(time) => {
            sleep(millis(time)).await;
            quiet_panic();
        }
        Behaviour::Stops(time) => {
            ctx.cancelled().await;
            sleep(millis(time)).await;
        }
        Behaviour::StopsByError => ctx.or_cancelled(pending::<()>()).await?,
        Behaviour::FailsWhenStopped(time) => {
            ctx.cancelled().await;
            sleep(millis(time)).await;
            return Err(anyhow!("failed when stopped"));
        }
        Behaviour::Deaf => pending().await,
        Behaviour::HoldsOn(time) => {
            let hold = ctx.hold();
            let mut gate = gate.clone();
            tokio::spawn(async move {
                let _ = tokio::time::timeout(millis(10 * time), gate.wait_for(|open| *open)).await;
                drop(hold);
            });
        }
        Behaviour::PanicsInDrop => {
            struct Bomb;
            impl Drop for Bomb {
                fn drop(&mut self) {
                    quiet_panic();
                }
            }
            let _bomb = Bomb;
            pending().await
        }
        Behaviour::Survives(time) => {
            ctx.record_failure(anyhow!("survived"));
            ctx.cancelled().await;
            sleep(millis(time)).await;
        }
        Behaviour::RequestsStop(time) => {
            sleep(millis(time)).await;
            ctx.request_stop("enough");
        }
        Behaviour::Escalates(time, level) => {
            sleep(millis(time)).await;
            ctx.escalate(level);
        }
        Behaviour::Spawns(time) => {
            sleep(millis(time)).await;
            run(handle, books, gate, false, Phase::SUPPORT, Behaviour::Stops(time));
        }
        Behaviour::Flickers(time) => {
            for ready in [true, false, true] {
                ctx.set_ready(ready);
                ctx.or_cancelled(sleep(millis(time))).await?;
            }
            ctx.cancelled().await;
        }
    }
    Ok(())
}

/// Panics without the line on stderr, of which there would be thousands.
fn quiet_panic() -> ! {
    std::panic::resume_unwind(Box::new("panicked as told"))
}

fn register(handle: &ManagerHandle, books: &Arc<Books>, hook: Hook) {
    let is_late = handle.group().is_none_or(|group| group.step() >= Step::CleaningUp);
    let name = format!("hook-{}", books.next());
    let [runs, ran_at] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let registered = handle.cleanup(name.clone(), {
        let (books, handle) = (Arc::clone(books), handle.clone());
        let (runs, ran_at) = (Arc::clone(&runs), Arc::clone(&ran_at));
        async move || {
            runs.fetch_add(1, Ordering::SeqCst);
            ran_at.store(books.next(), Ordering::SeqCst);
            note_beside_cleanup(&books);
            match hook {
                Hook::Succeeds(time) => sleep(Duration::from_millis(time)).await,
                Hook::Fails => return Err(anyhow!("failed to clean")),
                Hook::Panics => quiet_panic(),
                Hook::Hangs => pending().await,
                Hook::Registers => register(&handle, &books, Hook::Succeeds(1)),
            }
            Ok(())
        }
    });
    if registered.is_ok() {
        books.hooks.lock().unwrap().push(KnownHook { name, hook, runs, is_late, ran_at });
    }
}

/// Invariant 8: never beside a live task that is not given up.
fn note_beside_cleanup(books: &Books) {
    let tasks = books.tasks.lock().unwrap();
    let beside = tasks.iter().filter(|task| task.handle.outcome().is_none());
    books.beside_cleanups.lock().unwrap().extend(beside.map(|task| task.name.clone()));
}
