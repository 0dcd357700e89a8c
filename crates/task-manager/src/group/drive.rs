//! Carries out what the state machine decides: the loop that every event ends in.

use std::{cell::Cell, sync::Arc, time::Duration};

use task_core::{Escalation, Step, scope::Stage};

use crate::{
    group::entry::{Entry, Identity, Role},
    group::log::News,
    group::names::names,
    group::nesting::{self, Order},
    group::shared::Shared,
    group::state::State,
    group::turn::Work,
    lifecycle::machine::{Action, Trigger},
    lifecycle::plan::Tick,
    report::StepTimes,
    report::cause::CauseKind,
    report::failure::{Failure, FailureKind, FailureOrigin},
    sync::{MutexGuard, thread_local},
    threads::alarm::Times,
    threads::clock::Whereabouts,
};

/// How long after the budget the process ends, if it is to.
const HARD_EXIT_DELAY: Duration = Duration::from_secs(1);

thread_local! {
    /// The manager that this thread is driving: a spawn on a dead runtime, for one, ends the new task in place.
    static DRIVING: Cell<usize> = const { Cell::new(0) };
}

/// What this thread was driving before; it goes back to that even if something unwinds.
struct Driving(usize);

impl Driving {
    fn begin(manager: usize) -> Self {
        Self(DRIVING.try_with(|driving| driving.replace(manager)).unwrap_or(0))
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        let _ = DRIVING.try_with(|driving| driving.set(self.0));
    }
}

