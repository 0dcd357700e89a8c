//! What the task, its terms and its handles share.

use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::Wake,
};

use task_core::{
    Context, FuseInstant,
    scope::{Level, Stage},
};

use crate::{
    Times,
    clock::{At, Clock},
    machine::{Machine, Why},
    run::Run,
    stats::Tally,
    sync::lock,
};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) lock: String,
    pub(crate) clock: Clock,
    machine: Mutex<Machine>,
    /// Raised when the machine is given something that the loop is to look at.
    pub(crate) nudges: Level,
    /// Raised when somebody else leads.
    pub(crate) changes: Level,
    /// The term that has work in it.
    current: Mutex<Option<Arc<Run>>>,
    is_over: AtomicBool,
    pub(crate) tally: Tally,
}

impl Shared {
    pub(crate) fn new(name: String, identity: String, times: Times, seed: u64) -> Self {
        Self {
            lock: name,
            clock: Clock::new(),
            machine: Mutex::new(Machine::new(identity, times, seed)),
            nudges: Level::new(),
            changes: Level::new(),
            current: Mutex::new(None),
            is_over: AtomicBool::new(false),
            tally: Tally::default(),
        }
    }

    /// Calls `body` with the machine and the current instant. No foreign code runs in it.
    pub(crate) fn with<T>(&self, body: impl FnOnce(&mut Machine, At) -> T) -> T {
        let mut machine = lock(&self.machine);
        body(&mut machine, self.clock.now())
    }

    /// Changes what the loop is waiting with, and has it look.
    pub(crate) fn notify<T>(&self, body: impl FnOnce(&mut Machine, At) -> T) -> T {
        let returned = self.with(body);
        self.nudges.bump();
        returned
    }

    /// Returns what is left until `end`, as an instant of a fuse that is not too late however long
    /// the thread is stopped in between.
    pub(crate) fn fuse_instant(&self, end: At) -> FuseInstant {
        let now = FuseInstant::now();
        now + end.saturating_sub(self.clock.now())
    }

    pub(crate) fn begin(self: &Arc<Self>, run: &Arc<Run>) {
        *lock(&self.current) = Some(Arc::clone(run));
        // Read after the run can be found: a stop before that finds no run, one after it does.
        run.follow();
    }

    pub(crate) fn current(&self) -> Option<Arc<Run>> {
        lock(&self.current).clone()
    }

    /// Ends the run at hand, if there is one, whose future is gone.
    pub(crate) fn end_run(&self) {
        let run = lock(&self.current).take();
        if let Some(run) = run {
            run.end();
        }
    }

    /// Returns why a term is over, or how long its lease is valid, less the margin.
    pub(crate) fn validity(&self, term: u64) -> Result<At, &'static str> {
        self.with(|machine, now| {
            machine.look(now);
            let why = machine.end_of_lead().and_then(|(_, why)| why);
            match machine.lead() {
                Some((number, end)) if number == term => {
                    let left = end.saturating_sub(now + Times::MARGIN);
                    match why {
                        Some(why @ (Why::Deadline | Why::Taken)) => Err(why.text()),
                        _ if left.is_zero() => Err(Why::Deadline.text()),
                        _ => Ok(left),
                    }
                }
                _ => Err("it has ended"),
            }
        })
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(SeqCst)
    }
}

/// The life of the task. When it is dropped, wherever the task's future is, the term at hand is
/// over. Its lease is not released, but runs out.
#[derive(Debug)]
pub(crate) struct Life(pub(crate) Arc<Shared>);

impl Life {
    /// Has the stage of `outer` handed on to whichever term there is: on the thread that advances
    /// it, so that a stop needs no runtime.
    pub(crate) fn follow(&self, outer: &Context) {
        let follower = Arc::new(Follower(Arc::downgrade(&self.0)));
        outer.wake_at(Stage::Draining, Arc::clone(&follower).into());
        outer.wake_at(Stage::Cancelled, follower.into());
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.is_over.store(true, SeqCst);
        self.0.end_run();
        self.0.with(|machine, now| {
            machine.end();
            machine.term_over(now);
        });
        self.0.changes.bump();
    }
}

/// Weak, since the outer context keeps it.
struct Follower(Weak<Shared>);

impl Wake for Follower {
    fn wake(self: Arc<Self>) {
        let Some(shared) = self.0.upgrade() else { return };
        shared.notify(|machine, _| machine.end());
        if let Some(run) = shared.current() {
            run.follow();
        }
    }
}