impl Shared {
    /// Advances the state machine until nothing is due, carries out what it says, and tells the news.
    pub(crate) fn drive<'a>(
        self: &'a Arc<Self>,
        state: MutexGuard<'a, State>,
        now: Tick,
        news: Vec<News>,
    ) {
        let news = self.drive_quietly(state, now, news);
        self.tell(news);
    }

    /// Tells the news, and those that groups inside this one had for it meanwhile. A log sink may block, so this comes
    /// last of all, also for the outermost of the groups that a step goes through.
    pub(crate) fn tell(self: &Arc<Self>, news: Vec<News>) {
        if news.is_empty() && !nesting::has_put_off() {
            // As nearly always.
            return;
        }
        let news = news.into_iter().map(|item| (Arc::clone(self), item));
        let mut news = nesting::put_off(news.collect());
        while !news.is_empty() {
            for (shared, item) in news {
                item.log(&shared);
            }
            news = nesting::put_off(Vec::new());
        }
    }

    /// Like [`drive`](Self::drive), but hands the news back, for a caller who has more to do before. `now` was read
    /// under this lock: once per event, since the clock is a good part of what an event costs.
    #[must_use = "news are to be told"]
    pub(crate) fn drive_quietly<'a>(
        self: &'a Arc<Self>,
        mut state: MutexGuard<'a, State>,
        mut now: Tick,
        mut news: Vec<News>,
    ) -> Vec<News> {
        let me = Arc::as_ptr(self) as usize;
        let outer = Driving::begin(me);
        let is_nested = outer.0 == me;
        // Not tied to a runtime yet: `bind` comes back. Nested: the outer call on this thread goes on.
        while self.alarm.clock.get().is_some() && !is_nested {
            let Some(mut work) = self.advance(&mut state, now) else { break };
            drop(state);
            news.append(&mut work.news);
            self.perform(work);
            state = self.lock();
            now = self.now();
        }
        drop(state);
        drop(outer);
        news
    }

    /// Takes all steps that are due. Returns what they ask for; `None` if nothing has changed.
    pub(crate) fn advance(self: &Arc<Self>, state: &mut State, now: Tick) -> Option<Work> {
        let first = state.machine.advance(now);
        if first.is_none() && self.times(state) == state.times {
            // As nearly always: another of the tasks that are waited for has ended.
            return None;
        }
        let mut work = Work::default();
        let mut next = first;
        while let Some(action) = next {
            self.prepare(state, action, now, &mut work);
            next = state.machine.advance(now);
        }
        work.garbage.append(&mut state.record.evicted);
        work.spent.append(&mut state.spent);
        // Handed over before the alarm says that all is over, so that the deadline thread sees to it that they are called.
        work.parcel = self.alarm.delivery.add(std::mem::take(&mut work.wakers));
        let times = self.times(state);
        if state.times != times {
            state.times = times;
            self.alarm.set(times);
        }
        Some(work)
    }

    /// Returns what the alarm is to be set to.
    fn times(&self, state: &State) -> Times {
        let plan = state.machine.plan();
        let last = plan.and_then(|plan| plan.end).filter(|_| self.settings.hard_exit.is_some());
        Times {
            next: state.machine.next_due(),
            hard_exit: last.map(|end| end.saturating_add(HARD_EXIT_DELAY)),
            is_over: state.machine.step() == Step::Ended,
        }
    }

    fn prepare(self: &Arc<Self>, state: &mut State, action: Action, now: Tick, work: &mut Work) {
        match action {
            Action::Complete => self.begin(state, CauseKind::Completed, Trigger::Plain, now, work),
            Action::StartTimeout => {
                let blockers =
                    state.gates.readiness(state.machine.step(), state.machine.waited()).blockers;
                let blockers = blockers.iter().map(ToString::to_string).collect();
                let name = self.name.to_string();
                let kind = FailureKind::NotReady { blockers };
                state.record.fail(
                    None,
                    Failure { origin: FailureOrigin::Start, name, id: None, kind, at: now },
                );
                self.begin(state, CauseKind::StartTimeout, Trigger::Failure, now, work);
            }
            Action::Drain => {
                // Those who are stopped in the same breath hear of both at once, and are gone through once.
                let stopped = state.machine.stopped_next(now);
                if stopped.is_none_or(|phase| state.machine.is_alive_beside(phase)) {
                    let told = state.tasks.iter().map(|(_, entry)| entry);
                    for entry in told.filter(|entry| Some(entry.phase) != stopped) {
                        work.wakers.append(entry.stage.advance_quietly(Stage::Draining));
                    }
                }
                let orders = state.orders(Order::Drain, now, |entry| Some(entry.phase) != stopped);
                work.orders.extend(orders);
                work.news.push(News::Step(Step::Draining));
            }
            Action::Stop(phase) => {
                if state.stopping.is_none() {
                    state.stopping = Some(now);
                    work.news.push(News::Step(Step::Stopping));
                }
                for entry in state.in_phase(phase) {
                    entry.mark_stop_asked(now);
                    work.wakers.append(entry.stage.advance_quietly(Stage::Cancelled));
                }
                work.orders.extend(state.orders(Order::Stop, now, |entry| entry.phase == phase));
            }
            Action::Abort(phase) => {
                let entries: Vec<_> = state.in_phase(phase).cloned().collect();
                let (names, more) = names(entries.iter());
                work.aborts.extend(entries);
                let hurry = Order::Hurry(Escalation::Abort);
                work.orders.extend(state.orders(hurry, now, |entry| entry.phase == phase));
                work.news.push(News::Aborting { names, more });
            }
            Action::Abandon(phase) => {
                let entries: Vec<_> = state.in_phase(phase).cloned().collect();
                for entry in &entries {
                    state.give_up(entry, now);
                    work.wakers.append(entry.stage.advance_quietly(Stage::Ended));
                }
                let (names, more) = names(entries.iter());
                work.news.push(News::Abandoned { names, more });
            }
            Action::Clean => self.prepare_cleanup(state, now, work),
            Action::SkipCleanup => self.skip_cleanup(state, now, work),
            Action::AbortCleanup => work.aborts.extend(state.cleanup.clone()),
            Action::AbandonCleanup => {
                if let Some(entry) = state.cleanup.take() {
                    state.give_up(&entry, now);
                    let (names, more) = names([&entry].into_iter());
                    work.news.push(News::Abandoned { names, more });
                }
            }
            Action::Remind => {
                let (names, more) =
                    names(state.living().filter(|entry| {
                        entry.stop_asked().is_some() || entry.role == Role::Cleanup
                    }));
                let end = state.machine.plan().and_then(|plan| plan.end);
                let left = end.map(|end| end.saturating_sub(now));
                work.news.push(News::Waiting { names, more, left });
            }
            Action::End => self.end(state, now, work),
        }
    }

    fn begin(
        &self,
        state: &mut State,
        cause: CauseKind,
        trigger: Trigger,
        now: Tick,
        work: &mut Work,
    ) {
        state.machine.trigger(now, trigger, None);
        state.record.trigger(cause.clone(), now);
        work.news.push(News::Triggered(cause));
    }

    fn begin_cleaning_up(state: &mut State, now: Tick, work: &mut Work) {
        if state.cleaning_up.is_none() {
            state.cleaning_up = Some(now);
            work.news.push(News::Step(Step::CleaningUp));
        }
    }

    fn skip_cleanup(&self, state: &mut State, now: Tick, work: &mut Work) {
        Self::begin_cleaning_up(state, now, work);
        let Some(hook) = state.hooks.pop() else { return };
        let kind = FailureKind::NotRun { reason: "the budget for cleanups was used up" };
        let (origin, name) = (FailureOrigin::Cleanup, hook.name.to_string());
        state.record.cleanup(&name, None, now, Duration::ZERO);
        state.record.fail(None, Failure { origin, name, id: None, kind, at: now });
        work.skipped.push(hook);
    }

    fn prepare_cleanup(self: &Arc<Self>, state: &mut State, now: Tick, work: &mut Work) {
        Self::begin_cleaning_up(state, now, work);
        // Invariant 8: reverse order, and each is taken out before it runs.
        let Some(hook) = state.hooks.pop() else { return };
        let identity = Identity {
            id: state.next_id(),
            key: usize::MAX,
            name: hook.name.clone(),
            phase: task_core::Phase::SUPPORT,
            role: Role::Cleanup,
            gates_readiness: false,
            // Cleanups are spawned on the manager's runtime.
            whereabouts: Whereabouts::Within,
        };
        let entry = Entry::new(Arc::clone(self), identity, now);
        state.cleanup = Some(Arc::clone(&entry));
        work.cleanups.push((entry, hook));
    }

    fn end(&self, state: &mut State, now: Tick, work: &mut Work) {
        let Some(plan) = state.machine.plan() else { return };
        let triggered = plan.triggered;
        let budget = plan.end.map(|end| end.saturating_sub(triggered));
        let cleaning_up = state.cleaning_up.unwrap_or(now);
        let stopping = state.stopping.unwrap_or(cleaning_up);
        let steps = StepTimes { triggered, stopping, cleaning_up, ended: now, budget };
        work.garbage.append(&mut state.record.evicted);
        let record = std::mem::take(&mut state.record);
        let repeated = state.tally.repeated();
        let report = record.into_report(&self.name, state.totals, steps, repeated);
        let Some(report) = report else { return };
        work.news.push(News::Report(report.clone()));
        let _ = self.report.set(report);
        work.wakers.append(self.ended.raise_quietly(1));
        work.has_ended = true;
    }
}
